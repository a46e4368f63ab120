"""Elements and views of arrays: `x[i, j]`, `x[1:-1, ::2]`."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from adcore.frontend.numpy.elements import ARRAY_EXPRESSIONS, dim, load
from adcore.frontend.numpy.indexing.integers import integer, normalised
from adcore.frontend.session import FunctionScope, as_static_int
from adcore.frontend.values.abstract import (
    NONE,
    Abstract,
    ArrayRef,
    Constant,
    Items,
    Num,
    Poison,
    SubscriptSlice,
    is_scalar,
)
from adcore.frontend.values.numeric.numbers import materialise, scalar_type
from adcore.ir.core import Value
from adcore.ir.types import BOOL, I64


def subscripts(scope: FunctionScope, node: ast.expr) -> list[Abstract]:
    """The parts of what stands between the brackets."""
    parts = node.elts if isinstance(node, ast.Tuple) else [node]
    found: list[Abstract] = []
    for part in parts:
        if isinstance(part, ast.Slice):
            bounds = (NONE if b is None else scope.evaluate(b) for b in (part.lower, part.upper, part.step))
            found.append(SubscriptSlice(*bounds))
        else:
            value = scope.evaluate(part)
            found += value.items if isinstance(value, Items) else [value]
    return found


def expanded(scope: FunctionScope, node: ast.AST, array: ArrayRef, parts: list[Abstract]) -> list[Abstract] | None:
    """One subscript per axis: `...` and missing ones become whole slices."""
    whole = SubscriptSlice(NONE, NONE, NONE)
    dots = [k for k, p in enumerate(parts) if isinstance(p, Constant) and p.value is Ellipsis]
    if any(isinstance(p, Poison) for p in parts):
        return None
    if any(isinstance(p, Constant) and p.value is None for p in parts):
        scope.error(node, "`None` (a new axis) in a subscript is not supported here", ARRAY_EXPRESSIONS)
        return None
    if len(dots) > 1 or len(parts) - len(dots) > array.rank:
        scope.error(
            node,
            f"too many indices: the array has {array.rank} axes, {len(parts) - len(dots)} were given",
            "pass an array of higher rank, or drop subscripts",
        )
        return None
    missing: list[Abstract] = [whole] * (array.rank - len(parts) + len(dots))
    if dots:
        return [*parts[: dots[0]], *missing, *parts[dots[0] + 1 :]]
    return [*parts, *missing]


def element_or_view(scope: FunctionScope, node: ast.AST, array: ArrayRef, parts: list[Abstract]) -> Abstract:
    """`array[parts]`: an element if every axis has an integer, otherwise a view."""
    place = locate(scope, node, array, parts)
    if place is None:
        return Poison()
    view, index = place
    return view if index is None else load(scope, view, index)


def locate(
    scope: FunctionScope, node: ast.AST, array: ArrayRef, parts: list[Abstract]
) -> tuple[ArrayRef, list[Value] | None] | None:
    """Where `array[parts]` is: (array, normalised subscripts) of an element, or (view, None)."""
    axes = expanded(scope, node, array, parts)
    if axes is None:
        return None
    operands: list[Value] = []
    shape: list[Abstract] = []
    text, whole = "", True
    for axis, part in enumerate(axes):
        length = dim(scope, array, axis)
        if isinstance(part, SubscriptSlice):
            bounds = slice_bounds(scope, node, part, length)
            if bounds is None:
                return None
            start, count, step, full = bounds
            operands += [start, materialise(scope, count, I64), step]
            shape.append(count)
            text, whole = text + "s", whole and full
        else:
            if is_scalar(part) and scalar_type(part) == BOOL and array.literal is None:
                scope.error(node, "a bool is no subscript of an array", "write int(...) around it")
                return None
            index = integer(scope, node, part)
            if index is None:
                return None
            operands.append(normalised(scope, index, length, axis))
            text += "i"
    if "s" not in text and (array.rank or not parts):
        return array, operands
    if not array.rank:
        return (array, []) if not parts else (array, None)
    attrs: dict[str, Any] = {"axes": text, "whole": True} if whole else {"axes": text}
    value = scope.emit("view", array.value, *operands, **attrs)
    flags = None if array.weak_flags is None else scope.emit("view", array.weak_flags, *operands, **attrs)
    view = replace(array, value=value, shape=tuple(shape), weak_flags=flags)
    return view, None


SliceBounds = tuple[Value, Abstract, Value, bool]
"""(start, count, step, whole axis) of a slice."""


def slice_bounds(scope: FunctionScope, node: ast.AST, part: SubscriptSlice, length: Abstract) -> SliceBounds | None:
    """A slice clamped as Python clamps."""
    found = _slice_bounds(scope, node, part, length)
    if found is not None and isinstance(found[1], Num) and _at_most_one(scope, part):
        scope.session.at_most_one.add(found[1].value)
    return found


def _at_most_one(scope: FunctionScope, part: SubscriptSlice) -> bool:
    """`x[:1]`, `x[-1:]`, `x[i : i + 1]`."""
    low, high = as_static_int(part.lo), as_static_int(part.hi)
    if part.lo is NONE:
        low = 0
    if low is not None:
        return (low == -1 and part.hi is NONE) or (high == low + 1 and (low < 0) == (high < 0))
    if not (isinstance(part.lo, Num) and isinstance(part.hi, Num)):
        return False
    found = scope.builder.definition(part.hi.value)
    return found is not None and found.op == "add" and set(found.operands) == {part.lo.value, scope.const(1)}


def _slice_bounds(scope: FunctionScope, node: ast.AST, part: SubscriptSlice, length: Abstract) -> SliceBounds | None:
    step = 1 if part.step is NONE else as_static_int(part.step)
    if not step:
        if not isinstance(part.step, Poison):
            scope.error(node, "the step of a slice must be a constant other than 0", "write the step as a number")
        return None
    known = as_static_int(length)
    bounds = [part.lo, part.hi]
    statics = [None if b is NONE else as_static_int(b) for b in bounds]
    if known is not None and all(b is NONE or s is not None for b, s in zip(bounds, statics, strict=True)):
        start, stop, _ = slice(statics[0], statics[1], step).indices(known)
        count = len(range(start, stop, step))
        return scope.const(max(start, 0)), Constant(count), scope.const(step), (start, count, step) == (0, known, 1)
    n = materialise(scope, length, I64)
    if part.lo is NONE and part.hi is NONE and step == 1:
        return scope.const(0), length, scope.const(1), True
    if step > 0 and (statics[0] or 0) >= 0 and (part.lo is NONE or statics[0] is not None):
        return _from_front(scope, node, part, statics[0] or 0, n, step)
    low, high = _clamped(scope, node, bounds, n, step)
    if low is None or high is None:
        return None
    zero = scope.const(0)
    distance = scope.emit("sub", high, low, exact=True) if step > 0 else scope.emit("sub", low, high, exact=True)
    distance = _rounded_up(scope, distance, abs(step))
    count_value = scope.emit("maximum", distance, zero)
    # An empty slice of a negative step may start at -1, which is no position.
    start_value = low if step > 0 else scope.emit("maximum", low, zero)
    return start_value, Num(count_value), scope.const(step), False


def _from_front(
    scope: FunctionScope, node: ast.AST, part: SubscriptSlice, start: int, n: Value, step: int
) -> SliceBounds | None:
    """A slice that starts at a known position: it may lie behind the end, as nothing is there then. So the start stays
    a constant, from which later passes profit."""
    stop = as_static_int(part.hi)
    zero = scope.const(0)
    if part.hi is NONE or (stop is not None and stop < 0):
        offset = (stop or 0) - start
        distance = scope.emit("add", n, scope.const(offset), exact=True) if offset else n
        clamps = offset < 0
    else:
        high = _clamped(scope, node, (NONE, part.hi), n, 1)[1]
        if high is None:
            return None
        distance = scope.emit("sub", high, scope.const(start), exact=True) if start else high
        clamps = start > 0
    distance = _rounded_up(scope, distance, step)
    if clamps:
        distance = scope.emit("maximum", distance, zero)
    return scope.const(start), Num(distance), scope.const(step), False


def _rounded_up(scope: FunctionScope, distance: Value, step: int) -> Value:
    """How many steps it takes to get so far."""
    if step == 1:
        return distance
    padded = scope.emit("add", distance, scope.const(step - 1), exact=True)
    return scope.emit("floordiv", padded, scope.const(step))


def _clamped(
    scope: FunctionScope, node: ast.AST, bounds: Sequence[Abstract], n: Value, step: int
) -> tuple[Value | None, Value | None]:
    """Both bounds inside what Python allows: 0..n for positive steps, -1..n-1 for negative ones."""
    one, zero = scope.const(1), scope.const(0)
    if step > 0:
        least, most, defaults = zero, n, (zero, n)
    else:
        most, least = scope.emit("sub", n, one, exact=True), scope.const(-1)
        defaults = (most, least)
    found: list[Value | None] = []
    for bound, default in zip(bounds, defaults, strict=True):
        if bound is NONE:
            found.append(default)
            continue
        value = integer(scope, node, bound)
        if value is None:
            found.append(None)
            continue
        static = as_static_int(bound)
        if static is None:
            # Of bounds at the ends of 64 bits, only a negative one meets the length, and that sum always fits.
            behind = scope.emit("add", scope.emit("minimum", value, zero), n, exact=True)
            from_end = scope.emit("maximum", behind, least)
            from_start = scope.emit("minimum", value, most)
            found.append(scope.emit("select", scope.emit("lt", value, zero), from_end, from_start))
        elif static < 0:
            found.append(scope.emit("maximum", scope.emit("add", n, value, exact=True), least))
        else:
            found.append(zero if static == 0 and step > 0 else scope.emit("minimum", value, most))
    return found[0], found[1]
