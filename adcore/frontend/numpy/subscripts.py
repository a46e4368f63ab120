"""Elements and views of arrays: `x[i, j]`, `x[1:-1, ::2]`, stores into them, and copies between them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from adcore.frontend.session import Frame, as_static_int
from adcore.frontend.values.abstract import (
    NONE,
    PYTHON,
    UNTRACKED,
    Abstract,
    Array,
    Const,
    Items,
    Kind,
    ListRef,
    Num,
    Poison,
    Slice,
    Uniform,
    is_scalar,
)
from adcore.frontend.values.joins import describe, kind_of, materialise, scalar_type
from adcore.frontend.values.scalars import fail, refused_bool
from adcore.frontend.values.weak_types import check_python, flag
from adcore.ir.core import Value
from adcore.ir.types import BOOL, F64, I64, NUMPY_NAMES, U64, Scalar
from adcore.source import Span

CAPTURED = -1
"""The alias group of arrays that are globals or closure variables."""

ARRAY_EXPRESSIONS = "write it as operations on the elements, in a loop"


def dims(frame: Frame, array: Array) -> tuple[Abstract, ...]:
    """The shape of `array`, constants where they are known."""
    if array.shape is not None:
        return array.shape
    return tuple(dim(frame, array, axis) for axis in range(array.rank))


def dim(frame: Frame, array: Array, axis: int) -> Abstract:
    if array.shape is not None:
        return array.shape[axis]
    return Num(frame.emit("dim", array.value, axis=axis))


def integer(frame: Frame, node: ast.AST, value: Abstract) -> Value | None:
    """An integer subscript as an IR value; reports anything else."""
    if isinstance(value, Array) and value.rank == 0 and value.element.kind in "iu":
        value = load(frame, value, ())
    if isinstance(value, Const) and as_static_int(value) is None:
        frame.error(node, f"a subscript can't be {describe(value)}")
        return None
    if isinstance(value, Array):
        frame.error(node, "a subscript that is an array is not supported here", ARRAY_EXPRESSIONS)
        return None
    if not is_scalar(value):
        if not isinstance(value, Poison):
            frame.error(node, f"a subscript can't be {describe(value)}")
        return None
    if isinstance(value, Num) and value.type.kind == "f":
        frame.error(node, "a subscript must be an integer, not a float", "write int(...) around it")
        return None
    if refused_bool(frame, node, "a subscript or a length can't be", value) is not None:
        return None
    if isinstance(value, Num) and value.type == BOOL:
        return frame.emit("cast", value.value, type="i64")
    return materialise(frame, value, I64)


def normalised(frame: Frame, index: Value, length: Abstract, axis: int = 0) -> Value:
    """`index` as Python takes it: negative counts from the end, outside raises IndexError."""
    return frame.emit("index", index, materialise(frame, length, I64), axis=axis)


def load(frame: Frame, array: Array, index: Sequence[Value]) -> Abstract:
    """The element at normalised subscripts, as the number that Python sees."""
    value = frame.emit("load", array.value, *index)
    if array.kinds is not None:
        return loaded(frame, value, Kind((frame.emit("load", array.kinds, *index),)))
    number = loaded(frame, value, array.kind)
    return number if array.literal is None else _as_found(frame, number, array, array.literal)


def _as_found(frame: Frame, number: Num, array: Array, where: Span) -> Num:
    """A number out of a list, as it will be once the list is what this compilation found that it has to be."""
    speculation = frame.session.speculation
    element = speculation.elements.get(where, array.element)
    mixed = where in speculation.mixed and not array.kind.mixed
    return Num(materialise(frame, number, element), UNTRACKED if mixed else number.kind)


def loaded(frame: Frame, value: Value, kind: Kind) -> Num:
    """A stored number widened to what the frontend computes with."""
    type_ = value.type
    assert isinstance(type_, Scalar)
    if type_ == U64:
        # The only integers that may not fit in what the frontend computes with.
        fits = frame.emit("le", value, frame.const(2**63 - 1, U64))
        frame.check(fits, "OverflowError", "an unsigned 64-bit integer is too large")
    if type_.kind in "iu" and type_ != I64:
        value = frame.emit("cast", value, type="i64")
    return Num(value, kind)


def store(
    frame: Frame, node: ast.AST, value: Abstract, array: Array, index: Sequence[Value], copied: bool = False
) -> None:
    """Put a number at normalised subscripts; `copied`: it is an element of another array."""
    _put(frame, stored(frame, value, array.element, copied), kind_of(value), array, index)


def _put(frame: Frame, value: Value, kind: Kind, array: Array, index: Sequence[Value]) -> None:
    """Put what `stored` gave; a list notes whose it is."""
    frame.put(value, array.value, index)
    if array.literal is not None and kind != array.kind and not array.kind.mixed:
        frame.session.speculation.holds_both(array.literal)
    if array.kinds is not None:
        frame.put(flag(frame, kind), array.kinds, index)


def stored(frame: Frame, value: Abstract, element: Scalar, copied: bool = False) -> Value:
    """A number in the form in which an array of `element` holds it; `copied`: as an element of another array."""
    if isinstance(value, Num) and value.type.kind == "f" and element.kind in "iu":
        value = Num(frame.emit("cast", value.value, type="i64"), value.kind)
    if element.kind in "iu" and element != I64 and isinstance(value, Num) and value.type == I64:
        _check_bounds(frame, value, element, value.kind if copied or wraps(element) else PYTHON)
    return materialise(frame, value, element)


@cache
def wraps(element: Scalar) -> bool:
    """Whether this NumPy stores an integer of its own that does not fit; one of Python's raises."""
    array = np.zeros(1, NUMPY_NAMES[element.name])
    try:
        array[0] = np.int64(-1 if element.kind == "u" else 2 ** (8 * element.bytes - 1))
    except OverflowError:
        return False
    return True


