"""New arrays: np.zeros, np.array, np.arange and the like."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

import numpy as np

from adcore.frontend.numpy.elements import fill, store
from adcore.frontend.numpy.elementwise import cast, operand
from adcore.frontend.numpy.functions.dtypes import element_type, sizes
from adcore.frontend.numpy.functions.joining import joined
from adcore.frontend.numpy.materialise import allocate, computed, in_memory
from adcore.frontend.numpy.types import joint_type
from adcore.frontend.registry import BoundArguments, numpy_function
from adcore.frontend.session import FunctionScope, as_static_int
from adcore.frontend.values.abstract import (
    NONE,
    POISON,
    STRONG,
    Abstract,
    ArrayRef,
    Constant,
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
from adcore.frontend.values.containers.iterables import iterable_of
from adcore.frontend.values.containers.sequences import static_items
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.narrow import numpy_element
from adcore.frontend.values.numeric.numbers import materialise, scalar_type
from adcore.frontend.values.numeric.scalars import one_type
from adcore.ir.core import Value
from adcore.ir.types import F32, F64, I64, Scalar


def _filled(default: float | None) -> Callable[[FunctionScope, ast.Call, BoundArguments], Abstract]:
    """np.zeros, np.ones, np.empty and np.ndarray (None)."""

    def rule(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
        shape = sizes(scope, node, found["shape"])
        element = element_type(scope, node, found.get("dtype"), F64)
        if shape is None or element is None:
            return POISON
        return made(scope, node, shape, element, default)

    return rule


def made(
    scope: FunctionScope, node: ast.Call, shape: tuple[Abstract, ...], element: Scalar, value: float | Abstract | None
) -> ArrayRef:
    """A new array with every element `value` (None: undefined)."""
    array = allocate(scope, shape, element, zero=value == 0.0)
    if value is not None and value != 0.0:
        fill(scope, node, array, Constant(value) if isinstance(value, (int, float)) else value)
    return array


@numpy_function(
    np.full,
    takes="shape fill_value dtype",
    least=2,
    samples=("3, 0.5", "(2, 3), a", "2, 7"),
    about="a new array of one number",
)
def _full(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    value, shape = found["fill_value"], sizes(scope, node, found["shape"])
    if not is_scalar(value):
        return scope.error(node, f"np.full takes a number, not {describe(value)}")
    if found.get("dtype") is None:
        one_type(scope, value)
    element = element_type(scope, node, found.get("dtype"), numpy_element(value))
    return POISON if shape is None or element is None else made(scope, node, shape, element, value)


def _like(default: float | None) -> Callable[[FunctionScope, ast.Call, BoundArguments], Abstract]:
    """np.zeros_like, np.ones_like, np.empty_like (None)."""

    def rule(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
        model = operand(scope, found["a"])
        if model is None:
            return scope.error(node, f"{ast.unparse(node.func)} takes an array, not {describe(found['a'])}")
        element = element_type(scope, node, found.get("dtype"), model.element)
        return POISON if element is None else made(scope, node, model.shape, element, default)

    return rule


@numpy_function(
    np.full_like,
    takes="a fill_value dtype",
    least=2,
    samples=("A, 0.5",),
    about="a new array of one number, shaped like another",
)
def _full_like(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    model, value = operand(scope, found["a"]), found["fill_value"]
    if model is None or not is_scalar(value):
        return scope.error(node, "np.full_like takes an array and a number")
    element = element_type(scope, node, found.get("dtype"), model.element)
    return POISON if element is None else made(scope, node, model.shape, element, value)


@numpy_function(
    np.array,
    takes="object dtype",
    samples=("[1.0, a, 3.0]", "[[1, 2], [3, 4]]", "A"),
    about="numbers of nested lists, or a copy",
)
def _array(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    return np_array(scope, node, found["object"], found.get("dtype"))


def np_array(scope: FunctionScope, node: ast.Call, source: Abstract, dtype: Abstract | None = None) -> Abstract:
    """np.array of nested lists of numbers, or of an array (a copy)."""
    if isinstance(source, (ArrayRef, Expanded, Reshaped, Lazy)):
        return copied(scope, node, source, dtype)
    if isinstance(source, (Items, ListRef)) and any(map(is_array, static_items(scope, source))):
        rows = joined(scope, node, static_items(scope, source), 0, new_axis=True)
        return rows if dtype is None or isinstance(rows, Poison) else copied(scope, node, rows, dtype)
    shape = _nested_shape(scope, source)
    if shape is None:
        return scope.error(
            node, "np.array takes numbers in nested lists of equal lengths", "fill np.zeros(...) in a loop"
        )
    numbers = _flat(scope, source)
    element = element_type(scope, node, dtype, joint_type(scope, numbers) if dtype is None else F64)
    if element is None:
        return POISON
    array = allocate(scope, tuple(map(Constant, shape)), element)
    for position, number in zip(np.ndindex(*shape), numbers, strict=True):
        store(scope, node, number, array, [scope.const(k) for k in position])
    return array


def _nested_shape(scope: FunctionScope, value: Abstract) -> tuple[int, ...] | None:
    if is_scalar(value):
        return ()
    if not isinstance(value, (Items, ListRef)):
        return None
    shapes = {_nested_shape(scope, item) for item in static_items(scope, value)}
    if len(shapes) > 1 or None in shapes:
        return None
    (inner,) = shapes or {()}
    assert inner is not None
    return (len(static_items(scope, value)), *inner)


def _flat(scope: FunctionScope, value: Abstract) -> list[Abstract]:
    if is_scalar(value):
        return [value]
    return [number for item in static_items(scope, value) for number in _flat(scope, item)]


def copied(
    scope: FunctionScope, node: ast.AST, source: Abstract, dtype: Abstract | None = None, ordered: bool = False
) -> Abstract:
    """A copy in memory of its own. `ordered`: NumPy's is in C order, whatever the order of `source`."""
    part = operand(scope, source)
    if part is None:
        return in_memory(scope, node, source)
    element = element_type(scope, node, dtype, part.element)
    if element is None:
        return POISON
    converted = cast(scope, part, element)
    assert converted is not None
    copy = computed(scope, node, converted)
    if ordered:
        scope.session.unordered.discard(copy.root)
    return copy


