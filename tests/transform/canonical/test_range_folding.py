"""Comparisons and extremes of integers that loop bounds decide: gone, and nothing else changes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import adcore as ad
from adcore.ir import Function, interpret, verify
from adcore.ir.core import walk
from adcore.ir.parser import parse_function
from adcore.ops import TABLE
from adcore.transform.canonical import range_folding
from adcore.transform.canonical.range_folding import fold_ranges
from tests.transform.texts import check_docstring, check_unchanged

ASKED = ("minimum", "maximum", "select")


def program(*lines: str) -> Function:
    """For each i from %lo on below %n, %m is added up."""
    body = "\n    ".join(lines)
    text = f"""
func @f(%n: i64, %k: i64) -> (i64) {{
  %0: i64 = const [type='i64', value=0]
  %1: i64 = const [type='i64', value=1]
  %s: i64 = for %1, %n, %0 [step=1] {{
  (%i: i64, %t: i64):
    {body}
    %u: i64 = add %t, %m
    yield %u
  }}
  return %s
}}"""
    return verify(parse_function(text), TABLE)


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        (["%m: i64 = minimum %i, %n"], []),
        (["%m: i64 = maximum %i, %n"], []),
        (["%m: i64 = maximum %1, %i"], []),
        (["%j: i64 = sub %n, %i", "%m: i64 = maximum %j, %0"], []),
        (["%j: i64 = add %i, %1 [exact=True]", "%a: i64 = minimum %j, %n", "%m: i64 = minimum %a, %n"], []),
        (["%c: bool = lt %i, %0", "%m: i64 = select %c, %k, %i"], []),
        (["%c: bool = ge %i, %1", "%m: i64 = select %c, %k, %i"], []),
        (["%c: bool = gt %i, %1", "%m: i64 = select %c, %k, %i"], ["select"]),
        (["%c: bool = le %i, %0", "%m: i64 = select %c, %k, %i"], []),
        (["%m: i64 = minimum %i, %k"], ["minimum"]),
        (["%m: i64 = maximum %i, %k"], ["maximum"]),
        (["%j: i64 = add %i, %1 [exact=True]", "%m: i64 = maximum %j, %n"], []),
        (["%j: i64 = add %k, %1 [exact=True]", "%c: bool = lt %j, %k", "%m: i64 = select %c, %k, %i"], []),
    ],
)
def test_what_bounds_decide_goes(lines: list[str], left: list[str]) -> None:
    before = program(*lines)
    after = verify(fold_ranges(before, TABLE), TABLE)
    assert [i.op for i in walk(after.region) if i.op in ASKED] == left
    for n, k in itertools.product((0, 1, 2, 5), (-3, 0, 1, 2, 7)):
        assert interpret(before, TABLE, [n, k]) == interpret(after, TABLE, [n, k])


def lower_triangle(a, x):
    for i in range(a.shape[0]):
        x[i] = (x[i] - a[i, :i] @ x[:i]) / a[i, i]
    return np.sum(x)


def test_slices_up_to_the_loop_variable_are_affine() -> None:
    """With a clamp in the way, dependence would be lost, and every element be kept."""
    a, x = np.tril(np.arange(1.0, 26.0).reshape(5, 5)), np.ones(5)
    g = ad.compile(lower_triangle, ad.Duplicated(a, np.zeros_like(a)), ad.Duplicated(x, np.zeros_like(x)))
    assert g.workspace_bytes == 0


def scaled_prefixes(c, beta):
    for i in range(c.shape[0]):
        c[i, : i + 2] *= beta
    return np.sum(c)


@pytest.mark.parametrize("shape", [(1, 1), (4, 4), (5, 3), (3, 9)])
def test_bytes_of_ragged_rows_are_a_sum(shape: tuple[int, int]) -> None:
    c = np.ones(shape)
    arguments = ad.Duplicated(c, np.zeros_like(c)), ad.Active(0.5)
    g = ad.compile(scaled_prefixes, *arguments)
    assert g.workspace_formula == "sum(8*min(i + 2, c.shape[1]) for i in range(c.shape[0]))"
    bytes_kept = sum(8 * min(i + 2, shape[1]) for i in range(shape[0]))
    assert g.explain().bytes == bytes_kept
    g(*arguments)
    assert g.high_water == bytes_kept


def run(function: Function) -> Function:
    return fold_ranges(function, TABLE)


def test_a_clamp_inside_the_bounds_of_a_loop() -> None:
    check_docstring(range_folding, run)


def test_a_clamp_that_the_bounds_leave_open_stays() -> None:
    check_unchanged(
        run,
        """
        %size: i64 = dim %x [axis=0]
        for 0, %n [step=1] {
        (%i: i64):
          %stop: i64 = minimum %i, %size
          store %s, %y, %stop
          yield
        }
        """,
    )
