"""What reductions read, and folding an operation over it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from adcore.frontend.numpy.broadcasting import Extents, product
from adcore.frontend.numpy.elements import accumulate, load
from adcore.frontend.numpy.elementwise import operand
from adcore.frontend.numpy.types import joint_type
from adcore.frontend.session import FunctionScope, as_static_int
from adcore.frontend.values.abstract import (
    STRONG,
    Abstract,
    BooleanIndexed,
    Constant,
    Items,
    ListRef,
    Num,
    Poison,
    Uniform,
    is_scalar,
)
from adcore.frontend.values.containers.iterables import iterable_of
from adcore.frontend.values.containers.lists import in_memory as list_in_memory
from adcore.frontend.values.containers.sequences import static_items
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.numbers import materialise, scalar_type
from adcore.ir.core import Value
from adcore.ir.types import BOOL, F64, I64, ListType, Scalar

Reader = Callable[[Sequence[Value]], Abstract]


@dataclass(frozen=True)
class ReductionSource:
    """What is reduced: elements of type `element`, of which `chosen` (if given) tells which count."""

    shape: Extents
    element: Scalar
    read: Reader
    chosen: Callable[[Sequence[Value]], Value] | None = None


def source_of(scope: FunctionScope, node: ast.AST, value: Abstract, what: str) -> ReductionSource | None:
    """Arrays, lists of numbers, numbers; reports what can't be reduced."""
    if isinstance(value, BooleanIndexed):
        selects, inner = value.selects, value.source
        return ReductionSource(inner.shape, inner.element, inner.at,
                      lambda index: materialise(scope, load(scope, selects, index[: selects.rank])))  # fmt: skip
    if isinstance(value, Uniform) and not isinstance(value.leaves[0].type, ListType) and len(value.leaves) == 1:
        iterable = iterable_of(scope, node, value)
        assert iterable is not None
        return _read_as((iterable.length,), lambda index: iterable.item(Num(index[0])), scope)
    if isinstance(value, (Items, ListRef)) and all(map(is_scalar, static_items(scope, value))):
        items = static_items(scope, value)
        value = list_in_memory(scope, items, joint_type(scope, items), None)
    part = operand(scope, value)
    if part is not None:
        return ReductionSource(part.shape, part.element, part.at)
    if not isinstance(value, Poison):
        scope.error(node, f"{what} does not take {describe(value)}", "pass an array")
    return None


def _read_as(shape: Extents, read: Reader, scope: FunctionScope) -> ReductionSource:
    with scope.builder.region():
        element = scalar_type(read([scope.const(0)] * len(shape)))
    return ReductionSource(shape, element, read)


# Along axes -----------------------------------------------------------------------------------------------------------


def axes_of(scope: FunctionScope, node: ast.AST, axis: Abstract | None, rank: int) -> tuple[int, ...] | None:
    """The axes that `axis=` names, in order; reports what names none."""
    if axis is None or (isinstance(axis, Constant) and axis.value is None):
        return tuple(range(rank))
    given = static_items(scope, axis) if isinstance(axis, Items) else (axis,)
    found = [as_static_int(a) for a in given]
    known = [a for a in found if a is not None]
    if len(known) < len(found):
        scope.error(node, "`axis` must be known while compiling", "write it as a number")
        return None
    for a in known:
        if not -rank <= a < rank:
            scope.error(node, f"axis {a} is out of bounds for array of dimension {rank}")
            return None
    if len({a % rank for a in known}) < len(known):
        scope.error(node, "duplicate value in 'axis'")
        return None
    return tuple(sorted(a % rank for a in known))


def _slice(source: ReductionSource, fixed: dict[int, Value]) -> ReductionSource:
    """The source with the subscripts of some axes fixed."""
    rank = len(source.shape)

    def whole(index: Sequence[Value]) -> list[Value]:
        inner = iter(index)
        return [fixed[axis] if axis in fixed else next(inner) for axis in range(rank)]

    read, chosen = source.read, source.chosen
    return replace(
        source,
        shape=tuple(n for axis, n in enumerate(source.shape) if axis not in fixed),
        read=lambda index: read(whole(index)),
        chosen=None if chosen is None else lambda index: chosen(whole(index)),
    )


# Reductions -----------------------------------------------------------------------------------------------------------


def fold(
    scope: FunctionScope,
    source: ReductionSource,
    first: Sequence[Value],
    step: Callable[[Sequence[Value], Sequence[Value]], Sequence[Value]],
) -> Sequence[Value]:
    """What `step(index, carried)` makes of `first` over all elements that count."""
    chosen = source.chosen

    def body(index: list[Value], carried: Sequence[Value]) -> Sequence[Value]:
        if chosen is None:
            return step(index, carried)
        with scope.builder.region() as inside:
            inside.yields = tuple(step(index, carried))
        with scope.builder.region() as outside:
            outside.yields = tuple(carried)
        types = [v.type for v in carried]
        return scope.builder.emit_many("if", (chosen(index),), {}, (inside.region, outside.region), types)

    return accumulate(scope, source.shape, first, body)


def combine(scope: FunctionScope, source: ReductionSource, first: Value, type_: Scalar, op: str, **attrs: Any) -> Num:
    """Combine all elements with `op`. The order is not the user's to see, hence the flags that callers give."""

    def step(index: Sequence[Value], carried: Sequence[Value]) -> list[Value]:
        return [scope.emit(op, carried[0], materialise(scope, source.read(index), type_), **attrs)]

    return Num(fold(scope, source, [first], step)[0], STRONG)


def summed(element: Scalar) -> Scalar:
    """The type in which NumPy adds and multiplies elements."""
    return element if element.kind == "f" else I64


def averaged(element: Scalar) -> Scalar:
    return element if element.kind == "f" else F64


def total(scope: FunctionScope, source: ReductionSource, type_: Scalar) -> Num:
    zero = scope.const(0.0 if type_.kind == "f" else 0, type_)
    flags = {"flags": "sum"} if type_.kind == "f" else {}
    return combine(scope, source, zero, type_, "add", **flags)


def count(scope: FunctionScope, source: ReductionSource, type_: Scalar) -> Value:
    """How many elements count, as a float."""
    size = materialise(scope, product(scope, source.shape), I64)
    if source.chosen is not None:
        one = scope.const(1)
        (size,) = fold(scope, source, [scope.const(0)], lambda i, c: [scope.emit("add", c[0], one, exact=True)])
    return scope.emit("cast", size, type=type_.name)


def not_empty(scope: FunctionScope, source: ReductionSource, message: str) -> None:
    size = product(scope, source.shape)
    if not isinstance(size, Constant) or size.value == 0:
        scope.check(scope.emit("gt", materialise(scope, size, I64), scope.const(0)), "ValueError", message)


def truth_fold(scope: FunctionScope, source: ReductionSource, op: str, first: bool) -> Num:
    """`or` or `and` of the truths of all elements."""

    def truth(index: Sequence[Value]) -> Abstract:
        value = materialise(scope, source.read(index))
        return Num(value if value.type == BOOL else scope.emit("cast", value, type="bool"), STRONG)

    return combine(scope, replace(source, read=truth), scope.const(first), BOOL, op)


def linear(scope: FunctionScope, shape: Extents, index: Sequence[Value]) -> Value:
    """The position of an element in C order."""
    where = index[0] if index else scope.const(0)
    for length, k in zip(shape[1:], index[1:], strict=True):
        where = scope.emit("mul", where, materialise(scope, length, I64), exact=True)
        where = scope.emit("add", where, k, exact=True)
    return where
