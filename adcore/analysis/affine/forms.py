"""Integers as affine forms.

A form is a mapping atom -> coefficient, with the constant under the key `1`. Atoms are IR values that are not affine
in others (loop variables, dimensions, loaded indices, ...).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from adcore.analysis.structure import Structure, operands_first, structure_of
from adcore.ir.core import Function, Value
from adcore.ir.facts import kept
from adcore.ops import Table

Atom = Hashable
Form = dict[Atom, int]

ARITHMETIC = frozenset({"add", "sub", "neg", "mul"})
"""Ops whose results may be affine in their operands."""


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


@kept
def affine_of(function: Function, ops: Table) -> Affine:
    """The affine forms of the integers of `function`."""
    return Affine(structure_of(function, ops))


class Affine:
    """Forms of the integer values of one function, memoised."""

    def __init__(self, structure: Structure) -> None:
        self.structure = structure
        self._forms: dict[Value, Form] = {}

    def form(self, value: Value) -> Form:
        """`value` as a form (of itself, if it is no affine combination)."""
        if value not in self._forms:
            for current in operands_first(value, self._missing):
                self._forms[current] = self._derive(current)
        return self._forms[value]

    def _missing(self, value: Value) -> list[Value]:
        """The operands of affine arithmetic whose forms are not known yet."""
        instr = self.structure.definition.get(value)
        if instr is None or instr.op not in ARITHMETIC:
            return []
        return [v for v in instr.operands if v not in self._forms]

    def _derive(self, value: Value) -> Form:
        """The form of `value`, given those of its operands."""
        instr = self.structure.definition.get(value)
        if instr is None:
            return {value: 1}
        if instr.op == "const" and isinstance(instr.attrs["value"], int):
            return constant(int(instr.attrs["value"]))
        if instr.op in ("add", "sub"):
            a, b = (self._forms[v] for v in instr.operands)
            return plus(a, b, 1 if instr.op == "add" else -1)
        if instr.op == "neg":
            return scaled(self._forms[instr.operands[0]], -1)
        if instr.op == "mul":
            a, b = (self._forms[v] for v in instr.operands)
            for factor, other in ((known(a), b), (known(b), a)):
                if factor is not None:
                    return scaled(other, factor)
        return {value: 1}
