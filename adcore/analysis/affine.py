"""Integers as affine forms, and integer infeasibility: the arithmetic under the dependence test.

A form is a mapping atom -> coefficient, with the constant under the key `1`. Atoms are IR values that are not affine
in others (loop variables, dimensions, loaded indices, ...).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from math import gcd

from adcore.analysis.structure import Structure
from adcore.ir.core import Value

Atom = Hashable
Form = dict[Atom, int]

ROW_LIMIT = 400
"""Fourier-Motzkin gives up (answers "feasible") above this many rows."""


def plus(a: Mapping[Atom, int], b: Mapping[Atom, int], factor: int = 1) -> Form:
    """a + factor * b."""
    result = dict(a)
    for atom, coefficient in b.items():
        total = result.get(atom, 0) + factor * coefficient
        if total:
            result[atom] = total
        else:
            result.pop(atom, None)
    return result


def constant(number: int) -> Form:
    return {1: number} if number else {}


def scaled(form: Mapping[Atom, int], factor: int) -> Form:
    return {atom: factor * coefficient for atom, coefficient in form.items()} if factor else {}


def known(form: Mapping[Atom, int]) -> int | None:
    """The number that a form without atoms stands for."""
    return form.get(1, 0) if all(atom == 1 for atom in form) else None


class Affine:
    """Forms of the integer values of one function, memoised."""

    def __init__(self, structure: Structure) -> None:
        self.structure = structure
        self._forms: dict[Value, Form] = {}

    def form(self, value: Value) -> Form:
        """`value` as a form (of itself, if it is no affine combination)."""
        if value not in self._forms:
            self._forms[value] = self._derive(value)
        return self._forms[value]

    def _derive(self, value: Value) -> Form:
        instr = self.structure.definition.get(value)
        if instr is None:
            return {value: 1}
        if instr.op == "const" and isinstance(instr.attrs["value"], int):
            return constant(int(instr.attrs["value"]))
        if instr.op in ("add", "sub"):
            a, b = (self.form(v) for v in instr.operands)
            return plus(a, b, 1 if instr.op == "add" else -1)
        if instr.op == "neg":
            return scaled(self.form(instr.operands[0]), -1)
        if instr.op == "mul":
            a, b = (self.form(v) for v in instr.operands)
            for factor, other in ((known(a), b), (known(b), a)):
                if factor is not None:
                    return scaled(other, factor)
        return {value: 1}


def tighten(row: Mapping[Atom, int]) -> Form | bool:
    """A row `form >= 0` divided by the gcd of its coefficients, the constant rounded down: valid for integers.

    A row without atoms is decided: True or False.
    """
    divisor = 0
    for atom, coefficient in row.items():
        if atom != 1:
            divisor = gcd(divisor, abs(coefficient))
    if divisor == 0:
        return row.get(1, 0) >= 0
    result = {atom: c // divisor for atom, c in row.items() if atom != 1}
    if bound := row.get(1, 0) // divisor:
        result[1] = bound
    return result


def feasible(equalities: Iterable[Form], inequalities: Iterable[Form]) -> bool:
    """False only if no integer point satisfies every `form == 0` and `form >= 0` (gcd test, substitution of unit
    coefficients, Fourier-Motzkin with tightened rows; Pugh 1991 describes the tightening)."""
    reduced = _substitute(list(equalities), list(inequalities))
    rows = _normal(reduced) if reduced is not None else None
    while rows:
        if len(rows) > ROW_LIMIT:
            return True
        atoms = {atom for row in rows for atom in row if atom != 1}
        if not atoms:
            return True
        rows = _normal(_eliminate(rows, min(atoms, key=lambda atom: _growth(rows or [], atom))))
    return rows is not None


def _growth(rows: list[Form], atom: Atom) -> int:
    above = sum(1 for row in rows if row.get(atom, 0) > 0)
    below = sum(1 for row in rows if row.get(atom, 0) < 0)
    return above * below - above - below


def _eliminate(rows: list[Form], atom: Atom) -> list[Form]:
    lower = [row for row in rows if row.get(atom, 0) > 0]
    upper = [row for row in rows if row.get(atom, 0) < 0]
    kept = [row for row in rows if atom not in row]
    for low in lower:
        for high in upper:
            kept.append(plus(scaled(low, -high[atom]), scaled(high, low[atom])))
    return kept


def _normal(rows: list[Form]) -> list[Form] | None:
    """Tightened rows, the strictest per direction; None if one is violated."""
    strictest: dict[frozenset[tuple[Atom, int]], int] = {}
    for row in rows:
        tight = tighten(row)
        if tight is True:
            continue
        if isinstance(tight, bool):
            return None
        bound = tight.pop(1, 0)
        key = frozenset(tight.items())
        strictest[key] = min(strictest.get(key, bound), bound)
    return [{**dict(key), **constant(bound)} for key, bound in strictest.items()]


def _substitute(equalities: list[Form], inequalities: list[Form]) -> list[Form] | None:
    """Inequalities that follow after the equalities were used up; None if an equality has no integer solution."""
    while equalities:
        row = equalities.pop()
        atoms = [atom for atom in row if atom != 1]
        if not atoms:
            if row.get(1, 0):
                return None
            continue
        divisor = 0
        for atom in atoms:
            divisor = gcd(divisor, abs(row[atom]))
        if row.get(1, 0) % divisor:
            return None
        row = {atom: c // divisor for atom, c in row.items()}
        unit = next((atom for atom in atoms if abs(row[atom]) == 1), None)
        if unit is None:
            inequalities += [row, scaled(row, -1)]
            continue
        solution = scaled({a: c for a, c in row.items() if a != unit}, -row[unit])
        equalities = [_replace(form, unit, solution) for form in equalities]
        inequalities = [_replace(form, unit, solution) for form in inequalities]
    return inequalities


def _replace(form: Form, atom: Atom, solution: Form) -> Form:
    if atom not in form:
        return form
    rest = {a: c for a, c in form.items() if a != atom}
    return plus(rest, solution, form[atom])
