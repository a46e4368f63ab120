"""Elements of arrays: reading, storing, looping over all of them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from adcore.frontend.session import FunctionScope, as_static_int
from adcore.frontend.values.abstract import (
    UNTRACKED,
    WEAK,
    Abstract,
    ArrayRef,
    ListRef,
    Num,
    Uniform,
    WeakType,
)
from adcore.frontend.values.numeric.narrow import check_bounds
from adcore.frontend.values.numeric.numbers import materialise, weak_type_of
from adcore.frontend.values.numeric.scalars import fail
from adcore.frontend.values.numeric.weak_types import flag
from adcore.ir.core import Value
from adcore.ir.types import BOOL, F64, I64, NUMPY_NAMES, U64, Scalar
from adcore.source import Span

CAPTURED = -1
"""The alias group of arrays that are globals or closure variables."""

ARRAY_EXPRESSIONS = "write it as operations on the elements, in a loop"


def dims(scope: FunctionScope, array: ArrayRef) -> tuple[Abstract, ...]:
    """The shape of `array`, constants where they are known."""
    if array.shape is not None:
        return array.shape
    return tuple(dim(scope, array, axis) for axis in range(array.rank))


def dim(scope: FunctionScope, array: ArrayRef, axis: int) -> Abstract:
    if array.shape is not None:
        return array.shape[axis]
    return Num(scope.emit("dim", array.value, axis=axis))


def load(scope: FunctionScope, array: ArrayRef, index: Sequence[Value]) -> Abstract:
    """The element at normalised subscripts, as the number that Python sees."""
    value = scope.emit("load", array.value, *index)
    if array.weak_flags is not None:
        return loaded(scope, value, WeakType((scope.emit("load", array.weak_flags, *index),)))
    number = loaded(scope, value, array.weak)
    return number if array.literal is None else _as_found(scope, number, array, array.literal)


def _as_found(scope: FunctionScope, number: Num, array: ArrayRef, where: Span) -> Num:
    """A number out of a list, as it will be once the list is what this compilation found that it has to be."""
    speculation = scope.session.speculation
    element = speculation.elements.get(where, array.element)
    mixed = where in speculation.mixed and not array.weak.mixed
    narrow = number.narrow if element == array.element else None
    value = number.value if narrow is not None else materialise(scope, number, element)
    return Num(value, UNTRACKED if mixed else number.weak, narrow)


def loaded(scope: FunctionScope, value: Value, weak: WeakType) -> Num:
    """A stored number widened to what the frontend computes with."""
    type_ = value.type
    assert isinstance(type_, Scalar)
    if type_ == U64:
        # The only integers that may not fit in what the frontend computes with.
        fits = scope.emit("le", value, scope.const(2**63 - 1, U64))
        scope.check(fits, "OverflowError", "an unsigned 64-bit integer is too large")
    if type_.kind in "iu" and type_ != I64:
        return Num(scope.emit("cast", value, type="i64"), weak, type_)
    return Num(value, weak)


def store(
    scope: FunctionScope, node: ast.AST, value: Abstract, array: ArrayRef, index: Sequence[Value], copied: bool = False
) -> None:
    """Put a number at normalised subscripts; `copied`: it is an element of another array."""
    _put(scope, stored(scope, value, array.element, copied), weak_type_of(value), array, index)


def _put(scope: FunctionScope, value: Value, weak: WeakType, array: ArrayRef, index: Sequence[Value]) -> None:
    """Put what `stored` gave; a list notes whether it is Python's."""
    scope.put(value, array.value, index)
    if array.literal is not None and weak != array.weak and not array.weak.mixed:
        scope.session.speculation.holds_both(array.literal)
    if array.weak_flags is not None:
        scope.put(flag(scope, weak), array.weak_flags, index)


def stored(scope: FunctionScope, value: Abstract, element: Scalar, copied: bool = False) -> Value:
    """A number in the form in which an array of `element` holds it; `copied`: as an element of another array."""
    if isinstance(value, Num) and value.type.kind == "f" and element.kind in "iu":
        value = Num(scope.emit("cast", value.value, type="i64"), value.weak)
    if element.kind in "iu" and element != I64 and isinstance(value, Num) and value.type == I64:
        check_bounds(scope, value.value, element, value.weak if copied or wraps(element) else WEAK)
    return materialise(scope, value, element)


