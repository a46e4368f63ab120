"""A nest of three loops that is a product of matrices, as analysis hands it to lowering."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adcore.ir.core import Instr, Value

Subscript = Mapping[Value | int, int]
"""An integer combination of loop counters and of values from outside of the nest; the key 1 has the constant part."""


@dataclass(frozen=True, eq=False)
class Matrix:
    """Elements of an array from outside of the nest, at subscripts that follow from the counters of its loops."""

    array: Value
    subscripts: tuple[Subscript, ...]


@dataclass(frozen=True, eq=False)
class Product:
    """`target[i, j] += left[i, k] * right[k, j]` for all `i` of the loop `rows`, `j` of `columns` and `k` of `terms`.

    The elements of `left` and of `right` are first multiplied by their `left_factors` and `right_factors`: scalars
    from outside of the nest, and numbers. Where `initial` is a value, elements of the target start with it instead of
    what they are. A `free` sum has no order that the user could see, and a term of it may be rounded once or in parts;
    otherwise terms are added one after the other, in ascending order, product and sum rounded each.
    """

    rows: Instr
    columns: Instr
    terms: Instr
    target: Matrix
    left: Matrix
    right: Matrix
    left_factors: tuple[Value | float, ...]
    right_factors: tuple[Value | float, ...]
    initial: Value | None
    free: bool

    @property
    def loops(self) -> tuple[Instr, Instr, Instr]:
        return self.rows, self.columns, self.terms
