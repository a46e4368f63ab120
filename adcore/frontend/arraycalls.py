"""NumPy functions that make or reduce whole arrays, as loops; array expressions will join them here."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adcore.frontend.attributes import size, transposed
from adcore.frontend.frame import Frame
from adcore.frontend.joins import describe, materialise, scalar_type
from adcore.frontend.lists import in_memory
from adcore.frontend.scalars import one_type
from adcore.frontend.sequences import static_items
from adcore.frontend.streams import stream_of
from adcore.frontend.subscripts import (
    ARRAY_EXPRESSIONS,
    accumulate,
    copy_into,
    dims,
    fill,
    integer,
    load,
    nest,
    same_length,
    store,
)
from adcore.frontend.values import (
    NONE,
    NUMPY,
    POISON,
    Abstract,
    Array,
    Const,
    Items,
    ListRef,
    Num,
    Poison,
    Range,
    Stream,
    Uniform,
    is_scalar,
)
from adcore.ir.core import Value
from adcore.ir.types import BOOL, F32, F64, I64, NUMPY_NAMES, SCALARS, ListType, Scalar

Arguments = tuple[list[Abstract], dict[str, Abstract]]
ArrayFunction = Callable[[Frame, ast.Call, list[Abstract], dict[str, Abstract]], Abstract]

NO_AXIS = "reduce one axis with a loop over np.sum(x[i]) or over the elements; `axis=` is not compiled yet"


def parameters(
    frame: Frame, node: ast.Call, names: Sequence[str], args: list[Abstract], named: dict[str, Abstract], least: int = 1
) -> dict[str, Abstract] | None:
    """Arguments by name; reports those that are not supported."""
    function = ast.unparse(node.func)
    found = dict(zip(names, args, strict=False))
    for key, value in named.items():
        if key not in names or key in found:
            help = NO_AXIS if key in ("axis", "keepdims", "where") else f"leave `{key}=` out"
            frame.error(node, f"{function}(..., {key}=...) is not supported", help)
            return None
        found[key] = value
    if len(args) > len(names) or len(found) < least:
        help = NO_AXIS if len(args) == 2 else ""
        frame.error(node, f"{function} does not take these {len(args)} arguments here", help)
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


def allocate(frame: Frame, shape: tuple[Abstract, ...], element: Scalar, zero: bool = False) -> Array:
    """A new array of this function's own."""
    operands = [materialise(frame, n, I64) for n in shape]
    attrs: dict[str, Any] = {"element": element.name, **({"zero": True} if zero else {})}
    value = frame.emit("alloc", *operands, **attrs)
    return Array(value, value, shape=shape, local=True)


def _filled(default: float | None) -> ArrayFunction:
    """np.zeros, np.ones, np.empty (None)."""

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
        model = found["a"]
        if not isinstance(model, Array):
            return frame.error(node, f"{ast.unparse(node.func)} takes an array, not {describe(model)}")
        element = element_type(frame, node, found.get("dtype"), model.element)
        return POISON if element is None else made(frame, node, dims(frame, model), element, default)

    return rule


