"""Sizes as formulas: polynomials with integer or rational coefficients over named quantities, such as 8*n*steps."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, comb

Monomial = tuple[tuple[Hashable, int], ...]
"""Atoms with exponents, sorted by hash: equal monomials are equal tuples, whichever of two equal atoms is in them."""


class Polynomial:
    """An immutable polynomial. Besides named quantities it may hold `Octets` and `Sum`."""

    def __init__(self, terms: Mapping[Monomial, Fraction] | None = None) -> None:
        self.terms = {m: c for m, c in (terms or {}).items() if c}

    @staticmethod
    def number(value: int | Fraction) -> Polynomial:
        return Polynomial({(): Fraction(value)})

    @staticmethod
    def atom(atom: Hashable) -> Polynomial:
        return Polynomial({((atom, 1),): Fraction(1)})

    def __add__(self, other: Polynomial) -> Polynomial:
        terms = dict(self.terms)
        for m, c in other.terms.items():
            terms[m] = terms.get(m, Fraction(0)) + c
        return Polynomial(terms)

    def __mul__(self, other: Polynomial | int | Fraction) -> Polynomial:
        if not isinstance(other, Polynomial):
            return Polynomial({m: c * other for m, c in self.terms.items()})
        terms: dict[Monomial, Fraction] = {}
        for m1, c1 in self.terms.items():
            for m2, c2 in other.terms.items():
                m = _product(m1, m2)
                terms[m] = terms.get(m, Fraction(0)) + c1 * c2
        return Polynomial(terms)

    def __sub__(self, other: Polynomial) -> Polynomial:
        return self + other * -1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Polynomial) and self.terms == other.terms

    def __hash__(self) -> int:
        return hash(frozenset(self.terms.items()))

    def atoms(self) -> set[Hashable]:
        own = {atom for m in self.terms for atom, _ in m}
        return own.union(*(atom.amount.atoms() for atom in own if isinstance(atom, (Octets, Sum))))

    def substitute(self, atom: Hashable, value: Polynomial) -> Polynomial:
        """The polynomial with `value` for `atom`."""
        total = Polynomial()
        for m, c in self.terms.items():
            factor = Polynomial({tuple(p for p in m if p[0] is not atom): c})
            for a, exponent in m:
                if a is atom:
                    for _ in range(exponent):
                        factor = factor * value
            total = total + factor
        return total

    def sum_over(self, atom: Hashable, start: Polynomial, stop: Polynomial) -> Polynomial:
        """The sum over atom = start, ..., stop - 1 (Faulhaber's formula); right where stop >= start."""
        total = Polynomial()
        for m, c in self.terms.items():
            exponent = next((e for a, e in m if a is atom), 0)
            rest = Polynomial({tuple(p for p in m if p[0] is not atom): c})
            powers = _power_sum(exponent, atom)
            total = total + rest * (powers.substitute(atom, stop) - powers.substitute(atom, start))
        return total

    def evaluate(self, value: Callable[[Hashable], int]) -> Fraction:
        """The number, given those of the atoms."""
        total = Fraction(0)
        for m, c in self.terms.items():
            for atom, exponent in m:
                c *= (atom.evaluate(value) if isinstance(atom, Octets) else value(atom)) ** exponent
            total += c
        return total

    def text(self, name: Callable[[Hashable], str]) -> str:
        """Such as "8*n*steps + 24*n"; highest degree first."""

        def called(atom: Hashable) -> str:
            return atom.text(name) if isinstance(atom, Octets) else name(atom)

        shown = []

        def order(term: tuple[Monomial, Fraction]) -> tuple[int, list[str]]:
            """By names: a monomial keeps its atoms in the order of their hashes, which differs between runs."""
            return -_degree(term[0]), sorted(called(a) for a, _ in term[0])

        for m, c in sorted(self.terms.items(), key=order):
            factors = [called(a) + (f"**{e}" if e > 1 else "") for a, e in sorted(m, key=lambda p: called(p[0]))]
            magnitude = abs(c)
            number = str(magnitude.numerator) if magnitude.numerator != 1 or not factors else ""
            text = "*".join(filter(None, [number, *factors])) or "1"
            text += f"/{magnitude.denominator}" if magnitude.denominator > 1 else ""
            shown.append(("- " if c < 0 else "+ ") + text)
        joined = " ".join(shown) if shown else "0"
        return joined.removeprefix("+ ") if not joined.startswith("- ") else "-" + joined[2:]


@dataclass(frozen=True)
class Sum:
    """The sum of `amount` over the iterations of a loop, where that has no closed form."""

    loop: Hashable
    amount: Polynomial


@dataclass(frozen=True)
class Octets:
    """The bytes that `amount` truth values take: an eighth, rounded up."""

    amount: Polynomial

    def evaluate(self, value: Callable[[Hashable], int]) -> int:
        return max(0, ceil(self.amount.evaluate(value) / 8))

    def text(self, name: Callable[[Hashable], str]) -> str:
        """Such as "ceil(n/8)"."""
        inner = self.amount.text(name)
        simple = len(self.amount.terms) == 1 and all(c.denominator == 1 for c in self.amount.terms.values())
        return f"ceil({inner}/8)" if simple else f"ceil(({inner})/8)"


def octets(bits: Polynomial) -> Polynomial:
    """An eighth of `bits`, rounded up: a number where that is one."""
    amount = Octets(bits)
    return Polynomial.atom(amount) if bits.atoms() else Polynomial.number(amount.evaluate(lambda atom: 0))


def _degree(monomial: Monomial) -> int:
    return sum(exponent for _, exponent in monomial)


def _product(a: Monomial, b: Monomial) -> Monomial:
    exponents = dict(a)
    for atom, e in b:
        exponents[atom] = exponents.get(atom, 0) + e
    return tuple(sorted(exponents.items(), key=lambda p: hash(p[0])))


def _power_sum(exponent: int, atom: Hashable) -> Polynomial:
    """sum of i**exponent over 0 <= i < atom, as a polynomial in atom."""
    x, n = Polynomial.atom(atom), exponent
    bernoulli = _bernoulli(n)
    total = Polynomial()
    for k in range(n + 1):
        power = Polynomial.number(1)
        for _ in range(n + 1 - k):
            power = power * x
        total = total + power * (Fraction(comb(n + 1, k), n + 1) * bernoulli[k])
    return total


def _bernoulli(n: int) -> list[Fraction]:
    """B0 .. Bn with B1 = -1/2."""
    numbers = [Fraction(1)]
    for m in range(1, n + 1):
        numbers.append(-sum((comb(m + 1, k) * numbers[k] for k in range(m)), Fraction(0)) / (m + 1))
    return numbers
