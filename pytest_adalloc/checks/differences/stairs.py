"""Where does a function leave a straight line: bit by bit, or in one place?"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

HALVINGS = 34


def made_in_one_place(along: Callable[[float], float], width: float, slope: float, base: float, least: float) -> bool:
    """Whether what a function differs by from the line with this slope over (0, width) is made in one step.

    The interval in which the difference changes more is halved again and again. A smooth function changes in it less
    and less; a step stays as high as it is, far above `least`, which rounding may make, and what neighbours change.
    """

    def rest(step: float) -> float:
        value = along(step) - base - slope * step
        return value if math.isfinite(value) else 0.0

    far = max((width * s for s in (1.0, -1.0, 0.7, -0.7)), key=lambda step: abs(rest(step)))
    near, there, here = 0.0, rest(far), 0.0
    whole = abs(there)
    for _ in range(HALVINGS):
        middle = 0.5 * (near + far)
        value = rest(middle)
        if abs(value - here) >= abs(there - value):
            far, there = middle, value
        else:
            near, here = middle, value
    gap = far - near
    around = np.abs(np.diff([rest(far + k * gap) for k in range(-4, 6)]))
    return abs(there - here) > max(whole * 2.0**-20, least, 32 * float(np.median(around)))
