"""Array expressions put into memory: new arrays, stores into existing ones, and when an expression has to be computed.

What is written here is plain on purpose. A temporary that could be avoided is removed by later passes, which know more
about overlap than the frontend does.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adcore.frontend.numpy.broadcasting import Shape, fits, position, stretches
from adcore.frontend.numpy.elements import dims, fill, may_overlap, nest, store, writeable
from adcore.frontend.numpy.elementwise import inside, operand, operation
from adcore.frontend.session import Frame
from adcore.frontend.values.abstract import Abstract, Array, Expanded, Lazy, Masked, Poison, Reshaped, is_scalar
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numbers import materialise
from adcore.frontend.values.scalars import fail
from adcore.ir.builder import OpTable
from adcore.ir.core import Instr, Region, Value
from adcore.ir.types import I64, NUMPY_NAMES, Scalar
from adcore.ops import Table

Target = Array | Expanded | Reshaped


def allocate(frame: Frame, shape: Sequence[Abstract], element: Scalar, zero: bool = False, hint: str = "") -> Array:
    """A new array of this function's own."""
    operands = [materialise(frame, n, I64) for n in shape]
    attrs: dict[str, Any] = {"element": element.name, **({"zero": True} if zero else {})}
    value = frame.emit("alloc", *operands, hint=hint, **attrs)
    return Array(value, value, shape=tuple(shape), local=True)


def in_memory(frame: Frame, node: ast.AST, value: Abstract) -> Abstract:
    """`value`; an array expression as an array of its own."""
    if isinstance(value, Lazy):
        return computed(frame, node, value)
    if isinstance(value, Masked):
        return frame.error(
            node,
            "how many elements a mask selects is only known at run time",
            "use them where they are: np.sum(x[m]), x[m] = y[m], or np.where(m, x, 0.0)",
        )
    return value


def computed(frame: Frame, node: ast.AST, value: Lazy) -> Array:
    """A new array with the elements of `value`."""
    array = allocate(frame, value.shape, value.element)
    note_order(frame, array, value)
    nest(frame, value.shape, lambda index: store(frame, node, value.at(index), array, index))
    return array


def note_order(frame: Frame, array: Array, *sources: Lazy) -> None:
    """NumPy lays out a result as its operands are, which shows only where its shape is changed: then it is a copy."""
    reads = [read.array for source in sources for read in source.reads if read.array.rank > 1]
    if array.rank > 1 and any(a.type.layout != "C" or a.root in frame.session.unordered for a in reads):
        frame.session.unordered.add(array.root)


def target_shape(frame: Frame, target: Target) -> Shape:
    return dims(frame, target) if isinstance(target, Array) else target.shape


def base(target: Target) -> Array:
    return target if isinstance(target, Array) else target.base


def is_writeable(frame: Frame, target: Target, text: str = "assignment destination is read-only") -> bool:
    """Whether stores can go on; raises at run time, as NumPy does, for a read-only array."""
    if not target.writeable:
        fail(frame, "ValueError", text)
        return False
    return writeable(frame, base(target), text)


def put(
    frame: Frame, node: ast.AST, value: Abstract, target: Target, index: Sequence[Value], copied: bool = False
) -> None:
    """Store one element; `copied`: of another array."""
    place = index if isinstance(target, Array) else inside(target, index)
    store(frame, node, value, base(target), place, copied)


def put_array(
    frame: Frame,
    node: ast.AST,
    target: Target,
    value: Abstract,
    text: str = "could not broadcast input array from shape {} into shape {}",
) -> None:
    """`target[...] = value` for a number or an array that fits; through a temporary where they may overlap."""
    if isinstance(target, Array) and is_scalar(value):
        fill(frame, node, target, value)
        return
    part = operand(frame, value)
    if part is None:
        if not isinstance(value, Poison):
            frame.error(node, f"{describe(value)} can't be stored into an array")
        return
    if not is_writeable(frame, target):
        return
    shape = target_shape(frame, target)
    kept = fits(frame, shape, part.shape, text)
    if clashes(frame, target, part, aligned=not stretches(frame, kept, shape)):
        part = _operand_of(frame, computed(frame, node, part))
    source = part
    leading = len(part.shape) - len(kept)

    def one(index: list[Value]) -> None:
        there = [*[frame.const(0)] * leading, *position(frame, index, kept)]
        put(frame, node, source.at(there), target, index, copied=not is_scalar(value))

    nest(frame, shape, one)


def _operand_of(frame: Frame, array: Array) -> Lazy:
    part = operand(frame, array)
    assert part is not None
    return part


def clashes(frame: Frame, target: Target, value: Lazy, aligned: bool) -> bool:
    """Whether stores to `target` could change elements of `value` that are still needed.

    `aligned`: element k of `target` gets element k of `value`.
    """
    return any(_may_clash(frame, target, r.array, aligned and r.aligned) for r in value.reads)


def _may_clash(frame: Frame, target: Target, read: Array, aligned: bool) -> bool:
    if not may_overlap(frame, base(target), read):
        return False
    # What overlaps something in this call may overlap itself: then another element may be the same one.
    alone = read.root not in frame.session.groups
    return not (aligned and alone and isinstance(target, Array) and read.value is target.value)


def update(frame: Frame, node: ast.AST, kind: type[ast.operator], target: Target, value: Abstract) -> None:
    """`target OP= value`, in place: whoever else knows the array sees it."""
    if not is_writeable(frame, target, "output array is read-only"):
        return
    new = operation(frame, node, kind, target, value, [target_shape(frame, target)])
    if isinstance(new, Masked):
        frame.error(node, "elements under a mask meet a whole array", "write `x[m] += y[m]`")
    if not isinstance(new, Lazy):
        return
    if can_hold(frame, node, target.element, new.element):
        text = "non-broadcastable output operand with shape {1} doesn't match the broadcast shape {0}"
        put_array(frame, node, target, new, text)


def can_hold(frame: Frame, node: ast.AST, element: Scalar, new: Scalar) -> bool:
    """Whether an operation in place may put its result back; reports as NumPy raises."""
    names = NUMPY_NAMES[new.name], NUMPY_NAMES[element.name]
    if np.can_cast(np.dtype(names[0]), np.dtype(names[1]), "same_kind"):
        return True
    frame.error(
        node,
        f"the result is {names[0]}, which an array of {names[1]} can't hold",
        "make a new array: `x = x + ...`, or use an array of floats from the start",
    )
    return False


# Order of evaluation --------------------------------------------------------------------------------------------------


def settled(
    frame: Frame, node: ast.AST, first: Abstract, later: ast.AST, evaluate: Callable[[], Abstract]
) -> tuple[Abstract, Abstract]:
    """`first` and then what `evaluate` gives for `later`: an expression that is lazy is read as it was before."""
    (kept,), second = all_settled(frame, node, [first], later, evaluate)
    return kept, second


def all_settled(
    frame: Frame, node: ast.AST, earlier: list[Abstract], later: ast.AST, evaluate: Callable[[], Abstract]
) -> tuple[list[Abstract], Abstract]:
    """`settled` for several values before."""
    lazy = any(isinstance(v, (Lazy, Masked)) for v in earlier)
    if not lazy or not any(isinstance(n, ast.Call) for n in ast.walk(later)):
        return earlier, evaluate()
    with frame.builder.region() as region:
        value = evaluate()
    if _writes(region.region, frame.builder.ops):
        earlier = [in_memory(frame, node, v) for v in earlier]
    for instr in region.body:
        frame.builder.append(instr)
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
