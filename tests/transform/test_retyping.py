"""Programs in other numbers: the texts of the pass, what it does to each kind of float, and that the result runs."""

from __future__ import annotations

import numpy as np
import pytest

from adcore.ir import interpret, parse_function, print_function, verify
from adcore.ir.types import F32, F80
from adcore.ops import TABLE
from adcore.transform import retyping
from adcore.transform.retyping import retyped
from tests.transform.texts import check_text, docstring_texts, parse


def test_the_texts_of_the_pass() -> None:
    before, after = docstring_texts(retyping)
    check_text(retyped(parse(before, ""), F80, TABLE), after, parameters="")


MIXED = """func @f(%x: f64, %a: array<f32,1,C>, %n: i64) -> (f64, i64) {
  %0: i64 = const [type='i64', value=0]
  %b: array<f64,1,C> = alloc %n [element='f64']
  %v: f32 = load %a, %0
  %w: f64 = cast %v [type='f64']
  %h: f32 = const [type='f32', value=0.1]
  %t: f32 = mul %v, %h
  %s: f64 = cast %t [type='f64']
  store %s, %b, %0
  %m: f64 = maximum %x, %w
  %l: f64 = load %b, %0
  %y: f64 = add %m, %l
  return %y, %n
}
"""


def test_every_float_becomes_the_same() -> None:
    wide = verify(retyped(parse_function(MIXED), F80, TABLE), TABLE)
    text = print_function(wide)
    assert "f64" not in text.replace("i64", "")
    assert "f32" not in text
    # A constant is what it was in the program's own numbers.
    assert f"value={float(np.float32(0.1))!r}" in text
    assert "maximum" not in text


@pytest.mark.parametrize("x", [1.0, 3.0, np.nan])
def test_it_computes_the_same(x: float) -> None:
    function, a = parse_function(MIXED), np.array([2.0], np.float32)
    expected, _ = interpret(function, TABLE, (x, a, 1))
    out = np.zeros(2, np.float32)
    interpret(retyped(function, F32, TABLE), TABLE, (np.array([x], np.float32), a, 1, out))
    assert out[0] == pytest.approx(expected, rel=1e-6, nan_ok=True)