def _check_bounds(frame: Frame, value: Num, element: Scalar, kind: Kind) -> None:
    bits = 8 * element.bytes
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if element.kind == "i" else (0, 2**bits - 1)

    def inside() -> Value:
        above = frame.emit("ge", value.value, frame.const(low))
        if element == U64:
            return above
        return frame.emit("and", above, frame.emit("le", value.value, frame.const(high)))

    message = f"Python integer {{}} out of bounds for {NUMPY_NAMES[element.name]}"
    check_python(frame, kind, inside, "OverflowError", message, value.value)


def writeable(frame: Frame, array: Array, text: str = "assignment destination is read-only") -> bool:
    """Whether stores can go on; raises at run time, as NumPy does, for a read-only array."""
    if not array.writeable:
        fail(frame, "ValueError", text)
    elif array.root in frame.session.frozen and frame.builder.span is not None:
        frame.error(
            frame.builder.span,
            "an array is changed in place that is another one on another path, and that others know as well",
            "copy it before the branch or loop, `u = u.copy()`, or make a new array, `u = u + ...`",
        )
        return False
    return array.writeable


def subscripts(frame: Frame, node: ast.expr) -> list[Abstract]:
    """The parts of what stands between the brackets."""
    parts = node.elts if isinstance(node, ast.Tuple) else [node]
    found: list[Abstract] = []
    for part in parts:
        if isinstance(part, ast.Slice):
            bounds = (NONE if b is None else frame.evaluate(b) for b in (part.lower, part.upper, part.step))
            found.append(Slice(*bounds))
        else:
            value = frame.evaluate(part)
            found += value.items if isinstance(value, Items) else [value]
    return found


def expanded(frame: Frame, node: ast.AST, array: Array, parts: list[Abstract]) -> list[Abstract] | None:
    """One subscript per axis: `...` and missing ones become whole slices."""
    whole = Slice(NONE, NONE, NONE)
    dots = [k for k, p in enumerate(parts) if isinstance(p, Const) and p.value is Ellipsis]
    if any(isinstance(p, Poison) for p in parts):
        return None
    if any(isinstance(p, Const) and p.value is None for p in parts):
        frame.error(node, "`None` (a new axis) in a subscript is not supported here", ARRAY_EXPRESSIONS)
        return None
    if len(dots) > 1 or len(parts) - len(dots) > array.rank:
        frame.error(
            node,
            f"too many indices: the array has {array.rank} axes, {len(parts) - len(dots)} were given",
            "pass an array of higher rank, or drop subscripts",
        )
        return None
    missing: list[Abstract] = [whole] * (array.rank - len(parts) + len(dots))
    if dots:
        return [*parts[: dots[0]], *missing, *parts[dots[0] + 1 :]]
    return [*parts, *missing]


def element_or_view(frame: Frame, node: ast.AST, array: Array, parts: list[Abstract]) -> Abstract:
    """`array[parts]`: an element if every axis has an integer, otherwise a view."""
    place = locate(frame, node, array, parts)
    if place is None:
        return Poison()
    view, index = place
    return view if index is None else load(frame, view, index)


