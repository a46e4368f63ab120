"""One-sided slopes where the first order does not decide: numbers an infinitesimal step beside the point.

A germ is what a number becomes after a step t > 0 along a direction, for t towards 0: a sum of powers of t with
rational exponents, smallest first. (These are truncated elements of the Levi-Civita field; Shamseddine and Berz,
Analysis on the Levi-Civita field, 2010.) Whatever is compared is decided by the first power in which the two differ,
so |x| is x on the one side and -x on the other, max(x, 0)**2 has slope 0 on both, sqrt(x*x + y*y) at 0 has slopes -1
and 1, and sqrt(x) has none: its first power is t^(1/2).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from adcore.jets import elementary, taylor
from adcore.jets.decisions import EVALUATE, TooMuchWork, holds, scaled, stepped
from adcore.jets.elementary import WIDE

ORDER = 4
"""Powers above are dropped: a number in which nothing is left is taken for one that does not move."""

MOST_TERMS = 24
LOST = WIDE(2.0 ** -(elementary.DIGITS_OF_WIDE - 6))
"""A sum that is so much smaller than its parts is rounding and nothing else."""


class Germ:
    """A number beside the point: `s` as the program has it, and its powers by exponent; that of 0 is always there."""

    __slots__ = ("s", "terms")

    def __init__(self, s: Any, terms: Mapping[Fraction, Any]) -> None:
        self.s, self.terms = s, terms

    @property
    def start(self) -> Any:
        """The number at the point, wide."""
        return self.terms[Fraction(0)]

    @property
    def moves(self) -> bool:
        return len(self.terms) > 1

    def leading(self) -> tuple[Fraction, Any] | None:
        """The first power that is not 0."""
        for exponent in sorted(self.terms):
            if self.terms[exponent] != 0:
                return exponent, self.terms[exponent]
        return None


def _kept(terms: Mapping[Fraction, Any]) -> dict[Fraction, Any]:
    alive = sorted(e for e, c in terms.items() if c != 0 and 0 < e <= ORDER)[:MOST_TERMS]
    return {Fraction(0): terms.get(Fraction(0), WIDE(0)), **{e: terms[e] for e in alive}}


class Germs:
    """The arithmetic of germs. `crossed` is set where wide and narrow numbers decide differently."""

    def __init__(self, budget: float = math.inf) -> None:
        self.budget, self.crossed = budget, 0

    def tick(self, instructions: int) -> None:
        self.budget -= instructions
        if self.budget < 0:
            raise TooMuchWork

    # Numbers

    def const(self, s: Any) -> Germ:
        return Germ(s, {Fraction(0): WIDE(s)})

    def variable(self, s: Any, speed: float) -> Germ:
        """A number that moves by `speed` t."""
        return Germ(s, _kept({Fraction(0): WIDE(s), Fraction(1): WIDE(speed)}))

    def alloc(self, shape: tuple[int, ...], element: str) -> Any:
        return np.full(shape, self.const(np.float32(0) if element == "f32" else 0.0), object)

    def narrow(self, a: Germ, type_: str) -> Germ:
        return Germ((np.float32 if type_ == "f32" else float)(a.s), a.terms)

    # Ring operations

    def add_(self, a: Germ, b: Germ) -> Germ:
        return self._sum(a.s + b.s, a, b, 1)

    def sub_(self, a: Germ, b: Germ) -> Germ:
        return self._sum(a.s - b.s, a, b, -1)

    def _sum(self, s: Any, a: Germ, b: Germ, sign: int) -> Germ:
        terms = dict(a.terms)
        for exponent, c in b.terms.items():
            known = terms.get(exponent, WIDE(0))
            total = known + sign * c
            lost = exponent != 0 and abs(total) <= LOST * (abs(known) + abs(c))
            terms[exponent] = WIDE(0) if lost else total
        return Germ(s, _kept(terms))

    def neg_(self, a: Germ) -> Germ:
        return Germ(-a.s, {e: -c for e, c in a.terms.items()})

    def mul_(self, a: Germ, b: Germ) -> Germ:
        return self._product(a.s * b.s, a, b)

    def _product(self, s: Any, a: Germ, b: Germ) -> Germ:
        if not a.moves and not b.moves:
            return Germ(s, {Fraction(0): a.start * b.start})
        terms: dict[Fraction, Any] = {}
        for one, c in a.terms.items():
            for other, d in b.terms.items():
                if one + other <= ORDER:
                    terms[one + other] = terms.get(one + other, WIDE(0)) + c * d
        return Germ(s, _kept(terms))

    def div_(self, a: Germ, b: Germ) -> Germ:
        s = EVALUATE["div"](a.s, b.s)
        if b.start == 0:
            return self._lost(s)
        if not b.moves and np.isinf(b.start):
            return Germ(s, {Fraction(0): a.start / b.start})
        return self._product(s, a, self._power(b.s, b, WIDE(-1)))

    def _lost(self, s: Any) -> Germ:
        """A number that is infinite or undefined at the point, or on this side of it. It may still be discarded."""
        return Germ(s, {Fraction(0): WIDE(math.nan)})

    # Decisions

    def _order(self, a: Germ, b: Germ) -> int:
        narrow = 1 if a.s > b.s else -1 if a.s < b.s else 0
        if narrow == 0 and (a.moves or b.moves):
            first = self._sum(0.0, a, b, -1).leading()
            if first is not None and first[0] == 0:
                self.crossed = 1
            elif first is not None:
                return 1 if first[1] > 0 else -1
        return narrow

    def compare(self, op: str, a: Germ, b: Germ) -> bool:
        if a.s != a.s or b.s != b.s:
            return op == "ne"
        return holds(op, self._order(a, b))

    def maximum_(self, a: Germ, b: Germ) -> Germ:
        return a if a.s != a.s or (b.s == b.s and self._order(a, b) >= 0) else b

    def minimum_(self, a: Germ, b: Germ) -> Germ:
        return a if a.s != a.s or (b.s == b.s and self._order(a, b) <= 0) else b

    def _sign(self, a: Germ) -> int:
        return self._order(a, self.const(type(a.s)(0)))

    def abs_(self, a: Germ) -> Germ:
        return self.neg_(a) if self._sign(a) < 0 else Germ(abs(a.s), a.terms)

    def sign_(self, a: Germ) -> Germ:
        return self.const(type(a.s)(self._sign(a) if a.s == a.s else math.nan))

    def copysign_(self, a: Germ, b: Germ) -> Germ:
        sign = self._sign(b) or (1 if math.copysign(1.0, b.s) > 0 else -1)
        size = self.abs_(a)
        return size if sign > 0 else self.neg_(size)

    def step(self, op: str, a: Germ, places: int | None = None) -> Germ:
        """Rounding to whole numbers, or to decimal places: at a jump, to the number of this side."""
        return self.const(type(a.s)(self._stepped(op, a, places)))

    def integer(self, a: Germ, type_: str) -> Any:
        return EVALUATE["cast"](self._stepped("trunc", a) if type_ != "bool" else a.s, type=type_)

    def _stepped(self, op: str, a: Germ, places: int | None = None) -> float:
        found = float(stepped(op, a.s, places))
        halves = op == "rint" or places is not None
        at = 2 * scaled(a.start, places or 0) if halves else a.start
        if not a.moves or not elementary.finite(at) or at != np.floor(at) or float(a.s) != float(a.start):
            return found
        # An instant beside a whole number (where halves decide: a half): half a unit is far enough to see which side.
        side = scaled(0.25 if self._beside(a) > 0 else -0.25, -(places or 0))
        return float(stepped(op, np.float64(a.s) + side, places))

    def _beside(self, a: Germ) -> Any:
        """The first coefficient of what moves."""
        return a.terms[min(e for e in a.terms if e > 0)]

    # Everything else

    def unary(self, op: str, a: Germ, order: int | None = None) -> Germ:
        s = type(a.s)(EVALUATE[op](a.s) if order is None else EVALUATE[op](a.s, order=order))
        if not a.moves:
            return Germ(s, {Fraction(0): elementary.value(op, a.start, order)})
        if op in ("sqrt", "cbrt"):
            return self._root(op, s, a)
        if op in ("asin", "acos", "acosh") and abs(a.start) == 1:
            return self._at_the_end(op, s, a)
        if op in ("log", "log1p", "log2", "log10") and a.start == (-1 if op == "log1p" else 0):
            if self._beside(a) < 0:
                return self._lost(s)
            return self._lost(s)
        found = taylor.coefficients(op, a.start, self._count(a), order)
        if op in elementary.GROWING and elementary.finite(a.start) and not taylor.finite(found):
            return Germ(s, {Fraction(0): np.copysign(WIDE(math.inf), found[0])})
        return self._series(s, a, found) if taylor.finite(found) else self._lost(s)

    def _count(self, a: Germ) -> int:
        """So many coefficients matter for what moves in a."""
        return int(ORDER / min(e for e in a.terms if e > 0)) + 1

    def _series(self, s: Any, a: Germ, coefficients: taylor.Coefficients) -> Germ:
        """A Taylor series of what moves in a, by Horner's rule."""
        moved = Germ(0.0, {**a.terms, Fraction(0): WIDE(0)})
        total = Germ(0.0, {Fraction(0): coefficients[-1]})
        for c in reversed(coefficients[:-1]):
            total = self._sum(0.0, self._product(0.0, total, moved), Germ(0.0, {Fraction(0): c}), 1)
        return Germ(s, total.terms)

    def _root(self, op: str, s: Any, a: Germ) -> Germ:
        first = a.leading()
        if first is not None and first[1] < 0:
            if op == "sqrt":
                return self._lost(s)
            return self.neg_(self._power(-s, self.neg_(a), WIDE(1) / 3, Fraction(1, 3)))
        return self._power(s, a, WIDE(1) / (2 if op == "sqrt" else 3), Fraction(1, 2 if op == "sqrt" else 3))

    def _power(self, s: Any, a: Germ, exponent: Any, exact: Fraction | None = None) -> Germ:
        """A germ with a positive leading coefficient (or any, for a whole exponent) to a constant power."""
        first = a.leading()
        if first is None:
            return Germ(s, {Fraction(0): np.power(WIDE(0), exponent)})
        start, scale = first
        rest = Germ(0.0, _kept({e - start: c / scale for e, c in a.terms.items() if e >= start}))
        grown = (
            self._series(0.0, rest, taylor.power([WIDE(1), WIDE(1)], exponent, self._count(rest)))
            if rest.moves
            else rest
        )
        shift = start * (exact if exact is not None else Fraction(float(exponent)).limit_denominator(10**6))
        if shift < 0:
            return self._lost(s)
        factor = np.power(scale, exponent)
        return Germ(s, _kept({e + shift: c * factor for e, c in grown.terms.items()}))

    def _at_the_end(self, op: str, s: Any, a: Germ) -> Germ:
        """asin, acos and acosh where their slopes are infinite, by half-angle formulas."""
        one = self.const(1.0)
        inner = self._sum(0.0, one, a, -1) if a.start > 0 and op != "acosh" else self._sum(0.0, a, one, -1)
        if a.start < 0:
            inner = self._sum(0.0, one, a, 1)
        first = inner.leading()
        if first is None or first[1] < 0 or (op == "acosh" and a.start < 0):
            return self._lost(s)
        half = self._root("sqrt", 0.0, self._product(0.0, inner, self.const(0.5)))
        angle = self._product(0.0, self.unary("asinh" if op == "acosh" else "asin", half), self.const(2.0))
        right = np.arccos(WIDE(0))
        if op == "acosh" or (op == "acos" and a.start > 0):
            return Germ(s, angle.terms)
        start, sign = (2 * right, -1) if op == "acos" else (right * a.start, -int(a.start))
        return Germ(s, self._sum(0.0, Germ(0.0, {Fraction(0): start}), angle, sign).terms)

    def pow_(self, a: Germ, b: Germ) -> Germ:
        s = type(a.s)(EVALUATE["pow"](a.s, b.s))
        if not a.moves and not b.moves:
            return Germ(s, {Fraction(0): np.power(a.start, b.start)})
        first = a.leading()
        if b.moves:
            if first is None or first[1] < 0:
                return self._lost(s)
            if first[0] > 0:
                return self._lost(s)
            return Germ(s, self.unary("exp", self._product(0.0, b, self.unary("log", Germ(a.s, a.terms)))).terms)
        exponent = b.start
        if exponent == np.floor(exponent) and 0 <= exponent <= ORDER:
            total = self.const(1.0)
            for _ in range(int(exponent)):
                total = self._product(0.0, total, a)
            return Germ(s, total.terms)
        if first is not None and first[1] < 0 and exponent != np.floor(exponent):
            return self._lost(s)
        if first is None and exponent < 0:
            return self._lost(s)
        return self._power(s, a, exponent)

    def atan2_(self, y: Germ, x: Germ) -> Germ:
        s = type(y.s)(EVALUATE["atan2"](y.s, x.s))
        up, right = y.leading(), x.leading()
        if up is None and right is None:
            return self.const(s)
        # The direction in which the pair lies, and how far it turns from there.
        first = min(e for e, _ in filter(None, (up, right)))
        at_y, at_x = (g.terms.get(first, WIDE(0)) for g in (y, x))
        start = np.arctan2(at_y if at_y != 0 or up is None or up[1] > 0 else WIDE(-0.0), at_x)
        ahead, aside = Germ(0.0, {Fraction(0): at_x}), Germ(0.0, {Fraction(0): at_y})
        y, x = (Germ(0.0, _kept({e - first: c for e, c in g.terms.items() if e >= first})) for g in (y, x))
        turned = self._sum(0.0, self._product(0.0, ahead, y), self._product(0.0, aside, x), -1)
        along = self._sum(0.0, self._product(0.0, ahead, x), self._product(0.0, aside, y), 1)
        angle = self.unary("atan", self._product(0.0, turned, self._power(0.0, along, WIDE(-1))))
        return Germ(s, self._sum(0.0, Germ(0.0, {Fraction(0): start}), angle, 1).terms)

    def hypot_(self, x: Germ, y: Germ) -> Germ:
        s = type(x.s)(EVALUATE["hypot"](x.s, y.s))
        total = self._sum(0.0, self._product(0.0, x, x), self._product(0.0, y, y), 1)
        return self._root("sqrt", s, total) if total.moves else Germ(s, {Fraction(0): np.sqrt(total.start)})

    def logaddexp_(self, x: Germ, y: Germ) -> Germ:
        s = type(x.s)(EVALUATE["logaddexp"](x.s, y.s))
        top = Germ(0.0, {Fraction(0): max(x.start, y.start)})
        one, other = (self.unary("exp", self._sum(0.0, g, top, -1)) for g in (x, y))
        return Germ(s, self._sum(0.0, self.unary("log", self._sum(0.0, one, other, 1)), top, 1).terms)

    def mod_(self, a: Germ, b: Germ) -> Germ:
        return self._remainder("mod", a, b)

    def fmod_(self, a: Germ, b: Germ) -> Germ:
        return self._remainder("fmod", a, b)

    def _remainder(self, op: str, a: Germ, b: Germ) -> Germ:
        s = type(a.s)(EVALUATE[op](a.s, b.s))
        if not elementary.finite(s):
            return self._lost(s)
        quotient = self._quotient("floor" if op == "mod" else "trunc", a, b, (float(a.s) - float(s)) / float(b.s))
        rest = self._sum(0.0, a, self._product(0.0, self.const(quotient), b), -1)
        return Germ(type(a.s)(rest.start) if rest.start != 0 else s, rest.terms)

    def _quotient(self, op: str, a: Germ, b: Germ, usual: float) -> float:
        whole = float(round(usual))
        gap = self._sum(0.0, a, self._product(0.0, self.const(whole), b), -1)
        if gap.start != 0 or not gap.moves:
            return whole
        ahead = (self._beside(gap) > 0) == (b.start > 0)
        return float(EVALUATE[op](np.float64(whole + (0.25 if ahead else -0.25))))

    def floordiv_(self, a: Germ, b: Germ) -> Germ:
        s = type(a.s)(EVALUATE["floordiv"](a.s, b.s))
        return self.const(type(s)(self._quotient("floor", a, b, float(s))) if elementary.finite(s) else s)

    def attach_(self, a: Germ, b: Germ) -> Germ:
        return Germ(a.s, b.terms)


__all__ = ["Germ", "Germs"]
