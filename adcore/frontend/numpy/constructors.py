"""NumPy's constructors of arrays: of zeros and ones, of numbers, of ranges, and copies."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adcore.frontend.numpy.elements import fill, store
from adcore.frontend.numpy.elementwise import cast, joint_type, operand
from adcore.frontend.numpy.indexing.integers import integer
from adcore.frontend.numpy.joining import joined
from adcore.frontend.numpy.materialise import allocate, computed, in_memory
from adcore.frontend.session import Frame, as_static_int
from adcore.frontend.values.abstract import (
    NONE,
    NUMPY,
    POISON,
    Abstract,
    Array,
    Const,
    Expanded,
    Items,
    Lazy,
    ListRef,
    Num,
    Poison,
    Range,
    Reshaped,
    is_array,
    is_scalar,
)
from adcore.frontend.values.describe import describe
from adcore.frontend.values.iterables import stream_of
from adcore.frontend.values.numbers import materialise, scalar_type
from adcore.frontend.values.scalars import one_type
from adcore.frontend.values.sequences import static_items
from adcore.ir.core import Value
from adcore.ir.types import F32, F64, I64, NUMPY_NAMES, SCALARS, Scalar

ArrayFunction = Callable[[Frame, ast.Call, list[Abstract], dict[str, Abstract]], Abstract]


def parameters(
    frame: Frame, node: ast.Call, names: Sequence[str], args: list[Abstract], named: dict[str, Abstract], least: int = 1
) -> dict[str, Abstract] | None:
    """Arguments by name; reports those that are not supported."""
    function = ast.unparse(node.func)
    found = dict(zip(names, args, strict=False))
    for key, value in named.items():
        if key not in names or key in found:
            frame.error(node, f"{function}(..., {key}=...) is not supported", f"leave `{key}=` out")
            return None
        found[key] = value
    if len(args) > len(names) or len(found) < least:
        frame.error(node, f"{function} does not take these {len(args)} arguments here")
        return None
    return None if any(isinstance(v, Poison) for v in found.values()) else found


def element_type(frame: Frame, node: ast.AST, dtype: Abstract | None, default: Scalar) -> Scalar | None:
    """The element type that `dtype=` names."""
    if dtype is None or dtype is NONE or (isinstance(dtype, Const) and dtype.value is None):
        return default
    if isinstance(dtype, Const):
        try:
            name = np.dtype(dtype.value).name
        except TypeError:
            name = ""
        for ir_name, numpy_name in NUMPY_NAMES.items():
            if numpy_name == name:
                return SCALARS[ir_name]
    frame.error(node, "this dtype is not supported", "use np.float64, np.float32, np.int64 or np.bool_")
    return None


def sizes(frame: Frame, node: ast.AST, shape: Abstract) -> tuple[Abstract, ...] | None:
    """A shape argument as one integer per axis."""
    parts = static_items(frame, shape) if isinstance(shape, (Items, ListRef)) else (shape,)
    found: list[Abstract] = []
    for part in parts:
        value = integer(frame, node, part)
        if value is None:
            return None
        found.append(part if isinstance(part, Const) else Num(value))
    return tuple(found)


def _filled(default: float | None) -> ArrayFunction:
    """np.zeros, np.ones, np.empty and np.ndarray (None)."""

    def rule(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
        found = parameters(frame, node, ("shape", "dtype"), args, named)
        shape = sizes(frame, node, found["shape"]) if found else None
        element = element_type(frame, node, found.get("dtype"), F64) if found else None
        if shape is None or element is None:
            return POISON
        return made(frame, node, shape, element, default)

    return rule


def made(
    frame: Frame, node: ast.Call, shape: tuple[Abstract, ...], element: Scalar, value: float | Abstract | None
) -> Array:
    """A new array with every element `value` (None: undefined)."""
    array = allocate(frame, shape, element, zero=value == 0.0)
    if value is not None and value != 0.0:
        fill(frame, node, array, Const(value) if isinstance(value, (int, float)) else value)
    return array


def _full(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    found = parameters(frame, node, ("shape", "fill_value", "dtype"), args, named, 2)
    if not found:
        return POISON
    value, shape = found["fill_value"], sizes(frame, node, found["shape"])
    if not is_scalar(value):
        return frame.error(node, f"np.full takes a number, not {describe(value)}")
    if found.get("dtype") is None:
        one_type(frame, value)
    element = element_type(frame, node, found.get("dtype"), scalar_type(value))
    return POISON if shape is None or element is None else made(frame, node, shape, element, value)


def _like(default: float | None) -> ArrayFunction:
    """np.zeros_like, np.ones_like, np.empty_like (None)."""

    def rule(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
        found = parameters(frame, node, ("a", "dtype"), args, named)
        if not found:
            return POISON
        model = operand(frame, found["a"])
        if model is None:
            return frame.error(node, f"{ast.unparse(node.func)} takes an array, not {describe(found['a'])}")
        element = element_type(frame, node, found.get("dtype"), model.element)
        return POISON if element is None else made(frame, node, model.shape, element, default)

    return rule


def _full_like(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    found = parameters(frame, node, ("a", "fill_value", "dtype"), args, named, 2)
    if not found:
        return POISON
    model, value = operand(frame, found["a"]), found["fill_value"]
    if model is None or not is_scalar(value):
        return frame.error(node, "np.full_like takes an array and a number")
    element = element_type(frame, node, found.get("dtype"), model.element)
    return POISON if element is None else made(frame, node, model.shape, element, value)


def _array(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    """np.array of nested lists of numbers, or of an array (a copy)."""
    found = parameters(frame, node, ("object", "dtype"), args, named)
    if not found:
        return POISON
    source = found["object"]
    if isinstance(source, (Array, Expanded, Reshaped, Lazy)):
        return copied(frame, node, source, found.get("dtype"))
    if isinstance(source, (Items, ListRef)) and any(map(is_array, static_items(frame, source))):
        rows = joined(frame, node, static_items(frame, source), 0, new_axis=True)
        return rows if "dtype" not in found or isinstance(rows, Poison) else copied(frame, node, rows, found["dtype"])
    shape = _nested_shape(frame, source)
    if shape is None:
        return frame.error(
            node, "np.array takes numbers in nested lists of equal lengths", "fill np.zeros(...) in a loop"
        )
    numbers = _flat(frame, source)
    given = found.get("dtype")
    element = element_type(frame, node, given, joint_type(frame, numbers) if given is None else F64)
    if element is None:
        return POISON
    array = allocate(frame, tuple(map(Const, shape)), element)
    for position, number in zip(np.ndindex(*shape), numbers, strict=True):
        store(frame, node, number, array, [frame.const(k) for k in position])
    return array


def _nested_shape(frame: Frame, value: Abstract) -> tuple[int, ...] | None:
    if is_scalar(value):
        return ()
    if not isinstance(value, (Items, ListRef)):
        return None
    shapes = {_nested_shape(frame, item) for item in static_items(frame, value)}
    if len(shapes) > 1 or None in shapes:
        return None
    (inner,) = shapes or {()}
    assert inner is not None
    return (len(static_items(frame, value)), *inner)


def _flat(frame: Frame, value: Abstract) -> list[Abstract]:
    if is_scalar(value):
        return [value]
    return [number for item in static_items(frame, value) for number in _flat(frame, item)]


def copied(
    frame: Frame, node: ast.AST, source: Abstract, dtype: Abstract | None = None, ordered: bool = False
) -> Abstract:
    """A copy in memory of its own. `ordered`: NumPy's is in C order, whatever the order of `source`."""
    part = operand(frame, source)
    if part is None:
        return in_memory(frame, node, source)
    element = element_type(frame, node, dtype, part.element)
    if element is None:
        return POISON
    converted = cast(frame, part, element)
    assert converted is not None
    copy = computed(frame, node, converted)
    if ordered:
        frame.session.unordered.discard(copy.root)
    return copy


