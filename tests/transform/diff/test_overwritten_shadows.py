"""Shadows that a sweep sets begin as zero; all else stays."""

from __future__ import annotations

import numpy as np

from adcore.ir import Function, interpret
from adcore.ops import TABLE
from adcore.transform.diff import overwritten_shadows
from adcore.transform.diff.overwritten_shadows import set_to_zero
from tests.transform.texts import PARAMETERS, check_text, check_unchanged, docstring_texts, parse

NAMES = [text.split(":")[0].strip() for text in PARAMETERS.split(", ")]
LOOP = """
for 0, %n [step=1] {
(%i: i64):
  accumulate %s, %d, %i
  yield
}
"""


def run(function: Function) -> Function:
    return set_to_zero(function, [NAMES.index("%d")], TABLE)


def test_zeros_come_first() -> None:
    """The two programs differ on purpose, and only in what `%d` held before."""
    before, after = docstring_texts(overwritten_shadows)
    function = parse(before, PARAMETERS)
    made = run(function)
    check_text(made, after, parameters=PARAMETERS)
    shadow = np.full(3, 7.0)
    given = {"%d": shadow, "%n": 2, "%m": 0, "%k": 0, "%s": 5.0, "%p": True}
    matrices = {name: np.zeros((1, 1)) for name in ("%a", "%b", "%c")}
    interpret(made, TABLE, [{**given, **matrices}.get(name, np.zeros(3)) for name in NAMES])
    assert shadow.tolist() == [5.0, 5.0, 0.0]


def test_without_such_shadows_nothing_changes() -> None:
    check_unchanged(lambda function: set_to_zero(function, [], TABLE), LOOP)
