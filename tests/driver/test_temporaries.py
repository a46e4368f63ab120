"""Arrays that a loop's body makes: filled again where that can be done, kept whole or element by element where not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adcore as ad
from adcore.driver.calls.wrt import Wrt


def filled_from_another(x: Any, a: Any) -> float:
    s = 0.0
    for i in range(len(x)):
        second = np.zeros(len(a))
        first = np.zeros(len(a))
        for k in range(len(a)):
            first[k] = a[k] * x[i]
        for k in range(len(a)):
            second[k] = first[k] * first[k]
        for k in range(len(a)):
            s += second[k] * first[k] * second[k]
    return s


def filled_from_each_other(x: Any, a: Any) -> float:
    s = 0.0
    for i in range(len(x)):
        even = np.zeros(len(a) + 1)
        odd = np.zeros(len(a) + 1)
        even[0] = x[i]
        for k in range(len(a)):
            odd[k] = even[k] * a[k]
            even[k + 1] = odd[k] * x[i]
        for k in range(len(a)):
            s += even[k + 1] * odd[k] * even[k]
    return s


def sums_in_place(x: Any, a: Any) -> float:
    s = 0.0
    for i in range(len(x)):
        total = np.zeros(2)
        for k in range(len(a)):
            total[k % 2] += a[k] * x[i]
        s += total[0] * total[1] * total[0]
    return s


def of_growing_size(x: Any, a: Any) -> float:
    s = 0.0
    for i in range(len(x)):
        t = np.zeros(i + 1)
        for k in range(i + 1):
            t[k] = x[k] * a[k % len(a)]
        for k in range(i + 1):
            s += t[k] * t[i - k] * t[k]
    return s


def overwritten_source(x: Any, a: Any) -> float:
    s = 0.0
    for _ in range(len(a)):
        t = np.zeros(len(x))
        for k in range(len(x)):
            t[k] = x[k] * 0.5
        for k in range(len(x)):
            x[k] = t[k] * t[len(x) - 1 - k]
        s += x[0]
    return s


def decided_by_rounding(x: Any, a: Any) -> float:
    s = 0.0
    for i in range(len(x)):
        t = np.zeros(len(a))
        for k in range(len(a)):
            if np.sin(a[k]) * x[i] > 0.1:
                t[k] = a[k] * x[i]
        for k in range(len(a)):
            s += t[k] * t[k] * t[len(a) - 1 - k]
    return s


def filled_by_a_while(x: Any, a: Any) -> float:
    s = 0.0
    for i in range(len(x)):
        t = np.zeros(2)
        y = 1.0 + a[0] * a[0]
        while y < 3.0:
            y = y * 1.5 + 0.1 * x[i]
        t[0] = y
        t[1] = y * x[i]
        s += t[0] * t[1] * t[0]
    return s


def in_a_while(x: Any, a: Any) -> float:
    s, i = 0.0, 0
    while i < len(x):
        t = np.zeros(len(a))
        for k in range(len(a)):
            t[k] = a[k] * x[i]
        for k in range(len(a)):
            s += t[k] * t[k] * t[len(a) - 1 - k]
        i += 1
    return s


def turned_to_results(x: Any, a: Any) -> float:
    s = 0.0
    for i in range(len(x)):
        e = np.empty(len(a))
        total = 0.0
        for k in range(len(a)):
            e[k] = np.exp(a[k] * x[i])
            total += e[k]
        for k in range(len(a)):
            s += e[k] / total * a[k] * e[k]
        x[i] = total
    return s


PROGRAMS = [
    filled_from_another, filled_from_each_other, sums_in_place, of_growing_size, overwritten_source,
    decided_by_rounding, filled_by_a_while, in_a_while, turned_to_results,
]  # fmt: skip
X, A = np.linspace(0.6, 1.3, 7), np.linspace(-0.8, 1.1, 5)


def kinds(f: Any, workspace: Any = "auto") -> dict[str, str]:
    """What is kept, and how."""
    arguments = [ad.Duplicated(v.copy(), np.zeros_like(v)) for v in (X, A)]
    return {stored.value: stored.kept_as for stored in ad.compile(f, *arguments, workspace=workspace).explain().stored}


@pytest.mark.parametrize("f", PROGRAMS)
def test_the_gradient_is_right(f: Any) -> None:
    wrt: Wrt = (0, 1)
    found = ad.grad(f, wrt)(X.copy(), A.copy())
    for which in range(2):
        for k in range(len((X, A)[which])):
            values = []
            for step in (1e-6, -1e-6):
                at = [X.copy(), A.copy()]
                at[which][k] += step
                values.append(f(*at))
            assert found[which][k] == pytest.approx((values[0] - values[1]) / 2e-6, rel=2e-6, abs=2e-7)


@pytest.mark.parametrize(
    "f", [filled_from_another, filled_from_each_other, sums_in_place, of_growing_size], ids=lambda f: f.__name__
)
def test_what_can_be_filled_again_needs_no_memory(f: Any) -> None:
    assert kinds(f, workspace=0) == {}


def test_a_chain_is_filled_once_whatever_the_order_of_its_arrays() -> None:
    """Were the fill of `first` part of that of `second`, the cut would find it cheaper to keep one."""
    assert kinds(filled_from_another) == {}


def test_an_array_is_kept_whole_where_its_source_is_overwritten() -> None:
    assert kinds(overwritten_source) == {"t": "array"}
    with pytest.raises(ad.WorkspaceError, match="`t` is made in each turn of the loop"):
        kinds(overwritten_source, workspace=0)


def test_rounding_must_not_decide_how_an_array_is_filled_again() -> None:
    assert kinds(decided_by_rounding)["t"] == "array"
    assert kinds(filled_by_a_while)["t"] == "array"


def test_results_that_the_program_put_into_a_kept_array_are_read_from_there() -> None:
    kept = kinds(turned_to_results)
    assert kept["e"] == "array"
    assert "np.exp(a[k] * x[i])" not in kept