@numpy_function(np.copy, takes="a", samples=("A",), about="a copy")
def _copy(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    if not isinstance(found["a"], ArrayRef) and not is_array(found["a"]):
        return scope.error(node, f"np.copy takes an array, not {describe(found['a'])}")
    return copied(scope, node, found["a"])


@numpy_function(
    np.arange,
    takes="start stop step dtype",
    samples=("5", "1, 9, 2", "0.0, 1.0, 0.25"),
    about="numbers at equal distances",
)
def _arange(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    """np.arange: of integers like range, of floats `start + k * step` for as many as fit."""
    start, stop, step = found["start"], found.get("stop"), found.get("step", Constant(1))
    if stop is None:
        start, stop = Constant(0), start
    bounds = (start, stop, step)
    if not all(map(is_scalar, bounds)):
        return scope.error(node, "np.arange takes numbers", "pass start, stop and step")
    if any(scalar_type(v).kind == "f" for v in bounds):
        return _float_range(scope, node, bounds, found.get("dtype"))
    element = element_type(scope, node, found.get("dtype"), I64)
    iterable = iterable_of(scope, node, Range(start, stop, step))
    if element is None or iterable is None:
        return POISON
    return computed(scope, node, Lazy((iterable.length,), element, lambda k: iterable.item(Num(k[0])), ()))


def _float_range(
    scope: FunctionScope, node: ast.AST, bounds: tuple[Abstract, Abstract, Abstract], dtype: Abstract | None
) -> Abstract:
    element = element_type(scope, node, dtype, F64)
    if element is None:
        return POISON
    if element != F64 or F32 in [scalar_type(v) for v in bounds]:
        return scope.error(node, "np.arange of floats is supported for float64", "convert it with .astype(...)")
    if all(isinstance(v, Constant) for v in bounds):
        length: Abstract = Constant(len(np.arange(*(v.value for v in bounds if isinstance(v, Constant)))))
        start, _, step = (materialise(scope, v, F64) for v in bounds)
    else:
        start, stop, step = (materialise(scope, v, F64) for v in bounds)
        exact = scope.emit("div", scope.emit("sub", stop, start), step)
        whole = scope.emit("cast", scope.emit("ceil", exact), type="i64")
        length = Num(scope.emit("maximum", whole, scope.const(0)))
    # As NumPy does it: the distance of the first two, which rounding makes another number than the step.
    delta = scope.emit("sub", scope.emit("add", start, step), start)
    return computed(scope, node, Lazy((length,), F64, _steps(scope, start, delta), ()))


def _steps(scope: FunctionScope, start: Value, delta: Value) -> Callable[[Sequence[Value]], Abstract]:
    def at(index: Sequence[Value]) -> Abstract:
        k = scope.emit("cast", index[0], type="f64")
        return Num(scope.emit("add", start, scope.emit("mul", k, delta)), STRONG)

    return at


@numpy_function(
    np.linspace,
    takes="start stop num endpoint",
    least=2,
    samples=("0.0, 1.0, 5", "a, 2.0, 4, endpoint=False"),
    about="numbers at equal distances, the ends given",
)
def _linspace(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    """np.linspace: `k * step + start`, and exactly `stop` at the end."""
    endpoint, number = found.get("endpoint", Constant(True)), found.get("num", Constant(50))
    num = sizes(scope, node, number)
    if num is None or not isinstance(endpoint, Constant) or not all(is_scalar(found[k]) for k in ("start", "stop")):
        return scope.error(node, "np.linspace takes two numbers, a length and a constant `endpoint`")
    start, stop = (materialise(scope, found[k], F64) for k in ("start", "stop"))
    length, one = materialise(scope, num[0], I64), scope.const(1)
    last = scope.emit("sub", length, one, exact=True)
    parts = scope.emit("cast", last if endpoint.value else length, type="f64")
    distance = scope.emit("sub", stop, start)
    step = scope.emit("div", distance, parts)
    if endpoint.value and as_static_int(num[0]) is None:
        # One number, no distance.
        step = scope.emit("select", scope.emit("gt", length, one), step, scope.const(0.0))
    elif endpoint.value and (as_static_int(num[0]) or 0) < 2:
        step = scope.const(0.0)

    def at(index: Sequence[Value]) -> Abstract:
        k = scope.emit("cast", index[0], type="f64")
        value = scope.emit("add", scope.emit("mul", k, step), start)
        if not endpoint.value:
            return Num(value, STRONG)
        end = scope.emit("eq", index[0], last)
        if as_static_int(num[0]) is None:
            end = scope.emit("and", end, scope.emit("gt", length, one))
        elif (as_static_int(num[0]) or 0) < 2:
            return Num(value, STRONG)
        return Num(scope.emit("select", end, stop, value), STRONG)

    return computed(scope, node, Lazy((num[0],), F64, at, ()))


def _ones_where(op: str) -> Callable[[FunctionScope, ast.Call, BoundArguments], Abstract]:
    """Ones where `row + k` stands in this relation to the column, zeros elsewhere."""

    def rule(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
        offset = as_static_int(found.get("k", Constant(0)))
        rows = sizes(scope, node, found["N"])
        columns = rows if "M" not in found or found["M"] is NONE else sizes(scope, node, found["M"])
        element = element_type(scope, node, found.get("dtype"), F64)
        if rows is None or columns is None or element is None or offset is None:
            return scope.error(node, f"{ast.unparse(node.func)} takes lengths, and a constant `k`")

        def at(index: Sequence[Value]) -> Abstract:
            row = index[0] if not offset else scope.emit("add", index[0], scope.const(offset), exact=True)
            one, zero = (materialise(scope, Constant(v), element) for v in (1, 0))
            return Num(scope.emit("select", scope.emit(op, row, index[1]), one, zero), STRONG)

        return computed(scope, node, Lazy((rows[0], columns[0]), element, at, ()))

    return rule


numpy_function(np.eye, np.identity, takes="N M k dtype", samples=("3",), about="the identity matrix")(_ones_where("eq"))
numpy_function(
    np.tri, takes="N M k dtype", samples=("3", "2, 4, 1"), about="ones on and below a diagonal, zeros above"
)(_ones_where("ge"))


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
