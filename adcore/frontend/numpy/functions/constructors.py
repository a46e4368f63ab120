"""New arrays: np.zeros, np.array, np.arange and the like."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

import numpy as np

from adcore.frontend.numpy.elements import fill, store
from adcore.frontend.numpy.elementwise import cast, joint_type, operand
from adcore.frontend.numpy.functions.dtypes import element_type, sizes
from adcore.frontend.numpy.functions.joining import joined
from adcore.frontend.numpy.materialise import allocate, computed, in_memory
from adcore.frontend.registry import Found, numpy_function
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
from adcore.ir.types import F32, F64, I64, Scalar


def _filled(default: float | None) -> Callable[[Frame, ast.Call, Found], Abstract]:
    """np.zeros, np.ones, np.empty and np.ndarray (None)."""

    def rule(frame: Frame, node: ast.Call, found: Found) -> Abstract:
        shape = sizes(frame, node, found["shape"])
        element = element_type(frame, node, found.get("dtype"), F64)
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


@numpy_function(
    np.full,
    takes="shape fill_value dtype",
    least=2,
    samples=("3, 0.5", "(2, 3), a", "2, 7"),
    about="a new array of one number",
)
def _full(frame: Frame, node: ast.Call, found: Found) -> Abstract:
    value, shape = found["fill_value"], sizes(frame, node, found["shape"])
    if not is_scalar(value):
        return frame.error(node, f"np.full takes a number, not {describe(value)}")
    if found.get("dtype") is None:
        one_type(frame, value)
    element = element_type(frame, node, found.get("dtype"), scalar_type(value))
    return POISON if shape is None or element is None else made(frame, node, shape, element, value)


def _like(default: float | None) -> Callable[[Frame, ast.Call, Found], Abstract]:
    """np.zeros_like, np.ones_like, np.empty_like (None)."""

    def rule(frame: Frame, node: ast.Call, found: Found) -> Abstract:
        model = operand(frame, found["a"])
        if model is None:
            return frame.error(node, f"{ast.unparse(node.func)} takes an array, not {describe(found['a'])}")
        element = element_type(frame, node, found.get("dtype"), model.element)
        return POISON if element is None else made(frame, node, model.shape, element, default)

    return rule


@numpy_function(
    np.full_like,
    takes="a fill_value dtype",
    least=2,
    samples=("A, 0.5",),
    about="a new array of one number, shaped like another",
)
def _full_like(frame: Frame, node: ast.Call, found: Found) -> Abstract:
    model, value = operand(frame, found["a"]), found["fill_value"]
    if model is None or not is_scalar(value):
        return frame.error(node, "np.full_like takes an array and a number")
    element = element_type(frame, node, found.get("dtype"), model.element)
    return POISON if element is None else made(frame, node, model.shape, element, value)


@numpy_function(
    np.array,
    takes="object dtype",
    samples=("[1.0, a, 3.0]", "[[1, 2], [3, 4]]", "A"),
    about="numbers of nested lists, or a copy",
)
def _array(frame: Frame, node: ast.Call, found: Found) -> Abstract:
    """np.array of nested lists of numbers, or of an array (a copy)."""
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


@numpy_function(np.copy, takes="a", samples=("A",), about="a copy")
def _copy(frame: Frame, node: ast.Call, found: Found) -> Abstract:
    if not isinstance(found["a"], Array) and not is_array(found["a"]):
        return frame.error(node, f"np.copy takes an array, not {describe(found['a'])}")
    return copied(frame, node, found["a"])


@numpy_function(
    np.arange,
    takes="start stop step dtype",
    samples=("5", "1, 9, 2", "0.0, 1.0, 0.25"),
    about="numbers at equal distances",
)
def _arange(frame: Frame, node: ast.Call, found: Found) -> Abstract:
    """np.arange: of integers like range, of floats `start + k * step` for as many as fit."""
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


@numpy_function(
    np.linspace,
    takes="start stop num endpoint",
    least=2,
    samples=("0.0, 1.0, 5", "a, 2.0, 4, endpoint=False"),
    about="numbers at equal distances, the ends given",
)
def _linspace(frame: Frame, node: ast.Call, found: Found) -> Abstract:
    """np.linspace: `k * step + start`, and exactly `stop` at the end."""
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


@numpy_function(np.eye, np.identity, takes="N M k dtype", samples=("3",), about="the identity matrix")
def _eye(frame: Frame, node: ast.Call, found: Found) -> Abstract:
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


for _function, _value, _about in ((np.zeros, 0.0, "a new array of zeros"), (np.ones, 1.0, "a new array of ones")):
    numpy_function(_function, takes="shape dtype", samples=("3", "(2, 3), np.float32"), about=_about)(_filled(_value))
numpy_function(np.empty, np.ndarray, takes="shape dtype", samples=(), about="a new array of any content")(_filled(None))
numpy_function(
    np.zeros_like, takes="a dtype", samples=("A", "i, np.float64"), about="zeros, shaped like another array"
)(_like(0.0))
numpy_function(np.ones_like, takes="a dtype", samples=("A",), about="ones, shaped like another array")(_like(1.0))
numpy_function(np.empty_like, takes="a dtype", samples=(), about="a new array of any content, shaped like another")(
    _like(None)
)
