"""One call: its leaves, which of them are differentiated, and the order of parameters and results of derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adcore as ad
from adcore.driver.calls.call import Call
from adcore.driver.calls.sweeps import pullback, pushforward, tangent_leaves
from adcore.driver.request import Options


def mixed(x, k, n, y):
    total = 0.0
    for i in range(n):
        total += k * x[i] * y[i]
        y[i] = 0.0
    return total, n, k * k


def call(chosen: Any = (0, 1, 3)) -> Call:
    arguments = [np.array([1.0, 2.0]), 3.0, 2, np.array([4.0, 5.0])]
    return Call(mixed, ["x", "k", "n", "y"], arguments, Options(), chosen)


def test_kinds_follow_from_what_is_chosen_and_what_has_a_derivative() -> None:
    assert call().kinds == ("duplicated", "active", "const", "duplicated")
    assert (call().varied, call().duplicated) == ([0, 1, 3], [0, 3])
    assert call((1, 2)).kinds == ("const", "active", "const", "const")
    assert call(None).kinds == ("const",) * 4


def test_memory_that_is_written_and_shared_is_differentiated_together() -> None:
    x = np.array([1.0, 2.0, 3.0])
    shared = Call(mixed, ["x", "k", "n", "y"], [x[:2], 3.0, 2, x[1:]], Options(), [0])
    assert shared.groups == ((0, 3),)
    assert shared.kinds == ("duplicated", "const", "const", "duplicated")
    assert shared.primal is not shared.base
    a, _, _, b = shared.shadows()
    assert np.shares_memory(a, b)


def test_copies_are_made_of_what_is_written_only() -> None:
    made = call()
    x, _, _, y = made.copies()
    assert x is made.values[0]
    assert y is not made.values[3]
    assert made.paths == ["x", "k", "n", "y"]


def test_results_of_reverse_mode() -> None:
    results, adjoints = pullback(call(), [1.0, None, 10.0])
    assert results == [42.0, 2, 9.0]
    assert adjoints[0].tolist() == [12.0, 15.0]
    assert adjoints[1] == 14.0 + 60.0
    assert adjoints[2] is None
    assert adjoints[3].tolist() == [3.0, 6.0]


def test_results_of_forward_mode() -> None:
    made = call()
    results, tangents = pushforward(made, tangent_leaves(made, [[1.0, 0.0], 1, None]))
    assert results == [42.0, 2, 9.0]
    assert tangents == [26.0, None, 6.0]
    assert made.tangents([0.0, 0, 0.0, 1.0, 2.0, 3.0, 4.0], lane=1, lanes=2) == [2.0, None, 4.0]


def test_a_call_has_to_fit_code_that_is_given() -> None:
    base = call().base
    with pytest.raises(ad.ArgumentError, match="`k` was compiled as a Python f64, and this call has a Python i64"):
        Call(mixed, ["x", "k", "n", "y"], [np.ones(2), 3, 2, np.ones(2)], Options(), expected=base)