def locate(frame: Frame, node: ast.AST, array: Array, parts: list[Abstract]) -> tuple[Array, list[Value] | None] | None:
    """Where `array[parts]` is: (array, normalised subscripts) of an element, or (view, None)."""
    axes = expanded(frame, node, array, parts)
    if axes is None:
        return None
    operands: list[Value] = []
    shape: list[Abstract] = []
    text, whole = "", True
    for axis, part in enumerate(axes):
        length = dim(frame, array, axis)
        if isinstance(part, Slice):
            bounds = slice_bounds(frame, node, part, length)
            if bounds is None:
                return None
            start, count, step, full = bounds
            operands += [start, materialise(frame, count, I64), step]
            shape.append(count)
            text, whole = text + "s", whole and full
        else:
            if is_scalar(part) and scalar_type(part) == BOOL and array.literal is None:
                frame.error(node, "a bool is no subscript of an array", "write int(...) around it")
                return None
            index = integer(frame, node, part)
            if index is None:
                return None
            operands.append(normalised(frame, index, length, axis))
            text += "i"
    if "s" not in text and (array.rank or not parts):
        return array, operands
    if not array.rank:
        return (array, []) if not parts else (array, None)
    attrs: dict[str, Any] = {"axes": text, "whole": True} if whole else {"axes": text}
    value = frame.emit("view", array.value, *operands, **attrs)
    kinds = None if array.kinds is None else frame.emit("view", array.kinds, *operands, **attrs)
    view = replace(array, value=value, shape=tuple(shape), kinds=kinds)
    return view, None


Bounds = tuple[Value, Abstract, Value, bool]
"""(start, count, step, whole axis) of a slice."""


def slice_bounds(frame: Frame, node: ast.AST, part: Slice, length: Abstract) -> Bounds | None:
    """A slice clamped as Python clamps."""
    found = _slice_bounds(frame, node, part, length)
    if found is not None and isinstance(found[1], Num) and _at_most_one(frame, part):
        frame.session.at_most_one.add(found[1].value)
    return found


def _at_most_one(frame: Frame, part: Slice) -> bool:
    """`x[:1]`, `x[-1:]`, `x[i : i + 1]`."""
    low, high = as_static_int(part.lo), as_static_int(part.hi)
    if part.lo is NONE:
        low = 0
    if low is not None:
        return (low == -1 and part.hi is NONE) or (high == low + 1 and (low < 0) == (high < 0))
    if not (isinstance(part.lo, Num) and isinstance(part.hi, Num)):
        return False
    found = frame.builder.definition(part.hi.value)
    return found is not None and found.op == "add" and set(found.operands) == {part.lo.value, frame.const(1)}


def _slice_bounds(frame: Frame, node: ast.AST, part: Slice, length: Abstract) -> Bounds | None:
    step = 1 if part.step is NONE else as_static_int(part.step)
    if not step:
        if not isinstance(part.step, Poison):
            frame.error(node, "the step of a slice must be a constant other than 0", "write the step as a number")
        return None
    known = as_static_int(length)
    bounds = [part.lo, part.hi]
    statics = [None if b is NONE else as_static_int(b) for b in bounds]
    if known is not None and all(b is NONE or s is not None for b, s in zip(bounds, statics, strict=True)):
        start, stop, _ = slice(statics[0], statics[1], step).indices(known)
        count = len(range(start, stop, step))
        return frame.const(max(start, 0)), Const(count), frame.const(step), (start, count, step) == (0, known, 1)
    n = materialise(frame, length, I64)
    if part.lo is NONE and part.hi is NONE and step == 1:
        return frame.const(0), length, frame.const(1), True
    if step > 0 and (statics[0] or 0) >= 0 and (part.lo is NONE or statics[0] is not None):
        return _from_front(frame, node, part, statics[0] or 0, n, step)
    low, high = _clamped(frame, node, bounds, n, step)
    if low is None or high is None:
        return None
    zero = frame.const(0)
    distance = frame.emit("sub", high, low, exact=True) if step > 0 else frame.emit("sub", low, high, exact=True)
    distance = _rounded_up(frame, distance, abs(step))
    count_value = frame.emit("maximum", distance, zero)
    # An empty slice of a negative step may start at -1, which is no position.
    start_value = low if step > 0 else frame.emit("maximum", low, zero)
    return start_value, Num(count_value), frame.const(step), False


