"""The product of matrices as one instruction: its expansion is what it means."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adcore.ir import Function, IRError, interpret, parse_function, print_function, verify
from adcore.ops import TABLE
from adcore.transform.expansion import expand_bulk

TEXT = """
func @f(%c: array<T,2,S>, %a: array<T,2,S>, %b: array<T,2,S>, %n: i64, %m: i64, %d: i64, %s: T, %o: i64) -> () {
  %0: i64 = const [type='i64', value=0]
  product %c, %a, %b, %0, %n, %0, %m, %0, %d OPERANDS [factors=FACTORS, free=FREE, start=START, subscripts=SUBSCRIPTS]
  return
}
"""

PLAIN = {"OPERANDS": "", "FACTORS": "((), ())", "FREE": "False", "START": "None", "SUBSCRIPTS": "('i,j', 'i,k', 'k,j')"}

FORMS: list[dict[str, str]] = [
    {},
    {"FREE": "True"},
    {"OPERANDS": ", %s", "START": "9"},
    {"OPERANDS": ", %s", "FACTORS": "((-1.0, 9), (9,))"},
    {"OPERANDS": ", %o", "SUBSCRIPTS": "('2*i+#9,j', 'k,i', 'j,k+#9+-1*1')"},
]


def function(form: dict[str, str], element: str = "f64") -> Function:
    text = TEXT.replace("<T,", f"<{element},").replace(": T", f": {element}")
    for name, value in {**PLAIN, **form}.items():
        text = text.replace(name, value)
    return verify(parse_function(text), TABLE)


def run(function: Function, element: str) -> Any:
    rng = np.random.default_rng(0)
    c, a, b = (rng.normal(size=(7, 7)).astype("f4" if element == "f32" else "f8") for _ in range(3))
    scale = np.float32(0.3) if element == "f32" else 0.3
    interpret(function, TABLE, [c, a, b, 3, 4, 5, scale, 1])
    return c


@pytest.mark.parametrize("element", ["f64", "f32"])
@pytest.mark.parametrize("form", FORMS)
def test_the_expansion_gives_the_same_to_the_last_bit(form: dict[str, str], element: str) -> None:
    before = function(form, element)
    after = verify(expand_bulk(before, TABLE), TABLE)
    assert "product" not in print_function(after)
    np.testing.assert_array_equal(run(after, element), run(before, element))


def test_it_is_the_product() -> None:
    rng = np.random.default_rng(1)
    c, a, b = rng.normal(size=(3, 4)), rng.normal(size=(3, 5)), rng.normal(size=(5, 4))
    expected = c + a @ b
    interpret(function({}), TABLE, [c, a, b, 3, 4, 5, 0.0, 0])
    np.testing.assert_allclose(c, expected, rtol=1e-13)


@pytest.mark.parametrize("form", [{"SUBSCRIPTS": "('i', 'i,k', 'k,j')"}, {"START": "3"}])
def test_what_makes_no_sense_is_refused(form: dict[str, str]) -> None:
    with pytest.raises(IRError):
        function(form)
