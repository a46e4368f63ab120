"""A product of matrices as a call of native code for products (see `adcore.lower.instructions.packed_products`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from adcore.ir.core import Instr, Region, Value
from adcore.ir.types import Scalar
from adcore.lower.descriptors import register
from adcore.lower.instructions import packed_products as blocked
from adcore.lower.region_lowering import Lowering
from adcore.ops.products import COUNTERS, Matrix, Product, element_of, product_of


def lower_product(lowering: Lowering, instr: Instr, region: Region) -> None:
    """The call, with packed operands in the workspace for as long as it runs."""
    w, module, product = lowering.writer, lowering.emitter.module, product_of(instr)
    type_ = element_of(product)
    shape = blocked.shape(type_, 512 if lowering.emitter.vector_math.wide else 256)
    module.function(blocked.declaration(shape))
    module.ready[blocked.code(shape)] = None
    trips = [_trip_count(lowering, *pair) for pair in product.bounds]
    operands = [
        *_placed(lowering, product, product.target, ("i", "j")),
        *_placed(lowering, product, product.left, ("i", "k")),
        *_placed(lowering, product, product.right, ("k", "j")),
        *(("i64", n) for n in trips),
        *((register(type_), _factor(lowering, type_, f)) for f in product.factors),
        ("i1", "false" if product.start is None else "true"),
        (register(type_), "0.0" if product.start is None else lowering.text(product.start)),
        ("i1", str(product.free or lowering.plain_mode != "").lower()),
    ]
    size = blocked.packed_bytes(w, shape, rows=trips[0], terms=trips[2])
    with lowering.storage.scratch(size) as packed:
        arguments = ", ".join(f"{ty} {text}" for ty, text in (*operands, ("ptr", packed)))
        w.do(f"call void @{blocked.name(shape)}({arguments})")


def _trip_count(lowering: Lowering, start: Value, end: Value) -> str:
    w = lowering.writer
    lo, hi = lowering.texts((start, end))
    count = hi if lo == "0" else w.let(f"sub i64 {hi}, {lo}")
    lowering.emitter.module.function("declare i64 @llvm.smax.i64(i64, i64)")
    return w.let(f"call i64 @llvm.smax.i64(i64 {count}, i64 0)")


def _placed(lowering: Lowering, product: Product, matrix: Matrix, along: tuple[str, str]) -> list[tuple[str, str]]:
    """The address of the element for the first values of all counters, and the strides along two of them, in bytes."""
    w, array = lowering.writer, lowering.array(matrix.array)
    first = {name: lo for name, (lo, _) in zip(COUNTERS, product.bounds, strict=True)}
    address = array.base
    for form, stride in zip(matrix.subscripts, array.strides, strict=True):
        offset = w.mul(_subscript(lowering, form, first), stride)
        address = address if offset == "0" else w.let(f"getelementptr i8, ptr {address}, i64 {offset}")
    return [("ptr", address), *(("i64", _stride(lowering, matrix, array.strides, counter)) for counter in along)]


def _subscript(lowering: Lowering, form: Mapping[str | Value, int], first: Mapping[str, Value]) -> str:
    w, total = lowering.writer, "0"
    for atom, coefficient in form.items():
        value = atom if isinstance(atom, Value) else first.get(atom)
        text = "1" if value is None else lowering.text(value)
        total = w.add(total, w.mul(text, str(coefficient)))
    return total


def _stride(lowering: Lowering, matrix: Matrix, strides: Sequence[str], counter: str) -> str:
    w, total = lowering.writer, "0"
    for form, stride in zip(matrix.subscripts, strides, strict=True):
        total = w.add(total, w.mul(str(form.get(counter, 0)), stride))
    return total


def _factor(lowering: Lowering, type_: Scalar, factors: Sequence[Value | float]) -> str:
    """The product of numbers and scalars, numbers first: those are mostly signs, which are exact."""
    w, ty = lowering.writer, register(type_)
    total = lowering.number(type_, 1.0)
    for factor in sorted(factors, key=lambda f: isinstance(f, Value)):
        text = lowering.text(factor) if isinstance(factor, Value) else lowering.number(type_, factor)
        total = text if total == lowering.number(type_, 1.0) else w.let(f"fmul {ty} {total}, {text}")
    return total
