"""Array expressions put into memory: new arrays, stores into existing ones, and when an expression has to be computed.

What is written here is plain on purpose. A temporary that could be avoided is removed by later passes, which know more
about overlap than the frontend does.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adcore.frontend.numpy.broadcasting import Extents, fits, position, stretches
from adcore.frontend.numpy.compression import compressed
from adcore.frontend.numpy.elements import dims, fill, may_overlap, nest, store, writeable
from adcore.frontend.numpy.elementwise import inside, operand, operation
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import (
    Abstract,
    ArrayRef,
    BooleanIndexed,
    Expanded,
    Lazy,
    Poison,
    Reshaped,
    is_scalar,
)
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.numbers import materialise
from adcore.frontend.values.numeric.scalars import fail
from adcore.ir.builder import OpTable
from adcore.ir.core import Instr, Region, Value
from adcore.ir.types import I64, NUMPY_NAMES, Scalar
from adcore.ops import Table

Target = ArrayRef | Expanded | Reshaped


def allocate(
    scope: FunctionScope, shape: Sequence[Abstract], element: Scalar, zero: bool = False, hint: str = ""
) -> ArrayRef:
    """A new array of this function's own."""
    operands = [materialise(scope, n, I64) for n in shape]
    attrs: dict[str, Any] = {"element": element.name, **({"zero": True} if zero else {})}
    value = scope.emit("alloc", *operands, hint=hint, **attrs)
    return ArrayRef(value, value, shape=tuple(shape), local=True)


def in_memory(scope: FunctionScope, node: ast.AST, value: Abstract) -> Abstract:
    """`value`; an array expression, or what a mask selects, as an array of its own."""
    if isinstance(value, Lazy):
        return computed(scope, node, value)
    if isinstance(value, BooleanIndexed):
        return compressed(scope, node, value)
    return value


def computed(scope: FunctionScope, node: ast.AST, value: Lazy) -> ArrayRef:
    """A new array with the elements of `value`."""
    array = allocate(scope, value.shape, value.element)
    note_order(scope, array, value)
    nest(scope, value.shape, lambda index: store(scope, node, value.at(index), array, index))
    return array


def note_order(scope: FunctionScope, array: ArrayRef, *sources: Lazy) -> None:
    """NumPy lays out a result as its operands are, which shows only where its shape is changed: then it is a copy."""
    reads = [read.array for source in sources for read in source.reads if read.array.rank > 1]
    if array.rank > 1 and any(a.type.layout != "C" or a.root in scope.session.unordered for a in reads):
        scope.session.unordered.add(array.root)


def target_shape(scope: FunctionScope, target: Target) -> Extents:
    return dims(scope, target) if isinstance(target, ArrayRef) else target.shape


def base(target: Target) -> ArrayRef:
    return target if isinstance(target, ArrayRef) else target.base


def is_writeable(scope: FunctionScope, target: Target, text: str = "assignment destination is read-only") -> bool:
    """Whether stores can go on; raises at run time, as NumPy does, for a read-only array."""
    if not target.writeable:
        fail(scope, "ValueError", text)
        return False
    return writeable(scope, base(target), text)


def put(
    scope: FunctionScope, node: ast.AST, value: Abstract, target: Target, index: Sequence[Value], copied: bool = False
) -> None:
    """Store one element; `copied`: of another array."""
    place = index if isinstance(target, ArrayRef) else inside(target, index)
    store(scope, node, value, base(target), place, copied)


def put_array(
    scope: FunctionScope,
    node: ast.AST,
    target: Target,
    value: Abstract,
    text: str = "could not broadcast input array from shape {} into shape {}",
) -> None:
    """`target[...] = value` for a number or an array that fits; through a temporary where they may overlap."""
    if isinstance(target, ArrayRef) and is_scalar(value):
        fill(scope, node, target, value)
        return
    part = operand(scope, value)
    if part is None:
        if not isinstance(value, Poison):
            scope.error(node, f"{describe(value)} can't be stored into an array")
        return
    if not is_writeable(scope, target):
        return
    shape = target_shape(scope, target)
    kept = fits(scope, shape, part.shape, text)
    if clashes(scope, target, part, aligned=not stretches(scope, kept, shape)):
        part = _operand_of(scope, computed(scope, node, part))
    source = part
    leading = len(part.shape) - len(kept)

    def one(index: list[Value]) -> None:
        there = [*[scope.const(0)] * leading, *position(scope, index, kept)]
        put(scope, node, source.at(there), target, index, copied=not is_scalar(value))

    nest(scope, shape, one)


