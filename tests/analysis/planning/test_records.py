"""The records behind the text: where a value is kept, what destroys it and when, what it would cost otherwise."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, sin
from typing import Any

import numpy as np
import pytest

import adcore as ad
from adcore.analysis.planning.findings import Stored
from tests.analysis.planning.goldens import annotated, load

X = np.linspace(0.5, 1.5, 8)


def records(function: Callable[..., Any], *arguments: Any) -> tuple[Stored, ...]:
    return ad.compile(function, *annotated(arguments)).explain().stored


def line(function: Callable[..., Any], number: int) -> int:
    """The line of the file on which line `number` of a function stands (its `def` is line 0)."""
    return function.__code__.co_firstlineno + number


def next_turn(x):
    total = 0.0
    for i in range(len(x) - 1):
        total += x[i + 1] * x[i + 1]
        x[i] = 0.0
    return total


def later_turn(x):
    total = 0.0
    for i in range(3, len(x)):
        total += x[i] * x[i]
        x[i - 3] = 0.0
    return total


def same_turn(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[i]
        x[i] = 0.0
    return total


@pytest.mark.parametrize(
    ("function", "when", "passed"),
    [
        (next_turn, "in the next iteration of the loop of line {}", True),
        (later_turn, "in a later iteration of the loop of line {}", True),
        (same_turn, "later in the same iteration", True),
    ],
)
def test_when_a_value_is_destroyed(function: Callable[..., Any], when: str, passed: bool) -> None:
    (record,) = records(function, X.copy())
    (kill,) = record.killed_by
    assert (kill.when, kill.passed) == (when.format(line(function, 2)), passed)
    assert kill.span.line == line(function, 4)
    assert record.overwritten_by == (kill.span,)
    assert f"overwritten by: line {kill.span.line}: {kill.span.text()} ({kill.when})" in str(
        ad.compile(function, *annotated((X.copy(),))).explain()
    )


def layer(w, x):
    total = 0.0
    for i in range(w.shape[0]):
        s = 0.0
        for j in range(w.shape[1]):
            s += w[i, j] * x[j]
        total += exp(s)
    return total


def chain(x):
    y = 1.0
    for i in range(len(x)):
        y = sin(y * x[i])
    return y


def test_where_values_are_kept() -> None:
    def kept(name: str) -> dict[str, str]:
        module = load(name)
        return {r.value: r.kept_as for r in records(module.program, *module.ARGS)}

    assert kept("running_product") == {"product": "store"}
    assert kept("nonlinear_steps") == {"u[i] = new[i]": "log"}
    assert kept("in_registers") == {"x[0]": "register", "x[1]": "register"}
    assert kept("horner") == {"p": "scratch"}
    assert kept("undo_in_branch") == {"x": "copy", "x[i]": "store"}


def test_what_it_would_cost_otherwise() -> None:
    """In additions: an exp for each row, and nothing that brings a carried value back."""
    (computed,) = records(layer, np.full((3, 4), 0.1), X[:4].copy())
    assert computed.why == "dearer"
    assert computed.alternative_cost is not None
    assert computed.alternative_cost > 0
    (carried, *_) = records(chain, X.copy())
    assert carried.why == "carried"
    assert carried.alternative_cost is None
