"""What is done again after the sweep: the last iteration of a time loop, every one where each writes elsewhere."""

from __future__ import annotations

import re

import numpy as np
import pytest

import adcore as ad


def stepped(u, steps):
    for _ in range(steps):
        for i in range(1, len(u) - 1):
            u[i] = u[i] * u[i - 1]
    return u[len(u) - 2]


def downwards(u, steps):
    for _ in range(steps, 0, -1):
        for i in range(len(u) - 2, 0, -1):
            u[i] = u[i] * u[i - 1]
    return u[len(u) - 2]


def window(u, steps):
    for t in range(steps):
        for i in range(3):
            u[t + i] = u[t + i] * u[t + i + 1]
    return u[0]


def beside_a_moving_store(u, steps):
    for t in range(steps):
        for i in range(1, 3):
            u[i] = u[i] * u[i - 1]
        u[t + 1] = u[t + 1] * u[0]
    return u[2]


PROGRAMS = [stepped, downwards, window, beside_a_moving_store]


@pytest.mark.parametrize("f", PROGRAMS)
@pytest.mark.parametrize("steps", [0, 1, 4])
def test_the_result_of_the_program_is_there_after_the_sweep(f, steps) -> None:
    u = np.linspace(0.5, 1.5, 8)
    expected = u.copy()
    value = f(expected, steps)
    handle = ad.compile(f, ad.Duplicated(u, np.zeros(8)), ad.Const(steps), mode=ad.ReverseWithPrimal)
    assert handle(u, np.zeros(8), steps) == (None, value)
    np.testing.assert_array_equal(u, expected)


@pytest.mark.parametrize(("f", "bounds"), [
    (stepped, r"maximum %\d+, %\d+\n  for %\d+, %steps \[step=1\]"),
    (downwards, r"minimum %steps, %\d+\n  for %\d+, %\d+ \[step=-1\]"),
    (window, r"\n  for %\d+, %steps \[step=1\]"),
])  # fmt: skip
def test_only_the_last_iteration_is_done_again_where_each_overwrites_the_same(f, bounds) -> None:
    handle = ad.compile(f, ad.Duplicated(np.ones(8), np.zeros(8)), ad.Const(3))
    sweep = handle.stage("derived").split("reverse=True", 1)[1]
    assert re.search(bounds, sweep), sweep