def _operand_of(scope: FunctionScope, array: ArrayRef) -> Lazy:
    part = operand(scope, array)
    assert part is not None
    return part


def clashes(scope: FunctionScope, target: Target, value: Lazy, aligned: bool) -> bool:
    """Whether stores to `target` could change elements of `value` that are still needed.

    `aligned`: element k of `target` gets element k of `value`.
    """
    return any(_may_clash(scope, target, r.array, aligned and r.aligned) for r in value.reads)


def _may_clash(scope: FunctionScope, target: Target, read: ArrayRef, aligned: bool) -> bool:
    if not may_overlap(scope, base(target), read):
        return False
    # What overlaps something in this call may overlap itself: then another element may be the same one.
    alone = read.root not in scope.session.groups
    return not (aligned and alone and isinstance(target, ArrayRef) and read.value is target.value)


def update(scope: FunctionScope, node: ast.AST, kind: type[ast.operator], target: Target, value: Abstract) -> None:
    """`target OP= value`, in place: whoever else knows the array sees it."""
    if not is_writeable(scope, target, "output array is read-only"):
        return
    new = operation(scope, node, kind, target, value, [target_shape(scope, target)])
    if not isinstance(new, Lazy):
        return
    if can_hold(scope, node, target.element, new.element):
        text = "non-broadcastable output operand with shape {1} doesn't match the broadcast shape {0}"
        put_array(scope, node, target, new, text)


def can_hold(scope: FunctionScope, node: ast.AST, element: Scalar, new: Scalar) -> bool:
    """Whether an operation in place may put its result back; reports as NumPy raises."""
    names = NUMPY_NAMES[new.name], NUMPY_NAMES[element.name]
    if np.can_cast(np.dtype(names[0]), np.dtype(names[1]), "same_kind"):
        return True
    scope.error(
        node,
        f"the result is {names[0]}, which an array of {names[1]} can't hold",
        "make a new array: `x = x + ...`, or use an array of floats from the start",
    )
    return False


# Order of evaluation --------------------------------------------------------------------------------------------------


def settled(
    scope: FunctionScope, node: ast.AST, first: Abstract, later: ast.AST, evaluate: Callable[[], Abstract]
) -> tuple[Abstract, Abstract]:
    """`first` and then what `evaluate` gives for `later`: an expression that is lazy is read as it was before."""
    (kept,), second = all_settled(scope, node, [first], later, evaluate)
    return kept, second


def all_settled(
    scope: FunctionScope, node: ast.AST, earlier: list[Abstract], later: ast.AST, evaluate: Callable[[], Abstract]
) -> tuple[list[Abstract], Abstract]:
    """`settled` for several values before."""
    lazy = any(isinstance(v, (Lazy, BooleanIndexed)) for v in earlier)
    if not lazy or not any(isinstance(n, ast.Call) for n in ast.walk(later)):
        return earlier, evaluate()
    with scope.builder.region() as region:
        value = evaluate()
    if _writes(region.region, scope.builder.ops):
        earlier = [in_memory(scope, node, v) for v in earlier]
    for instr in region.body:
        scope.builder.append(instr)
    return earlier, value


def _writes(region: Region, ops: OpTable) -> bool:
    """Whether a region stores into arrays that existed before it."""
    assert isinstance(ops, Table)
    own: set[Value] = set()

    def visit(body: Sequence[Instr]) -> bool:
        for instr in body:
            if instr.op in ops.allocs or ops.source(instr) in own:
                own.update(instr.results)
            if any(instr.operands[k] not in own for k in ops.effects[instr.op].written):
                return True
            if any(visit(inner.body) for inner in instr.regions):
                return True
        return False

    return visit(region.body)
