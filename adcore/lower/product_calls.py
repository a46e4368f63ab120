"""A nest that is a product of matrices as a call of native code for products (see `adcore.lower.packed_products`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from adcore.ir.core import Instr, Value
from adcore.ir.products import Matrix, Product, Subscript
from adcore.ir.types import ArrayType, Scalar
from adcore.lower import packed_products as blocked
from adcore.lower.descriptors import register

if TYPE_CHECKING:
    from adcore.lower.lowering import Lowering


def lower_product(lowering: Lowering, product: Product) -> None:
    """The call, with packed operands in the workspace for as long as it runs."""
    w, module = lowering.writer, lowering.emitter.module
    array = product.target.array.type
    assert isinstance(array, ArrayType)
    type_ = array.element
    shape = blocked.shape(type_, 512 if lowering.emitter.vector_math.wide else 256)
    module.function(blocked.declaration(shape))
    module.ready[blocked.code(shape)] = None
    turns = [_turns(lowering, loop) for loop in product.loops]
    operands = [
        *_placed(lowering, product, product.target, (product.rows, product.columns)),
        *_placed(lowering, product, product.left, (product.rows, product.terms)),
        *_placed(lowering, product, product.right, (product.terms, product.columns)),
        *(("i64", n) for n in turns),
        *((register(type_), _factor(lowering, type_, f)) for f in (product.left_factors, product.right_factors)),
        ("i1", "false" if product.initial is None else "true"),
        (register(type_), "0.0" if product.initial is None else lowering.text(product.initial)),
        ("i1", str(product.free or lowering.plain_mode != "").lower()),
    ]
    size = blocked.packed_bytes(w, shape, rows=turns[0], terms=turns[2])
    with lowering.storage.scratch(size) as packed:
        arguments = ", ".join(f"{ty} {text}" for ty, text in (*operands, ("ptr", packed)))
        w.do(f"call void @{blocked.name(shape)}({arguments})")


def _turns(lowering: Lowering, loop: Instr) -> str:
    w = lowering.writer
    lo, hi = lowering.texts(loop.operands[:2])
    count = hi if lo == "0" else w.let(f"sub i64 {hi}, {lo}")
    lowering.emitter.module.function("declare i64 @llvm.smax.i64(i64, i64)")
    return w.let(f"call i64 @llvm.smax.i64(i64 {count}, i64 0)")


def _placed(lowering: Lowering, product: Product, matrix: Matrix, loops: tuple[Instr, Instr]) -> list[tuple[str, str]]:
    """The address of what the first turns of all loops touch, and the strides along two of them, in bytes."""
    w, array = lowering.writer, lowering.array(matrix.array)
    first = {loop.regions[0].params[0]: loop.operands[0] for loop in product.loops}
    address = array.base
    for form, stride in zip(matrix.subscripts, array.strides, strict=True):
        offset = w.mul(_subscript(lowering, form, first), stride)
        address = address if offset == "0" else w.let(f"getelementptr i8, ptr {address}, i64 {offset}")
    return [("ptr", address), *(("i64", _stride(lowering, matrix, array.strides, loop)) for loop in loops)]


def _subscript(lowering: Lowering, form: Subscript, first: dict[Value, Value]) -> str:
    w, total = lowering.writer, "0"
    for atom, coefficient in form.items():
        text = lowering.text(first.get(atom, atom)) if isinstance(atom, Value) else "1"
        total = w.add(total, w.mul(text, str(coefficient)))
    return total


def _stride(lowering: Lowering, matrix: Matrix, strides: Sequence[str], loop: Instr) -> str:
    w, total, counter = lowering.writer, "0", loop.regions[0].params[0]
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