@cache
def wraps(element: Scalar) -> bool:
    """Whether this NumPy stores an integer of its own that does not fit; one of Python's raises."""
    array = np.zeros(1, NUMPY_NAMES[element.name])
    try:
        array[0] = np.int64(-1 if element.kind == "u" else 2 ** (8 * element.bytes - 1))
    except OverflowError:
        return False
    return True


def writeable(scope: FunctionScope, array: ArrayRef, text: str = "assignment destination is read-only") -> bool:
    """Whether stores can go on; raises at run time, as NumPy does, for a read-only array."""
    if not array.writeable:
        fail(scope, "ValueError", text)
    elif array.root in scope.session.frozen and scope.builder.span is not None:
        scope.error(
            scope.builder.span,
            "an array is changed in place that is another one on another path, and that others know as well",
            "copy it before the branch or loop, `u = u.copy()`, or make a new array, `u = u + ...`",
        )
        return False
    return array.writeable


def nest(scope: FunctionScope, shape: Sequence[Abstract], body: Callable[[list[Value]], None]) -> None:
    """Loops over all positions of `shape`, last axis innermost."""

    def step(index: list[Value], carried: Sequence[Value]) -> Sequence[Value]:
        body(index)
        return ()

    accumulate(scope, shape, (), step)


def accumulate(
    scope: FunctionScope,
    shape: Sequence[Abstract],
    carried: Sequence[Value],
    body: Callable[[list[Value], Sequence[Value]], Sequence[Value]],
) -> Sequence[Value]:
    """Loops over all positions of `shape` that carry values; `body(index, carried)` gives the next ones."""

    def level(index: list[Value], values: Sequence[Value]) -> Sequence[Value]:
        if len(index) == len(shape):
            return body(index, values)
        k = Value(I64, "ijklmn"[len(index)] if len(index) < 6 else "i")
        inside = tuple(Value(v.type, v.hint) for v in values)
        high = materialise(scope, shape[len(index)], I64)
        with scope.builder.region((k, *inside)) as region:
            region.yields = tuple(level([*index, k], inside))
        types, hints = [v.type for v in values], [v.hint for v in values]
        operands = (scope.const(0), high, *values)
        return scope.builder.emit_many("for", operands, {"step": 1}, (region.region,), types, hints)

    return level([], carried)


def may_overlap(scope: FunctionScope, a: ArrayRef, b: ArrayRef) -> bool:
    """Whether two arrays can share memory: views of one array, or arguments that overlap in this call. What is captured
    from outside may overlap any argument."""
    if a.root is b.root:
        return True
    groups = [scope.session.groups.get(x.root) for x in (a, b)]
    return not (a.local or b.local) and (CAPTURED in groups or (groups[0] is not None and groups[0] == groups[1]))


def fill(scope: FunctionScope, node: ast.AST, array: ArrayRef, value: Abstract) -> None:
    """`array[...] = value` for a number."""
    if not writeable(scope, array):
        return
    if array.literal is not None:
        nest(scope, dims(scope, array), lambda index: store(scope, node, value, array, index))
    else:
        element = stored(scope, value, array.element)
        nest(
            scope,
            dims(scope, array),
            lambda index: scope.put(element, array.value, index),
        )


def check_length(scope: FunctionScope, wanted: Abstract, given: Abstract, message: str) -> None:
    """Raise ValueError at run time unless two lengths agree."""
    a, b = as_static_int(wanted), as_static_int(given)
    if a is not None and a == b:
        return
    x, y = materialise(scope, wanted, I64), materialise(scope, given, I64)
    if x is not y:
        scope.check(scope.emit("eq", x, y), "ValueError", message, x, y)


def wider(element: Scalar, value: Scalar) -> Scalar | None:
    """The element type that a list of `element` needs to hold a `value`, if it is another one."""
    order = (BOOL, I64, F64)
    if element in order and value in order and order.index(value) > order.index(element):
        return value
    return None


def is_list(value: Abstract) -> bool:
    return (
        isinstance(value, ListRef)
        or (isinstance(value, ArrayRef) and value.literal is not None)
        or isinstance(value, Uniform)
    )