def _copy(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    found = parameters(frame, node, ("a",), args, named)
    if not found:
        return POISON
    if not isinstance(found["a"], Array) and not is_array(found["a"]):
        return frame.error(node, f"np.copy takes an array, not {describe(found['a'])}")
    return copied(frame, node, found["a"])


def _arange(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    """np.arange: of integers like range, of floats `start + k * step` for as many as fit."""
    found = parameters(frame, node, ("start", "stop", "step", "dtype"), args, named)
    if not found:
        return POISON
    start, stop, step = found["start"], found.get("stop"), found.get("step", Const(1))
    if stop is None:
        start, stop = Const(0), start
    bounds = (start, stop, step)
    if not all(map(is_scalar, bounds)):
        return frame.error(node, "np.arange takes numbers", "pass start, stop and step")
    if any(scalar_type(v).kind == "f" for v in bounds):
        return _float_range(frame, node, bounds, found.get("dtype"))
    element = element_type(frame, node, found.get("dtype"), I64)
    stream = stream_of(frame, node, Range(start, stop, step))
    if element is None or stream is None:
        return POISON
    return computed(frame, node, Lazy((stream.length,), element, lambda k: stream.item(Num(k[0])), ()))


def _float_range(
    frame: Frame, node: ast.AST, bounds: tuple[Abstract, Abstract, Abstract], dtype: Abstract | None
) -> Abstract:
    element = element_type(frame, node, dtype, F64)
    if element is None:
        return POISON
    if element != F64 or F32 in [scalar_type(v) for v in bounds]:
        return frame.error(node, "np.arange of floats is supported for float64", "convert it with .astype(...)")
    if all(isinstance(v, Const) for v in bounds):
        length: Abstract = Const(len(np.arange(*(v.value for v in bounds if isinstance(v, Const)))))
        start, _, step = (materialise(frame, v, F64) for v in bounds)
    else:
        start, stop, step = (materialise(frame, v, F64) for v in bounds)
        exact = frame.emit("div", frame.emit("sub", stop, start), step)
        whole = frame.emit("cast", frame.emit("ceil", exact), type="i64")
        length = Num(frame.emit("maximum", whole, frame.const(0)))
    # As NumPy does it: the distance of the first two, which rounding makes another number than the step.
    delta = frame.emit("sub", frame.emit("add", start, step), start)
    return computed(frame, node, Lazy((length,), F64, _steps(frame, start, delta), ()))


def _steps(frame: Frame, start: Value, delta: Value) -> Callable[[Sequence[Value]], Abstract]:
    def at(index: Sequence[Value]) -> Abstract:
        k = frame.emit("cast", index[0], type="f64")
        return Num(frame.emit("add", start, frame.emit("mul", k, delta)), NUMPY)

    return at


def _linspace(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    """np.linspace: `k * step + start`, and exactly `stop` at the end."""
    found = parameters(frame, node, ("start", "stop", "num", "endpoint"), args, named, 2)
    if not found:
        return POISON
    endpoint, number = found.get("endpoint", Const(True)), found.get("num", Const(50))
    num = sizes(frame, node, number)
    if num is None or not isinstance(endpoint, Const) or not all(is_scalar(found[k]) for k in ("start", "stop")):
        return frame.error(node, "np.linspace takes two numbers, a length and a constant `endpoint`")
    start, stop = (materialise(frame, found[k], F64) for k in ("start", "stop"))
    length, one = materialise(frame, num[0], I64), frame.const(1)
    last = frame.emit("sub", length, one, exact=True)
    parts = frame.emit("cast", last if endpoint.value else length, type="f64")
    distance = frame.emit("sub", stop, start)
    step = frame.emit("div", distance, parts)
    if endpoint.value and as_static_int(num[0]) is None:
        # One number, no distance.
        step = frame.emit("select", frame.emit("gt", length, one), step, frame.const(0.0))
    elif endpoint.value and (as_static_int(num[0]) or 0) < 2:
        step = frame.const(0.0)

    def at(index: Sequence[Value]) -> Abstract:
        k = frame.emit("cast", index[0], type="f64")
        value = frame.emit("add", frame.emit("mul", k, step), start)
        if not endpoint.value:
            return Num(value, NUMPY)
        end = frame.emit("eq", index[0], last)
        if as_static_int(num[0]) is None:
            end = frame.emit("and", end, frame.emit("gt", length, one))
        elif (as_static_int(num[0]) or 0) < 2:
            return Num(value, NUMPY)
        return Num(frame.emit("select", end, stop, value), NUMPY)

    return computed(frame, node, Lazy((num[0],), F64, at, ()))


def _eye(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    found = parameters(frame, node, ("N", "M", "k", "dtype"), args, named)
    if not found:
        return POISON
    k = as_static_int(found.get("k", Const(0)))
    rows = sizes(frame, node, found["N"])
    columns = rows if "M" not in found or found["M"] is NONE else sizes(frame, node, found["M"])
    element = element_type(frame, node, found.get("dtype"), F64)
    if rows is None or columns is None or element is None or k is None:
        return frame.error(node, f"{ast.unparse(node.func)} takes lengths, and a constant `k`")
    offset, own = k, element

    def at(index: Sequence[Value]) -> Abstract:
        there = index[0] if not offset else frame.emit("add", index[0], frame.const(offset), exact=True)
        one, zero = (materialise(frame, Const(v), own) for v in (1, 0))
        return Num(frame.emit("select", frame.emit("eq", there, index[1]), one, zero), NUMPY)

    return computed(frame, node, Lazy((rows[0], columns[0]), own, at, ()))


CONSTRUCTORS: dict[Any, ArrayFunction] = {
    np.zeros: _filled(0.0), np.ones: _filled(1.0), np.empty: _filled(None), np.ndarray: _filled(None), np.full: _full,
    np.zeros_like: _like(0.0), np.ones_like: _like(1.0), np.empty_like: _like(None), np.full_like: _full_like,
    np.array: _array, np.copy: _copy, np.arange: _arange, np.linspace: _linspace, np.eye: _eye, np.identity: _eye,
}  # fmt: skip
