"""Formulas of sizes: the text that users see."""

from __future__ import annotations

from itertools import permutations

from adcore.analysis.planning.polynomial import Polynomial, octets


class Atom:
    """Compared by identity, as the IR's values are."""

    def __init__(self, name: str) -> None:
        self.name = name


def test_the_text_does_not_depend_on_where_atoms_lie_in_memory() -> None:
    for _ in range(20):
        atoms = {name: Atom(name) for name in "abcd"}
        keep = [Atom("x") for _ in range(7)]
        for order in permutations("abc"):
            total = Polynomial.number(3)
            for name in order:
                total = total + Polynomial.atom(atoms["d"]) * Polynomial.atom(atoms[name]) * 8
            assert total.text(lambda atom: atom.name) == "8*a*d + 8*b*d + 8*c*d + 3"
        del keep


def test_equal_quantities_are_one_term_wherever_they_lie_in_memory() -> None:
    n, m = Atom("n"), Atom("m")
    kept, total = [], Polynomial()
    for _ in range(20):
        part = Polynomial.atom(n) * octets(Polynomial.atom(m))
        kept.append((part, Atom("between")))
        total = total + part
    assert total.text(lambda atom: atom.name) == "20*ceil(m/8)*n"


def test_higher_degrees_come_first() -> None:
    n, m = Atom("n"), Atom("m")
    total = Polynomial.atom(n) * 24 + Polynomial.atom(m) * Polynomial.atom(n) * 8 + Polynomial.number(-1)
    assert total.text(lambda atom: atom.name) == "8*m*n + 24*n - 1"