def _from_front(frame: Frame, node: ast.AST, part: Slice, start: int, n: Value, step: int) -> Bounds | None:
    """A slice that starts at a known position: it may lie behind the end, as nothing is there then. So the start stays
    a constant, from which later passes profit."""
    stop = as_static_int(part.hi)
    zero = frame.const(0)
    if part.hi is NONE or (stop is not None and stop < 0):
        offset = (stop or 0) - start
        distance = frame.emit("add", n, frame.const(offset), exact=True) if offset else n
        clamps = offset < 0
    else:
        high = _clamped(frame, node, (NONE, part.hi), n, 1)[1]
        if high is None:
            return None
        distance = frame.emit("sub", high, frame.const(start), exact=True) if start else high
        clamps = start > 0
    distance = _rounded_up(frame, distance, step)
    if clamps:
        distance = frame.emit("maximum", distance, zero)
    return frame.const(start), Num(distance), frame.const(step), False


def _rounded_up(frame: Frame, distance: Value, step: int) -> Value:
    """How many steps it takes to get so far."""
    if step == 1:
        return distance
    padded = frame.emit("add", distance, frame.const(step - 1), exact=True)
    return frame.emit("floordiv", padded, frame.const(step))


def _clamped(
    frame: Frame, node: ast.AST, bounds: Sequence[Abstract], n: Value, step: int
) -> tuple[Value | None, Value | None]:
    """Both bounds inside what Python allows: 0..n for positive steps, -1..n-1 for negative ones."""
    one, zero = frame.const(1), frame.const(0)
    if step > 0:
        least, most, defaults = zero, n, (zero, n)
    else:
        most, least = frame.emit("sub", n, one, exact=True), frame.const(-1)
        defaults = (most, least)
    found: list[Value | None] = []
    for bound, default in zip(bounds, defaults, strict=True):
        if bound is NONE:
            found.append(default)
            continue
        value = integer(frame, node, bound)
        if value is None:
            found.append(None)
            continue
        static = as_static_int(bound)
        if static is None:
            from_end = frame.emit("maximum", frame.emit("add", value, n), least)
            from_start = frame.emit("minimum", value, most)
            found.append(frame.emit("select", frame.emit("lt", value, zero), from_end, from_start))
        elif static < 0:
            found.append(frame.emit("maximum", frame.emit("add", n, value, exact=True), least))
        else:
            found.append(zero if static == 0 and step > 0 else frame.emit("minimum", value, most))
    return found[0], found[1]


def nest(frame: Frame, shape: Sequence[Abstract], body: Callable[[list[Value]], None]) -> None:
    """Loops over all positions of `shape`, last axis innermost."""

    def step(index: list[Value], carried: Sequence[Value]) -> Sequence[Value]:
        body(index)
        return ()

    accumulate(frame, shape, (), step)


def accumulate(
    frame: Frame,
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
        high = materialise(frame, shape[len(index)], I64)
        with frame.builder.region((k, *inside)) as region:
            region.yields = tuple(level([*index, k], inside))
        types, hints = [v.type for v in values], [v.hint for v in values]
        operands = (frame.const(0), high, *values)
        return frame.builder.emit_many("for", operands, {"step": 1}, (region.region,), types, hints)

    return level([], carried)


def may_overlap(frame: Frame, a: Array, b: Array) -> bool:
    """Whether two arrays can share memory: views of one array, or arguments that overlap in this call. What is captured
    from outside may overlap any argument."""
    if a.root is b.root:
        return True
    groups = [frame.session.groups.get(x.root) for x in (a, b)]
    return not (a.local or b.local) and (CAPTURED in groups or (groups[0] is not None and groups[0] == groups[1]))


def fill(frame: Frame, node: ast.AST, array: Array, value: Abstract) -> None:
    """`array[...] = value` for a number."""
    if not writeable(frame, array):
        return
    if array.literal is not None:
        nest(frame, dims(frame, array), lambda index: store(frame, node, value, array, index))
    else:
        element = stored(frame, value, array.element)
        nest(
            frame,
            dims(frame, array),
            lambda index: frame.put(element, array.value, index),
        )


def check_length(frame: Frame, wanted: Abstract, given: Abstract, message: str) -> None:
    """Raise ValueError at run time unless two lengths agree."""
    a, b = as_static_int(wanted), as_static_int(given)
    if a is not None and a == b:
        return
    x, y = materialise(frame, wanted, I64), materialise(frame, given, I64)
    if x is not y:
        frame.check(frame.emit("eq", x, y), "ValueError", message, x, y)


def wider(element: Scalar, value: Scalar) -> Scalar | None:
    """The element type that a list of `element` needs to hold a `value`, if it is another one."""
    order = (BOOL, I64, F64)
    if element in order and value in order and order.index(value) > order.index(element):
        return value
    return None


def is_list(value: Abstract) -> bool:
    return (
        isinstance(value, ListRef)
        or (isinstance(value, Array) and value.literal is not None)
        or isinstance(value, Uniform)
    )
