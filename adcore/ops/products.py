"""The product of matrices as one instruction, over elements at subscripts that follow from three counters.

    %c[i, j] += %a[i, k] * %b[k, j]   for i in [0, n), j in [0, m), k in [0, d):

    product %c, %a, %b, 0, %n, 0, %m, 0, %d [factors=((), ()), free=True, start=None, subscripts=('i,j', 'i,k', 'k,j')]

A subscript is a sum of multiples of the counters `i` (rows), `j` (columns) and `k` (terms), of operands (`#9` is that
at position 9) and of `1`: `2*i+#9+-1*1`. Elements of the left and of the right matrix are first multiplied by their
factors: numbers, and operands by position. Where `start` is the position of an operand, elements of the target start
with that instead of what they are. A `free` sum has no order that the user could see, and a term of it may be rounded
once or in parts; otherwise terms are added one after the other, in ascending order, product and sum rounded each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product as every
from typing import Any

import numpy as np

from adcore.ir.builder import Builder
from adcore.ir.core import Attributes, Instr, Value
from adcore.ir.types import I64, ArrayType, Scalar, Type, is_float
from adcore.ops.define import Op, OpTypeError
from adcore.ops.effects import Effects, reads, writes

COUNTERS = ("i", "j", "k")
Factors = tuple[float | int, ...]
"""Numbers (floats), and operands by position (ints)."""


@dataclass(frozen=True, eq=False)
class Matrix:
    """An array with subscripts by counters and values; the key "1" has the constant part."""

    array: Value
    subscripts: tuple[Mapping[str | Value, int], ...]


@dataclass(frozen=True, eq=False)
class Product:
    """What a `product` instruction says, with values in the place of positions; `bounds` are those of i, j and k."""

    target: Matrix
    left: Matrix
    right: Matrix
    bounds: tuple[tuple[Value, Value], ...]
    factors: tuple[tuple[float | Value, ...], tuple[float | Value, ...]]
    start: Value | None
    free: bool


def product_of(instr: Instr) -> Product:
    """`instr`, taken apart."""
    operands, attrs = instr.operands, instr.attrs

    def named(form: Mapping[str, int]) -> dict[str | Value, int]:
        return {operands[int(atom[1:])] if atom[0] == "#" else atom: c for atom, c in form.items()}

    parsed = map(_forms, attrs["subscripts"])
    matrices = [Matrix(a, tuple(map(named, forms))) for a, forms in zip(operands, parsed, strict=False)]
    left, right = (tuple(operands[f] if isinstance(f, int) else f for f in own) for own in attrs["factors"])
    start = None if attrs["start"] is None else operands[attrs["start"]]
    bounds = tuple((operands[k], operands[k + 1]) for k in (3, 5, 7))
    return Product(matrices[0], matrices[1], matrices[2], bounds, (left, right), start, attrs["free"])


def instruction(product: Product) -> Instr:
    """The instruction that says it."""
    operands: list[Value] = [product.target.array, product.left.array, product.right.array]
    operands += [v for pair in product.bounds for v in pair]
    places: dict[Value, int] = {}

    def place(value: Value) -> int:
        if value not in places:
            places[value] = len(operands)
            operands.append(value)
        return places[value]

    def form(subscript: Mapping[str | Value, int]) -> str:
        atoms = [(atom if isinstance(atom, str) else f"#{place(atom)}", c) for atom, c in subscript.items()]
        return "+".join(atom if c == 1 else f"{c}*{atom}" for atom, c in atoms) or "0"

    matrices = (product.target, product.left, product.right)
    attrs = {
        "subscripts": tuple(",".join(map(form, matrix.subscripts)) for matrix in matrices),
        "factors": tuple(tuple(place(f) if isinstance(f, Value) else f for f in own) for own in product.factors),
        "start": None if product.start is None else place(product.start),
        "free": product.free,
    }
    return Instr("product", tuple(operands), (), attrs)


def _forms(text: str) -> list[dict[str, int]]:
    """The subscripts of an array, each by its atoms."""
    found = []
    for subscript in text.split(",") if text else ():
        terms = [term.rpartition("*") for term in subscript.split("+") if term != "0"]
        found.append({atom: int(coefficient or 1) for coefficient, _, atom in terms})
    return found


def product_type(types: tuple[Type, ...], attrs: Attributes) -> tuple[Type, ...]:
    arrays = [t for t in types[:3] if isinstance(t, ArrayType) and is_float(t.element)]
    forms = [_forms(text) for text in attrs["subscripts"]]
    ranks = tuple(map(len, forms))
    alike = len(arrays) == 3 and len({a.element for a in arrays}) == 1 and ranks == tuple(a.rank for a in arrays)
    if not alike or types[3:9] != (I64,) * 6:
        raise OpTypeError(f"product does not accept ({', '.join(map(str, types))})")
    atoms = [int(atom[1:]) for matrix in forms for form in matrix for atom in form if atom[0] == "#"]
    scalars = [f for own in attrs["factors"] for f in own if isinstance(f, int)]
    scalars += [] if attrs["start"] is None else [attrs["start"]]
    if any(types[k] != I64 for k in atoms) or any(types[k] != arrays[0].element for k in scalars):
        raise OpTypeError("product: subscripts are integers, factors have the type of the elements")
    return ()


def evaluate_product(
    *operands: Any, subscripts: Sequence[str], factors: tuple[Factors, Factors], start: int | None, free: bool
) -> None:
    """Term by term, in ascending order, product and sum rounded each."""
    arrays, number, forms = operands[:3], operands[0].dtype.type, [_forms(text) for text in subscripts]
    given = {f"#{k}": value for k, value in enumerate(operands)}

    def at(matrix: int, counters: Mapping[str, int]) -> tuple[int, ...]:
        names = {**given, **counters}
        return tuple(sum(c * names[atom] for atom, c in form.items()) for form in forms[matrix])

    def scale(own: Factors) -> Any:
        total = number(1.0)
        for factor in sorted(own, key=lambda f: isinstance(f, int)):
            total *= number(operands[factor] if isinstance(factor, int) else factor)
        return total

    left, right = map(scale, factors)
    rows, columns, terms = (range(operands[k], operands[k + 1]) for k in (3, 5, 7))
    with np.errstate(all="ignore"):
        for i, j in every(rows, columns):
            counters = {"1": 1, "i": i, "j": j}
            place = at(0, counters)
            total = arrays[0][place] if start is None else number(operands[start])
            for k in terms:
                counters["k"] = k
                total = total + (left * arrays[1][at(1, counters)]) * (right * arrays[2][at(2, counters)])
            arrays[0][place] = total


def expand_product(b: Builder, operands: Sequence[Value], **attrs: Any) -> Sequence[Value]:
    """The nest of three loops, the sum of each element carried by the innermost."""
    product = product_of(Instr("product", tuple(operands), (), attrs))
    rows, columns, terms = product.bounds
    names: dict[str, Value] = {"1": b.const(1)}
    left, right = (_scale(b, own, product) for own in product.factors)

    def row(i: Value) -> None:
        _over(b, columns, lambda j: column(i, j))

    def column(i: Value, j: Value) -> None:
        names.update(i=i, j=j)
        place = _place(b, product.target, names)
        start = b.emit("load", *place) if product.start is None else product.start
        k, total = Value(I64, "k"), Value(start.type)
        with b.region((k, total)) as opened:
            names["k"] = k
            first = b.emit("mul", left, b.emit("load", *_place(b, product.left, names)))
            second = b.emit("mul", right, b.emit("load", *_place(b, product.right, names)))
            flags = {"flags": "sum"} if product.free else {}
            opened.yields = (b.emit("add", total, b.emit("mul", first, second), **flags),)
        (result,) = b.emit_many("for", (*terms, start), {"step": 1}, (opened.region,), (start.type,))
        b.emit_many("store", (result, *place), {})

    _over(b, rows, row)
    return ()


def _over(b: Builder, bounds: tuple[Value, Value], body: Callable[[Value], None]) -> None:
    counter = Value(I64)
    with b.region((counter,)) as opened:
        body(counter)
    b.emit_many("for", bounds, {"step": 1}, (opened.region,), ())


def _scale(b: Builder, factors: Sequence[float | Value], product: Product) -> Value:
    """The product of numbers and scalars, numbers first: those are mostly signs, which are exact."""
    type_ = element_of(product)
    total = b.const(1.0, type_)
    for factor in sorted(factors, key=lambda f: isinstance(f, Value)):
        total = b.emit("mul", total, factor if isinstance(factor, Value) else b.const(factor, type_))
    return total


def _place(b: Builder, matrix: Matrix, names: Mapping[str, Value]) -> list[Value]:
    """The array and the subscripts of the element for these counters."""
    place = [matrix.array]
    for form in matrix.subscripts:
        total = b.const(0)
        for atom, coefficient in form.items():
            value = names[atom] if isinstance(atom, str) else atom
            total = b.emit("add", total, b.emit("mul", value, b.const(coefficient), exact=True), exact=True)
        place.append(total)
    return place


def element_of(product: Product) -> Scalar:
    """The type of the numbers that are multiplied."""
    array = product.target.array.type
    assert isinstance(array, ArrayType)
    return array.element


OPS = (
    # The target must not share memory with the others. As code it takes memory for packed operands.
    Op("product", product_type, evaluate_product, expand=expand_product, cost=1000.0,
       effects=Effects((reads(0), writes(0), reads(1), reads(2)), raises="memory")),
)  # fmt: skip
