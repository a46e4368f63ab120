"""What is done again after the sweep: the last iteration of a time loop, every one where each writes elsewhere."""

from __future__ import annotations

import re

import numpy as np
import pytest

import adcore as ad
from adcore.transform.diff import redo
from tests.transform.derivative_texts import check_docstring_of_gradient, check_gradient, gradient


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


def test_a_time_loop_by_its_text() -> None:
    check_docstring_of_gradient(redo, gradient)


def test_what_is_only_overwritten_is_not_rolled_back() -> None:
    check_gradient(
        gradient,
        """
        func @f(%x: array<f64,1,C>, %n: i64) -> () {
          for 0, %n [step=1] {
          (%i: i64):
            %v: f64 = load %x, %i
            %w: f64 = mul %v, %v
            store %w, %x, %i
            yield
          }
          return
        }
        """,
        """
        func @f_reverse(%x: array<f64,1,C>, %n: i64, %d_x: array<f64,1,C>) -> () {
          %0: i64 = maximum %n, 0
          %kept_v: array<f64,1,C> = alloc %0 [element='f64', role='stored', zero=False]
          for 0, %n [step=1] {
          (%i: i64):
            %v: f64 = load %x, %i
            store %v, %kept_v, %i
            %w: f64 = mul %v, %v
            store %w, %x, %i
            yield
          }
          for 0, %n [reverse=True, step=1] {
          (%i.1: i64):
            %2: f64 = load %d_x, %i.1
            store 0.0, %d_x, %i.1
            %3: f64 = load %kept_v, %i.1
            %4: f64 = mul %3, %2 [flags='adjoint']
            %5: f64 = add %4, %4 [flags='adjoint']
            accumulate %5, %d_x, %i.1
            yield
          }
          return
        }
        """,
    )