def _full_like(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    found = parameters(frame, node, ("a", "fill_value", "dtype"), args, named, 2)
    if not found:
        return POISON
    model, value = found["a"], found["fill_value"]
    if not isinstance(model, Array) or not is_scalar(value):
        return frame.error(node, "np.full_like takes an array and a number")
    element = element_type(frame, node, found.get("dtype"), model.element)
    return POISON if element is None else made(frame, node, dims(frame, model), element, value)


def _array(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    """np.array of nested lists of numbers, or of an array (a copy)."""
    found = parameters(frame, node, ("object", "dtype"), args, named)
    if not found:
        return POISON
    source = found["object"]
    if isinstance(source, Array):
        return copied(frame, node, source, found.get("dtype"))
    shape = _nested_shape(frame, source)
    if shape is None:
        return frame.error(
            node, "np.array takes numbers in nested lists of equal lengths", "fill np.zeros(...) in a loop"
        )
    numbers = _flat(frame, source)
    if found.get("dtype") is None:
        for number in numbers:
            one_type(frame, number)
    element = element_type(frame, node, found.get("dtype"), _element_of_numbers(numbers))
    if element is None:
        return POISON
    array = allocate(frame, tuple(map(Const, shape)), element)
    for position, number in zip(np.ndindex(*shape), numbers, strict=True):
        store(frame, node, number, array, [frame.const(k) for k in position])
    return array


def _element_of_numbers(numbers: Sequence[Abstract]) -> Scalar:
    """The element type of an array that NumPy makes of numbers: Python's floats are float64, whatever stands by."""
    types = {scalar_type(number) for number in numbers}
    if types <= {F32, BOOL} and F32 in types:
        return F32
    return F64 if not types or types & {F32, F64} else I64 if I64 in types else BOOL


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


def copied(frame: Frame, node: ast.Call, source: Array, dtype: Abstract | None = None) -> Abstract:
    """A copy in memory of its own, in C order."""
    element = element_type(frame, node, dtype, source.element)
    if element is None:
        return POISON
    array = allocate(frame, dims(frame, source), element)
    copy_into(frame, node, array, source)
    return array


def _copy(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    found = parameters(frame, node, ("a",), args, named)
    if not found:
        return POISON
    if not isinstance(found["a"], Array):
        return frame.error(node, f"np.copy takes an array, not {describe(found['a'])}")
    return copied(frame, node, found["a"])


def _arange(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    """np.arange of integers."""
    found = parameters(frame, node, ("start", "stop", "step", "dtype"), args, named)
    if not found:
        return POISON
    start, stop, step = found["start"], found.get("stop"), found.get("step", Const(1))
    if stop is None:
        start, stop = Const(0), start
    if any(not is_scalar(v) or scalar_type(v).kind == "f" for v in (start, stop, step)):
        return frame.error(node, "np.arange is supported for integers", "compute i * step in a loop")
    element = element_type(frame, node, found.get("dtype"), I64)
    stream = stream_of(frame, node, Range(start, stop, step))
    if element is None or stream is None:
        return POISON
    array = allocate(frame, (stream.length,), element)
    nest(frame, (stream.length,), lambda k: store(frame, node, stream.item(Num(k[0])), array, k))
    return array


def reducible(frame: Frame, node: ast.Call, value: Abstract) -> tuple[tuple[Abstract, ...], Reader] | None:
    """The shape of what is reduced, and how to read an element of it."""
    if isinstance(value, Array):
        return dims(frame, value), lambda index: load(frame, value, index)
    if isinstance(value, Uniform) and not isinstance(value.leaves[0].type, ListType) and len(value.leaves) == 1:
        stream = stream_of(frame, node, value)
        assert stream is not None
        return (stream.length,), _stream_reader(stream)
    if isinstance(value, (Items, ListRef)) and all(map(is_scalar, static_items(frame, value))):
        items = static_items(frame, value)
        for item in items:
            one_type(frame, item)
        element = _element_of_numbers(items)
        array = in_memory(frame, items, element, None)
        return dims(frame, array), lambda index: load(frame, array, index)
    if is_scalar(value):
        one_type(frame, value)
        return (), lambda index: value
    if not isinstance(value, Poison):
        frame.error(node, f"{ast.unparse(node.func)} does not take {describe(value)}", "pass an array")
    return None


Reader = Callable[[list[Value]], Abstract]


def _stream_reader(stream: Stream) -> Reader:
    return lambda index: stream.item(Num(index[0]))


def _element(frame: Frame, shape: Sequence[Abstract], read: Reader) -> Scalar:
    """The type of the elements that `read` gives."""
    with frame.builder.region():
        return scalar_type(read([frame.const(0)] * len(shape)))


def reduce(
    frame: Frame,
    shape: Sequence[Abstract],
    first: Value,
    read: Callable[[list[Value]], Value],
    op: str,
    **attrs: Any,
) -> Num:
    """Combine all elements with `op`. The order is not the user's to see, hence the flags that callers give."""
    (result,) = accumulate(
        frame, shape, [first], lambda index, carried: [frame.emit(op, carried[0], read(index), **attrs)]
    )
    return Num(result, NUMPY)


def sum_of(frame: Frame, shape: Sequence[Abstract], read: Reader, mean: bool = False) -> Num:
    """np.sum: bools and integers add up to an int64; the mean of integers is taken of floats."""
    type_ = _element(frame, shape, read)
    type_ = F64 if mean and type_.kind != "f" else I64 if type_ == BOOL else type_
    zero = frame.const(0.0 if type_.kind == "f" else 0, type_)
    flags = {"flags": "sum"} if type_.kind == "f" else {}
    return reduce(frame, shape, zero, lambda index: materialise(frame, read(index), type_), "add", **flags)


def total_size(frame: Frame, shape: Sequence[Abstract]) -> Abstract:
    total: Abstract = Const(1)
    for length in shape:
        if isinstance(total, Const) and isinstance(length, Const):
            total = Const(total.value * length.value)
        elif isinstance(total, Const) and total.value == 1:
            total = length
        else:
            total = Num(frame.emit("mul", materialise(frame, total, I64), materialise(frame, length, I64), exact=True))
    return total


def np_sum(frame: Frame, node: ast.Call, value: Abstract) -> Abstract:
    source = reducible(frame, node, value)
    return POISON if source is None else sum_of(frame, *source)


def np_mean(frame: Frame, node: ast.Call, value: Abstract) -> Abstract:
    source = reducible(frame, node, value)
    if source is None:
        return POISON
    total = sum_of(frame, *source, mean=True)
    count = frame.emit("cast", materialise(frame, total_size(frame, source[0]), I64), type=total.type.name)
    return Num(frame.emit("div", total.value, count), NUMPY)


def np_prod(frame: Frame, node: ast.Call, value: Abstract) -> Abstract:
    source = reducible(frame, node, value)
    if source is None:
        return POISON
    shape, read = source
    type_ = _element(frame, shape, read)
    type_ = I64 if type_ == BOOL else type_
    one = frame.const(1.0 if type_.kind == "f" else 1, type_)
    return reduce(frame, shape, one, lambda index: materialise(frame, read(index), type_), "mul")


def np_extremum(op: str) -> Callable[[Frame, ast.Call, Abstract], Abstract]:
    """np.min, np.max: a NaN wins; an empty array raises."""

    def rule(frame: Frame, node: ast.Call, value: Abstract) -> Abstract:
        source = reducible(frame, node, value)
        if source is None:
            return POISON
        shape, read = source
        type_ = _element(frame, shape, read)
        if type_ == BOOL:
            return frame.error(node, "the minimum or maximum of bools is not supported", "write a loop")
        count = total_size(frame, shape)
        if not isinstance(count, Const) or count.value == 0:
            message = f"zero-size array to reduction operation {op} which has no identity"
            ok = frame.emit("gt", materialise(frame, count, I64), frame.const(0))
            frame.check(ok, "ValueError", message)
        worst = float("inf") if type_.kind == "f" else 2**63 - 1
        lowest = -worst if type_.kind == "f" else -(2**63)
        first = frame.const(worst if op == "minimum" else lowest, type_)
        return reduce(frame, shape, first, lambda index: materialise(frame, read(index), type_), op)

    return rule


def np_dot(frame: Frame, node: ast.Call, a: Abstract, b: Abstract) -> Abstract:
    """The inner product of two vectors."""
    left, right = reducible(frame, node, a), reducible(frame, node, b)
    if left is None or right is None:
        return POISON
    if len(left[0]) != 1 or len(right[0]) != 1:
        return frame.error(node, "np.dot is supported for two vectors", ARRAY_EXPRESSIONS)
    message = "shapes ({0},) and ({1},) not aligned: {0} (dim 0) != {1} (dim 0)"
    same_length(frame, left[0][0], right[0][0], message)
    types = {_element(frame, *left), _element(frame, *right)}
    type_ = F32 if types == {F32} else I64 if types <= {I64, BOOL} else F64

    def product(index: list[Value]) -> Value:
        x, y = (materialise(frame, read(index), type_) for _, read in (left, right))
        return frame.emit("mul", x, y)

    zero = frame.const(0.0 if type_.kind == "f" else 0, type_)
    flags = {"flags": "sum"} if type_.kind == "f" else {}
    return reduce(frame, left[0], zero, product, "add", **flags)


REDUCTIONS: dict[str, Callable[[Frame, ast.Call, Abstract], Abstract]] = {
    "sum": np_sum, "mean": np_mean, "prod": np_prod, "min": np_extremum("minimum"), "max": np_extremum("maximum"),
}  # fmt: skip


def _reduction(name: str) -> ArrayFunction:
    def rule(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
        found = parameters(frame, node, ("a",), args, named)
        return REDUCTIONS[name](frame, node, found["a"]) if found else POISON

    return rule


def _dot(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    found = parameters(frame, node, ("a", "b"), args, named, 2)
    return np_dot(frame, node, found["a"], found["b"]) if found else POISON


def _property(rule: Callable[[Frame, Array], Abstract]) -> ArrayFunction:
    def call(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
        found = parameters(frame, node, ("a",), args, named)
        if not found:
            return POISON
        if not isinstance(found["a"], Array):
            return frame.error(node, f"{ast.unparse(node.func)} takes an array, not {describe(found['a'])}")
        return rule(frame, found["a"])

    return call


ARRAY_FUNCTIONS: dict[Any, ArrayFunction] = {
    np.zeros: _filled(0.0), np.ones: _filled(1.0), np.empty: _filled(None), np.full: _full,
    np.zeros_like: _like(0.0), np.ones_like: _like(1.0), np.empty_like: _like(None), np.full_like: _full_like,
    np.array: _array, np.copy: _copy, np.arange: _arange, np.sum: _reduction("sum"), np.mean: _reduction("mean"),
    np.prod: _reduction("prod"), np.min: _reduction("min"), np.max: _reduction("max"), np.dot: _dot,
    np.transpose: _property(transposed), np.size: _property(size), np.shape: _property(lambda f, a: Items(dims(f, a))),
    np.ndim: _property(lambda f, a: Const(a.rank)),
}  # fmt: skip


def array_method(
    frame: Frame, node: ast.Call, owner: Array, name: str, args: list[Abstract], named: dict[str, Abstract]
) -> Abstract:
    """`x.sum()` and the like."""
    wanted = {"dot": ("b",), "fill": ("value",)}.get(name, ())
    found = parameters(frame, node, wanted, args, named, len(wanted))
    if found is None:
        return POISON
    if name in REDUCTIONS:
        return REDUCTIONS[name](frame, node, owner)
    if name == "dot":
        return np_dot(frame, node, owner, found["b"])
    if name == "copy":
        return copied(frame, node, owner)
    if name == "item":
        if owner.rank:
            return frame.error(node, "`.item()` of an array with axes is not supported", "index the element: x[0]")
        element = load(frame, owner, ())
        return Num(materialise(frame, element))
    value = found["value"]
    if not is_scalar(value):
        return frame.error(node, f"fill takes a number, not {describe(value)}")
    fill(frame, node, owner, value)
    return NONE
