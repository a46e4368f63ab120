"""`max_workspace="8*n"`: evaluated at the point, compared at all shapes, refused where it means nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_adalloc import check
from pytest_adalloc.checks.workspace_limit import SizeFormula, WorkspaceLimit

ROW = {"x": np.ones(8), "A": np.ones((3, 4)), "steps": 5, "k": 2.5}


def limit(text: Any) -> WorkspaceLimit:
    made = WorkspaceLimit.of(text, ROW, ("x",))
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8*n", 64), ("8*len(x)", 64), ("8*x.shape[0]", 64), ("8*x.size", 64), ("8*A.size", 96),
        ("A.shape[1]*steps", 20), ("max(n, 100)", 100),
        ("16*(n + 1) // 3", 48), ("96", 96), (96, 96), ("sum(8*i for i in range(n))", 224),
    ],
)  # fmt: skip
def test_bytes_at_the_point(text: Any, size: int) -> None:
    assert limit(text).bytes == size


def test_without_a_limit_there_is_none() -> None:
    assert WorkspaceLimit.of(None, ROW) is None


@pytest.mark.parametrize(
    "text",
    ["", "8*", "import os", "__import__('os')", "8.5*n", "open(n)", "x.shape[0].real()", "[n]", "lambda: 8", "'8'"],
)
def test_what_is_no_formula(text: str) -> None:
    with pytest.raises(ValueError, match="it is a number of bytes or a formula in sizes such as"):
        SizeFormula.of(text)


@pytest.mark.parametrize("text", ["8*m", "8*k", "x[0]", "8*x.shape[1]", "len(steps)", "8*y.size"])
def test_sizes_that_no_argument_has(text: str) -> None:
    with pytest.raises(ValueError, match="is no size of the arguments; write len"):
        limit(text)


@pytest.mark.parametrize(
    ("need", "text"),
    [
        ("8*len(x)", "8*n"), ("8*len(x)", "8*n + 16"), ("8*A.shape[0]*A.shape[1]", "8*A.size"), ("0", "8*n"),
        ("8*len(x) + 24", "32*n"), ("8*n*steps", "8*n*steps"), ("8*min(len(x), 100)", "max(800, n)"), ("640", 640),
        ("trips(line 7)*8", "8*n"), ("sum(8*min(i, 3) for i in range(len(x)))", "24*n"),
    ],
)  # fmt: skip
def test_formulas_that_hold(need: str, text: Any) -> None:
    """A count of a `while` is not known beforehand: nothing beside the bytes at the point is compared then."""
    assert limit(text).exceeded_by(need) == ""


@pytest.mark.parametrize(
    ("need", "text", "where"),
    [
        ("16*len(x)", "8*n + 64", "16*len(x) is 1024 and 8*n + 64 is 576 for len(x) = 64"),
        ("8*len(x)", "9*n - 8", "8*len(x) is 8 and 9*n - 8 is 1 for len(x) = 1"),
        ("8*len(x)*steps", "400*n", "for len(x) = 1, steps = 64"),
        ("8*A.shape[0]**2", "8*A.size", "for A.shape[1] = 1, len(A) = 2"),
        ("sum(8*min(i, 3) for i in range(len(x)))", "8*n + 100", "for len(x) = 64"),
    ],
)
def test_formulas_that_do_not_hold(need: str, text: str, where: str) -> None:
    assert where in limit(text).exceeded_by(need)


def energy(x: Any) -> Any:
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[i]
        x[i] = 0.0
    return total


def test_a_check_is_held_to_it() -> None:
    x = np.linspace(0.5, 1.0, 8)
    assert check(energy, x, calls=2, max_workspace="8*n").workspace_bytes == 64
    with pytest.raises(AssertionError, match="for all shapes max_workspace is 70") as failure:
        check(energy, x, calls=2, max_workspace="70 + 0*n")
    assert "  --> " in str(failure.value)
    with pytest.raises(AssertionError, match="workspace=32 allows 32"):
        check(energy, x, calls=2, max_workspace="4*n")
    with pytest.raises(ValueError, match="m is no size of the arguments"):
        check(energy, x, max_workspace="8*m")
