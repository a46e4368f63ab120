"""Numbers with their slopes along every component at once.

A jet has the number as the program has it (`s`, which takes every decision), the same in an arithmetic of its own
(`v`), the slopes by each component (`d`, an array, or 0.0 for none), and which components it depends on (`m`, a bit for
each). There is no step size, so nothing cancels and nothing is stepped over.

In the wide arithmetic `v` and `d` are long double: the slopes of the mathematical function, up to what 64 bits of
mantissa lose. In the narrow one they have the program's own types: what rounding does to the program's slopes.

Where compared numbers are equal and move, or a function has no finite slope, the first order does not decide: the
components that this concerns are in `undecided`, and `Germs` tells about them, one direction at a time. `crossed` are
those where wide and narrow numbers decide differently: the point is within rounding of a branch.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from adcore.jets import elementary
from adcore.jets.decisions import EVALUATE, TooMuchWork, holds, scaled, stepped
from adcore.jets.elementary import WIDE

NONE = 0.0
"""The slopes of a number that depends on nothing."""


class Jet:
    """A number with its slopes."""

    __slots__ = ("d", "m", "s", "v")

    def __init__(self, s: Any, v: Any, d: Any, m: int) -> None:
        self.s, self.v, self.d, self.m = s, v, d, m


class Jets:
    """The arithmetic for `count` components; `wide` or in the program's own types. `budget`: instructions to run."""

    def __init__(self, count: int, *, wide: bool, budget: float = math.inf) -> None:
        self.count, self.wide, self.budget = count, wide, budget
        self.undecided = self.crossed = 0

    def tick(self, instructions: int) -> None:
        self.budget -= instructions
        if self.budget < 0:
            raise TooMuchWork

    # Numbers

    def const(self, s: Any) -> Jet:
        return Jet(s, WIDE(s) if self.wide else s, NONE, 0)

    def variable(self, s: Any, component: int) -> Jet:
        """A number that is component number `component`."""
        kind = WIDE if self.wide else type(s)
        unit: Any = kind(1)
        if self.count > 1:
            unit = np.zeros(self.count, kind)
            unit[component] = 1
        return Jet(s, WIDE(s) if self.wide else s, unit, 1 << component)

    def alloc(self, shape: tuple[int, ...], element: str) -> Any:
        return np.full(shape, self.const(np.float32(0) if element == "f32" else 0.0), object)

    def narrow(self, a: Jet, type_: str) -> Jet:
        kind = np.float32 if type_ == "f32" else float
        if self.wide:
            return Jet(kind(a.s), a.v, a.d, a.m)
        slopes = a.d.astype(kind) if isinstance(a.d, np.ndarray) else kind(a.d)
        return Jet(kind(a.s), kind(a.v), slopes, a.m)

    # Ring operations

    def add_(self, a: Jet, b: Jet) -> Jet:
        s = a.s + b.s
        return Jet(s, a.v + b.v if self.wide else s, a.d + b.d, a.m | b.m)

    def sub_(self, a: Jet, b: Jet) -> Jet:
        s = a.s - b.s
        return Jet(s, a.v - b.v if self.wide else s, a.d - b.d, a.m | b.m)

    def neg_(self, a: Jet) -> Jet:
        return Jet(-a.s, -a.v, -a.d, a.m)

    def mul_(self, a: Jet, b: Jet) -> Jet:
        s = a.s * b.s
        if not b.m:
            d = a.d * b.v if a.m else NONE
        elif not a.m:
            d = b.d * a.v
        else:
            d = a.d * b.v + b.d * a.v
        return Jet(s, a.v * b.v if self.wide else s, d, a.m | b.m)

    def div_(self, a: Jet, b: Jet) -> Jet:
        if b.s == 0 or b.v == 0:
            return self._singular(EVALUATE["div"](a.s, b.s), a.m | b.m)
        s = a.s / b.s
        r = a.v / b.v if self.wide else s
        m = a.m | b.m
        if b.m and overflown(b) and elementary.finite(a.v):
            return Jet(s, r, self._flat(r), m)
        return Jet(s, r, ((a.d - r * b.d) / b.v if b.m else a.d / b.v) if m else NONE, m)

    def _flat(self, like: Any) -> Any:
        """The slopes of what has reached its limit: 1 / (1 + exp(-x)) where exp(-x) is more than numbers can hold."""
        return np.zeros(self.count, type(like)) if self.count > 1 else type(like)(0)

    def _singular(self, s: Any, m: int) -> Jet:
        """A number without finite slopes."""
        self.undecided |= m
        kind = WIDE if self.wide else type(s)
        if not m or self.count == 1:
            return Jet(s, kind(s), kind(math.nan) if m else NONE, m)
        d = np.zeros(self.count, kind)
        d[[k for k in range(self.count) if m >> k & 1]] = math.nan
        return Jet(s, kind(s), d, m)

    # Decisions

    def _order(self, a: Jet, b: Jet) -> int:
        """-1, 0 or 1: how the program finds that a compares with b."""
        narrow = 1 if a.s > b.s else -1 if a.s < b.s else 0
        if a is not b and (a.m or b.m) and self.wide:
            wide = 1 if a.v > b.v else -1 if a.v < b.v else 0
            if wide != narrow:
                self.crossed |= a.m | b.m
            elif narrow == 0:
                self.undecided |= a.m | b.m
        return narrow

    def compare(self, op: str, a: Jet, b: Jet) -> bool:
        if a.s != a.s or b.s != b.s:
            return op == "ne"
        return holds(op, self._order(a, b))

    def maximum_(self, a: Jet, b: Jet) -> Jet:
        return a if a.s != a.s or (b.s == b.s and self._order(a, b) >= 0) else b

    def minimum_(self, a: Jet, b: Jet) -> Jet:
        return a if a.s != a.s or (b.s == b.s and self._order(a, b) <= 0) else b

    def _zero_of(self, a: Jet) -> Jet:
        return self.const(type(a.s)(0))

    def abs_(self, a: Jet) -> Jet:
        return self.neg_(a) if self._order(a, self._zero_of(a)) < 0 else a

    def sign_(self, a: Jet) -> Jet:
        return self.const(type(a.s)(self._order(a, self._zero_of(a)) if a.s == a.s else math.nan))

    def copysign_(self, a: Jet, b: Jet) -> Jet:
        self._order(b, self._zero_of(b))
        s = EVALUATE["copysign"](a.s, b.s)
        return self.neg_(a) if math.copysign(1.0, s) != math.copysign(1.0, a.s) else a

    def step(self, op: str, a: Jet, places: int | None = None) -> Jet:
        """Rounding to whole numbers, or to decimal places: flat, but for where it jumps."""
        halves = op == "rint" or places is not None
        self._jumps(2 * scaled(a.v, places or 0) if halves else a.v, a.m, odd=halves)
        s = type(a.s)(stepped(op, a.s, places))
        if self.wide and a.m and stepped(op, a.v, places) != s:
            self.crossed |= a.m
        return self.const(s)

    def integer(self, a: Jet, type_: str) -> Any:
        self._jumps(a.v, a.m)
        return EVALUATE["cast"](a.s, type=type_)

    def _jumps(self, at: Any, m: int, odd: bool = False) -> None:
        if m and elementary.finite(at) and at == np.floor(at) and (not odd or np.floor(at) % 2):
            self.undecided |= m

    # Everything else

    def unary(self, op: str, a: Jet, order: int | None = None) -> Jet:
        if not elementary.known(op):
            raise NotImplementedError(op)
        s = type(a.s)(EVALUATE[op](a.s) if order is None else EVALUATE[op](a.s, order=order))
        if not a.m:
            return Jet(s, elementary.value(op, a.v, order) if self.wide else s, NONE, 0)
        x = a.v if self.wide or not isinstance(a.v, float) else np.float64(a.v)
        y = elementary.value(op, x, order)
        if overflown(a) and elementary.finite(y):
            return Jet(s, y if self.wide else s, self._flat(y), a.m)
        slope = elementary.slope(op, x, y, order)
        if op in elementary.GROWING and elementary.finite(x) and not elementary.finite(slope):
            grown = np.where(np.equal(a.d, 0), 0, np.copysign(slope, a.d))  # in its sign, for what it is divided by
            return Jet(s, y if self.wide else s, grown if self.count > 1 else grown[()], a.m)
        if not elementary.finite(slope):
            return self._singular(s, a.m)
        return Jet(s, y if self.wide else s, a.d * slope, a.m)

    def pow_(self, a: Jet, b: Jet) -> Jet:
        s = type(a.s)(EVALUATE["pow"](a.s, b.s))
        m = a.m | b.m
        x, y = (WIDE(a.v), WIDE(b.v)) if self.wide else (type(s)(a.v), type(s)(b.v))
        r = np.power(x, y)
        if not m:
            return Jet(s, r if self.wide else s, NONE, 0)
        whole = not b.m and y == np.floor(y)
        if not elementary.finite(r) or (a.v <= 0 and not whole):
            return self._singular(s, m)
        if b.m:
            d = r * (b.d * np.log(x) + a.d * (y / x))
        elif y == 0:
            return Jet(s, r if self.wide else s, NONE, 0)
        else:
            d = a.d * (y * np.power(x, y - 1))
        return Jet(s, r if self.wide else s, d, m)

    def _linear(self, s: Any, v: Any, a: Jet, by_a: Any, b: Jet, by_b: Any) -> Jet:
        d = (a.d * by_a if a.m else NONE) + (b.d * by_b if b.m else NONE)
        return Jet(s, v if self.wide else s, d, a.m | b.m)

    def _pair(self, a: Jet, b: Jet) -> tuple[Any, Any]:
        return (WIDE(a.v), WIDE(b.v)) if self.wide else (np.float64(a.v), np.float64(b.v))

    def atan2_(self, y: Jet, x: Jet) -> Jet:
        s = type(y.s)(EVALUATE["atan2"](y.s, x.s))
        above, right = self._pair(y, x)
        square = right * right + above * above
        if above == 0 and right <= 0:
            return self._singular(s, y.m | x.m)
        return self._linear(s, np.arctan2(above, right), y, right / square, x, -above / square)

    def hypot_(self, x: Jet, y: Jet) -> Jet:
        s = type(x.s)(EVALUATE["hypot"](x.s, y.s))
        right, above = self._pair(x, y)
        r = np.hypot(right, above)
        if r == 0:
            return self._singular(s, x.m | y.m)
        return self._linear(s, r, x, right / r, y, above / r)

    def logaddexp_(self, x: Jet, y: Jet) -> Jet:
        s = type(x.s)(EVALUATE["logaddexp"](x.s, y.s))
        one, other = self._pair(x, y)
        r = np.logaddexp(one, other)
        if not elementary.finite(r):
            return self._singular(s, x.m | y.m)
        return self._linear(s, r, x, np.exp(one - r), y, np.exp(other - r))

    def mod_(self, a: Jet, b: Jet) -> Jet:
        return self._remainder("mod", a, b)

    def fmod_(self, a: Jet, b: Jet) -> Jet:
        return self._remainder("fmod", a, b)

    def _remainder(self, op: str, a: Jet, b: Jet) -> Jet:
        s = type(a.s)(EVALUATE[op](a.s, b.s))
        if not elementary.finite(s):
            return self._singular(s, a.m | b.m)
        quotient = round((float(a.s) - float(s)) / float(b.s))
        if a.v == quotient * b.v:
            self.undecided |= a.m | b.m
        return self._linear(s, a.v - quotient * b.v, a, 1, b, -quotient)

    def floordiv_(self, a: Jet, b: Jet) -> Jet:
        s = type(a.s)(EVALUATE["floordiv"](a.s, b.s))
        if elementary.finite(s) and a.v == s * b.v:
            self.undecided |= a.m | b.m
        return self.const(s)

    def attach_(self, a: Jet, b: Jet) -> Jet:
        """The number of the one with the slopes of the other, which equals it up to rounding."""
        return Jet(a.s, b.v if self.wide else a.s, b.d, b.m)


def overflown(a: Jet) -> bool:
    """Whether a number is infinite because it grew, not because it has a pole there: its slopes have grown as well."""
    return bool(np.isinf(a.v)) and not np.any(np.isnan(a.d))


__all__ = ["Jet", "Jets", "overflown"]
