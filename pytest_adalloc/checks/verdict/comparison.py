"""What a comparison of a gradient with a reference says, whatever the reference is made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from pytest_adalloc.checks.inputs.arguments import Point
from pytest_adalloc.checks.verdict.grad_report import Verdict, Worst

SMOOTH, KINK, JUMP, CUSP, EDGE, UNDEFINED = "smooth", "kink", "jump", "cusp", "edge", "undefined"
"""What kind of point it is."""

GRAVEST_FIRST: tuple[Verdict, ...] = (
    "gradient wrong",
    "finite differences unreliable here",
    "kink",
    "edge of the domain",
    "passed",
)

MOST_DIGITS = 16
"""More digits than a float64 has are not told."""


@dataclass(frozen=True)
class Comparison:
    """The verdict on a gradient, and where it is decided: `component` of the vector, -1 for a random direction.

    `error` is how far `expected` may be off. `digits`: to how many decimal digits the gradient agrees at least,
    `leaves`: how many the rounding of the program leaves; None where nothing can be said. `drowned` are components that
    rounding hides, `why` says why a verdict is no better. `exact`: the reference knows no step. `places`: where the
    component enters.
    """

    verdict: Verdict
    max_error: float
    component: int
    expected: float
    got: float
    error: float
    left: float
    right: float
    kind: str
    how: str
    noise: float
    trouble: str = ""
    digits: int | None = None
    leaves: int | None = None
    drowned: tuple[int, ...] = ()
    why: str = ""
    exact: bool = False
    places: tuple[Any, ...] = ()

    def worst(self, point: Point) -> Worst | None:
        """The decisive component in the user's terms."""
        if self.component < 0:
            return None
        argument, index = point.place(self.component)
        return Worst(argument, index, self.expected, self.got)


def digits_of(relative: float) -> int:
    """Decimal digits to which numbers agree that differ by so much, relatively."""
    if not relative < 1:
        return 0
    return MOST_DIGITS if relative <= 10.0**-MOST_DIGITS else math.floor(-math.log10(relative))
