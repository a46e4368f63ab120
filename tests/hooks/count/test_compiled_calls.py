"""Compiled gradients are driven by the native loop, as handles with arguments and as bound calls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adcore as ad
from pytest_adalloc.hooks import AllocationForbidden, forbid, measure


def energy(x: Any, k: float) -> Any:
    total = 0.0
    for i in range(len(x)):
        total += k * x[i] * x[i]
    return total


def squarings(x: float, n: int) -> Any:
    total = x
    for _ in range(n):
        total = total * total + 1.0
    return total


@pytest.fixture
def arguments() -> tuple[Any, ...]:
    return ad.Duplicated(np.linspace(1.0, 2.0, 8), np.zeros(8)), ad.Const(2.0)


def test_a_handle(arguments: tuple[Any, ...]) -> None:
    handle = ad.compile(energy, *arguments)
    report = measure(handle, *arguments, calls=10)
    assert (report.driven, report.pattern) == ("native", "none")
    # A call before the count, the counted ones, and what the witnesses watch once more: each adds to the shadow.
    added = arguments[0].shadow / (4.0 * np.linspace(1.0, 2.0, 8))
    assert np.allclose(added, added[0])
    assert added[0] >= 11


def test_a_bound_call(arguments: tuple[Any, ...]) -> None:
    bound = ad.compile(energy, *arguments).bind(*arguments)
    report = measure(bound, calls=10)
    assert (report.driven, report.pattern) == ("native", "none")
    with pytest.raises(TypeError, match="takes no arguments"):
        measure(bound, 1.0)


def test_one_that_allocates() -> None:
    handle = ad.compile(squarings, ad.Active(0.5), ad.Const(4), mode=ad.Reverse, workspace="heap")
    for report in (measure(handle, 0.5, 4, calls=6), measure(handle.bind(), calls=6)):
        assert report.driven == "native"
        assert report.allocs_per_call == (1,) * 6
        assert report.frees == 6


def test_a_fault_of_the_program_is_raised() -> None:
    def picks(x: Any, i: int) -> Any:
        return x[i] * x[i]

    x = np.ones(3)
    handle = ad.compile(picks, ad.Duplicated(x, np.zeros(3)), ad.Const(1))
    with pytest.raises(IndexError):
        measure(handle, ad.Duplicated(x, np.zeros(3)), ad.Const(7), calls=3)


def test_other_callables_of_the_compiler_are_called_from_python() -> None:
    assert measure(ad.grad(energy), np.ones(4), 2.0, calls=3).driven == "python"


def test_a_block_forbids_arrays_as_well_unless_told_otherwise() -> None:
    np.empty(100)  # NumPy keeps the block, and hands it out again
    with pytest.raises(AllocationForbidden, match="asked for the data of 1 arrays; 0 allowed"), forbid():
        np.empty(100)
    with forbid(max_numpy=1), forbid(max_numpy=1):
        np.empty(100)


def test_a_number_as_an_operand_is_no_array_unless_asked() -> None:
    x = np.ones(100)
    np.multiply(x, 2.0, out=x)
    with forbid():
        np.multiply(x, 2.0, out=x)
    with pytest.raises(AllocationForbidden, match="0 allowed"), forbid(max_numpy=0):
        np.multiply(x, 2.0, out=x)
