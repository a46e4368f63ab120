"""The function under test as one number over the vector of what is differentiated.

A function that returns a number is that number. One that returns nothing and writes into its arguments is the sum of
what it writes. Any other weights on what is written can be asked for: they stand for the cotangents of the outputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_adalloc.checks.inputs.arguments import Moved, Point, Replica, Vector

Weights = Mapping[int, NDArray[Any]]


@dataclass(frozen=True)
class Outcome:
    """What one call gave: its number (None if it returned nothing) and the arrays that it changed, by leaf."""

    value: float | None
    written: dict[int, NDArray[Any]]
    returned: Any = None


@dataclass
class Evaluator:
    """Values of `call` near a point; `trouble` says why the last one that was asked for does not exist."""

    call: Callable[..., Any]
    point: Point
    weights: Weights = field(default_factory=dict)
    seed: float = 1.0
    trouble: str = ""
    calls: int = 0

    def __post_init__(self) -> None:
        self._moved = Moved(self.point)

    def outcome(self) -> Outcome:
        """One call at the point itself. Exceptions of the function come through."""
        __tracebackhide__ = True
        arguments = self._moved.at()
        with np.errstate(all="ignore"):
            returned = self.call(*arguments)
        written = {k: self._moved.replica.array(k).copy() for k in self._moved.written()}
        return Outcome(number(returned), written, returned)

    def at(self, vector: Vector) -> float:
        """The number at a vector; NaN where the function is not defined."""
        return self._value(self._moved.at(vector))

    def along(self, component: int, step: float) -> float:
        """The number after a step along one component."""
        return self._value(self._moved.along(component, step))

    def _value(self, arguments: tuple[Any, ...]) -> float:
        self.calls += 1
        try:
            with np.errstate(all="ignore"):
                value = number(self.call(*arguments))
        except Exception as problem:  # at a sampled point, whatever it is: the function has no value there
            self.trouble = f"{type(problem).__name__}: {problem}"
            return math.nan
        total = self.seed * value if value is not None else 0.0
        for leaf, weight in self.weights.items():
            held = self._moved.replica.array(leaf)
            total += float(np.sum(held.astype(np.float64) * weight))
        if not math.isfinite(total):
            self.trouble = f"the value is {total}"
            return math.nan
        return total


class NotReal(TypeError):
    """A value that is complex, as Python's power gives it of a negative number."""


def number(returned: Any) -> float | None:
    """The result of the function as a number.

    Raises TypeError for anything but a number or None.
    """
    __tracebackhide__ = True
    if returned is None:
        return None
    if not isinstance(returned, (str, bytes)) and np.ndim(returned) == 0:
        try:
            return float(returned)
        except (TypeError, ValueError):
            pass
    if np.iscomplexobj(returned) and np.ndim(returned) == 0:
        raise NotReal(f"the value {returned} is complex")
    raise TypeError(
        f"a gradient needs a function that returns a number, or nothing while it writes into its arguments; "
        f"this one returned a {type(returned).__name__}"
    )


def ones_on_written(point: Point, outcome: Outcome) -> dict[int, NDArray[Any]]:
    """Weight 1 on every floating-point number that was written; memory that two arguments share counts once."""
    taken = Replica(point.pristine())
    written = [k for k in outcome.written if point.leaves[k].floats]
    for k in written:
        taken.array(k)[...] = 0.0
    weights = {}
    for k in written:
        weights[k] = np.where(taken.array(k) == 0.0, 1.0, 0.0)
        taken.array(k)[...] = 1.0
    return weights
