"""Chains of values are as long as the program: no pass may recurse along them."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from adcore.analysis.affine.dependence import AliasClasses
from adcore.analysis.planning.facts import analyse
from adcore.ir import F64, I64, ArrayType, Builder, Function, Value, verify
from adcore.ops import TABLE
from adcore.transform.canonical.checks import simplify_checks
from adcore.transform.canonical.simplify import simplify
from adcore.transform.diff.reverse import emit_reverse
from adcore.transform.optimize.improve import improve

LENGTH = 400
KINDS = ("duplicated", "const")


@pytest.fixture(autouse=True)
def shallow() -> Iterator[None]:
    """Less stack than there are values in a chain: the frames of pytest, and some for nested regions."""
    depth, frame = 0, sys._getframe()
    while frame.f_back is not None:
        depth, frame = depth + 1, frame.f_back
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + 200)
    yield
    sys.setrecursionlimit(limit)


def floats(b: Builder, x: Value, i: Value, n: Value) -> Value:
    """Each value from the one before, by operations that the reverse sweep does again."""
    t = first = b.emit("load", x, i)
    for _ in range(LENGTH):
        t = b.emit("add", b.emit("mul", t, first), b.const(0.5))
    return b.emit("mul", t, t)


def integers(b: Builder, x: Value, i: Value, n: Value) -> Value:
    """A subscript that is counted up, and bounded again and again."""
    k = i
    for step in range(LENGTH):
        k = b.emit("minimum", b.emit("add", k, n, exact=True), b.emit("sub", n, b.const(step + 1), exact=True))
    return b.emit("load", x, b.emit("maximum", k, b.const(0)))


@pytest.mark.parametrize("chain", [floats, integers])
def test_a_long_chain_goes_through_every_stage(chain: object) -> None:
    assert callable(chain)
    x, n = Value(ArrayType(F64, 1, "C"), "x"), Value(I64, "n")
    b = Builder(TABLE)
    i, total = Value(I64, "i"), Value(F64, "s")
    with b.region((i, total)) as loop:
        loop.yields = (b.emit("add", total, chain(b, x, i, n)),)
    (result,) = b.emit_many("for", (b.const(0), n, b.const(0.0)), {"step": 1}, (loop.region,), (F64,))
    function = verify(Function("f", b.finish((x, n), (result,))), TABLE)
    function = simplify(simplify_checks(simplify(function, TABLE), TABLE), TABLE)
    planner = analyse(function, KINDS, [True], AliasClasses(), TABLE)
    gradient = emit_reverse(planner, planner.plan(), KINDS, [True], TABLE).function
    verify(improve(gradient, TABLE), TABLE)
