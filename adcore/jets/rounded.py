"""Jets in the program's own types whose slopes are rounded at random: how far rounding moves slopes that cancel.

A gradient adds up the same terms in another order, and by other formulas of the same worth. Where they cancel, one
order may be exact by luck and another off by the rounding of the terms, so one evaluation says nothing of the others.
Here every product comes out a rounding too large, too small or as it is: terms that cancel leave what they are worth.
"""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np

from adcore.jets.first_order import Jet, Jets

SINGLE = (1 - 2.0**-23, 1.0, 1 + 2.0**-23)
DOUBLE = (1 - 2.0**-52, 1.0, 1 + 2.0**-52)


class RoundedJets(Jets):
    """`Jets` that are not wide; the same `seed` rounds in the same way."""

    def __init__(self, count: int, *, seed: int, budget: float = math.inf) -> None:
        super().__init__(count, wide=False, budget=budget)
        self._choice = random.Random(seed).choice

    def _nudged(self, a: Jet) -> Jet:
        if not a.m:
            return a
        single = isinstance(a.s, np.float32)
        factor = self._choice(SINGLE if single else DOUBLE)
        return Jet(a.s, a.v, a.d * (np.float32(factor) if single else factor), a.m)

    def mul_(self, a: Jet, b: Jet) -> Jet:
        return self._nudged(super().mul_(a, b))

    def div_(self, a: Jet, b: Jet) -> Jet:
        return self._nudged(super().div_(a, b))

    def unary(self, op: str, a: Jet, order: int | None = None) -> Jet:
        return self._nudged(super().unary(op, a, order))

    def pow_(self, a: Jet, b: Jet) -> Jet:
        return self._nudged(super().pow_(a, b))

    def _linear(self, s: Any, v: Any, a: Jet, by_a: Any, b: Jet, by_b: Any) -> Jet:
        return self._nudged(super()._linear(s, v, a, by_a, b, by_b))


__all__ = ["RoundedJets"]
