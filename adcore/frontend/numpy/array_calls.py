"""NumPy functions of whole arrays, by function object, and methods of arrays, by name."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import numpy as np

from adcore.frontend.numpy.broadcasting import fits, product
from adcore.frontend.numpy.constructors import CONSTRUCTORS, ArrayFunction, copied, element_type, parameters, sizes
from adcore.frontend.numpy.elements import fill, load
from adcore.frontend.numpy.elementwise import absolute, apply, cast, operand, operation
from adcore.frontend.numpy.indexing.integer_arrays import scatter
from adcore.frontend.numpy.indexing.integers import integer
from adcore.frontend.numpy.indexing.views import WHOLE, view
from adcore.frontend.numpy.joining import (
    as_view,
    constant,
    diagonal,
    differences,
    flipped,
    joined,
    permuted,
    rolled,
    triangle,
)
from adcore.frontend.numpy.materialise import in_memory, put_array
from adcore.frontend.numpy.products import dot, matmul, outer
from adcore.frontend.numpy.reductions import REDUCTIONS, axes_of, reduced, running, source_of
from adcore.frontend.numpy.reshaping import reshaped, squeezed
from adcore.frontend.python.math_calls import call_formula
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
    ListRef,
    Num,
    Poison,
    Reshaped,
    is_array,
    is_scalar,
)
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numbers import materialise
from adcore.frontend.values.sequences import static_items
from adcore.ir.types import F64

# Reductions -----------------------------------------------------------------------------------------------------------

OPTIONS: dict[str, tuple[str, ...]] = {
    "sum": ("axis", "dtype", "keepdims"), "prod": ("axis", "dtype", "keepdims"),
    "mean": ("axis", "dtype", "keepdims"), "var": ("axis", "dtype", "ddof", "keepdims"),
    "std": ("axis", "dtype", "ddof", "keepdims"),
}  # fmt: skip
"""Arguments after the array, in order, where they are not just `axis` and `keepdims`."""

KEYWORD_ONLY = frozenset({"ddof", "keepdims"})
"""Those that stand behind `out` in NumPy's order, so that a position would mean something else."""


def _reduce(frame: Frame, node: ast.Call, name: str, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    """A reduction called as a function; a method's array comes first."""
    names = ("a", *OPTIONS.get(name, ("axis", "keepdims")))
    positional = [n for n in names if n not in KEYWORD_ONLY]
    if len(args) > len(positional):
        return frame.error(node, f"{ast.unparse(node.func)} does not take these {len(args)} arguments here")
    found = parameters(frame, node, names, args, named)
    if not found:
        return POISON
    what = ast.unparse(node.func)
    value = found.pop("a")
    dtype = found.pop("dtype", NONE)
    if dtype is not NONE:
        part = operand(frame, value)
        element = None if part is None else element_type(frame, node, dtype, part.element)
        if part is None or element is None:
            return frame.error(node, f"`dtype=` needs an array, not {describe(value)}") if part is None else POISON
        value = cast(frame, part, element) or POISON
    return reduced(frame, node, name, value, found, what)


def _reduction(name: str) -> ArrayFunction:
    return lambda frame, node, args, named: _reduce(frame, node, name, args, named)


def _running(op: str) -> ArrayFunction:
    """np.cumsum, np.cumprod."""

    def rule(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
        found = parameters(frame, node, ("a", "axis"), args, named)
        source = source_of(frame, node, found["a"], ast.unparse(node.func)) if found else None
        if not found or source is None:
            return POISON
        axis = found.get("axis", NONE)
        axes = axes_of(frame, node, axis, len(source.shape))
        if axes is None:
            return POISON
        whole = isinstance(axis, Const) and axis.value is None
        return running(frame, node, source, None if whole and len(axes) != 1 else axes[0], op)

    return rule


def _norm(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    """np.linalg.norm: of vectors, and the Frobenius norm of matrices."""
    found = parameters(frame, node, ("x", "ord", "axis", "keepdims"), args, named)
    if not found:
        return POISON
    value, order, axis = found.pop("x"), found.pop("ord", NONE), found.get("axis", NONE)
    part = operand(frame, in_memory(frame, node, value))
    if part is None or not part.shape:
        return frame.error(node, f"np.linalg.norm does not take {describe(value)}")
    vectors = part.rank == 1 if axis is NONE else not isinstance(axis, Items)
    known = order.value if isinstance(order, Const) else "?"
    floats = cast(frame, part, part.element) if part.element.kind == "f" else cast(frame, part, F64)
    assert floats is not None
    if known is None or (known == 2 and vectors) or (known == "fro" and not vectors):
        squares = operation(frame, node, ast.Mult, floats, floats)
        return _root(frame, node, reduced(frame, node, "sum", squares, found, "np.linalg.norm"))
    if vectors and known in (1, float("inf")):
        size = absolute(frame, node, floats)
        return reduced(frame, node, "sum" if known == 1 else "max", size, found, "np.linalg.norm")
    return frame.error(
        node, "this norm is not supported", "supported are those of vectors, and of matrices the default"
    )


def _root(frame: Frame, node: ast.AST, value: Abstract) -> Abstract:
    if isinstance(value, Poison):
        return POISON
    if is_array(value):
        return apply(frame, node, np.sqrt, [value], lambda v: Num(frame.emit("sqrt", materialise(frame, v[0])), NUMPY))
    return Num(frame.emit("sqrt", materialise(frame, value)), NUMPY)


def _average(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    found = parameters(frame, node, ("a", "axis"), args, named)
    if not found:
        return POISON
    value = found.pop("a")
    return reduced(frame, node, "mean", value, found, "np.average")


# Products -------------------------------------------------------------------------------------------------------------


def _two(rule: Callable[[Frame, ast.AST, Abstract, Abstract], Abstract]) -> ArrayFunction:
    def call(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
        found = parameters(frame, node, ("a", "b"), args, named, 2)
        return rule(frame, node, found["a"], found["b"]) if found else POISON

    return call


def _inner(frame: Frame, node: ast.AST, a: Abstract, b: Abstract) -> Abstract:
    """np.inner, np.vdot of vectors."""
    if any(is_array(v) and getattr(v, "rank", 1) != 1 for v in (a, b)):
        return frame.error(node, "this product is supported for vectors", "use `@` or np.dot")
    return dot(frame, node, a, b)


def _trace(frame: Frame, node: ast.AST, value: Abstract) -> Abstract:
    return reduced(frame, node, "sum", diagonal(frame, node, value), {}, "np.trace")


# Views and parts ------------------------------------------------------------------------------------------------------


def _one(rule: Callable[[Frame, ast.AST, Abstract], Abstract]) -> ArrayFunction:
    def call(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
        found = parameters(frame, node, ("a",), args, named)
        return rule(frame, node, found["a"]) if found else POISON

    return call


def _shape(frame: Frame, node: ast.AST, value: Abstract) -> Abstract:
    part = operand(frame, value)
    return frame.error(node, f"{describe(value)} has no shape") if part is None else Items(part.shape)


def _size(frame: Frame, node: ast.AST, value: Abstract) -> Abstract:
    part = operand(frame, value)
    return frame.error(node, f"{describe(value)} has no size") if part is None else product(frame, part.shape)


def _ndim(frame: Frame, node: ast.AST, value: Abstract) -> Abstract:
    part = operand(frame, value)
    return frame.error(node, f"{describe(value)} has no axes") if part is None else Const(part.rank)


def _transpose(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    found = parameters(frame, node, ("a", "axes"), args, named)
    if not found:
        return POISON
    return transposed(frame, node, found["a"], found.get("axes", NONE))


def transposed(frame: Frame, node: ast.AST, value: Abstract, axes: Abstract) -> Abstract:
    """np.transpose: a view."""
    if isinstance(value, Array) and value.rank < 2:
        return value
    source = as_view(frame, node, value)
    if source is None:
        return POISON
    rank = source.rank
    if axes is NONE or (isinstance(axes, Const) and axes.value is None):
        return permuted(frame, source, range(rank)[::-1])
    order = [as_static_int(a) for a in static_items(frame, axes)] if isinstance(axes, (Items, ListRef)) else []
    known = [a % rank for a in order if a is not None and -rank <= a < rank]
    if sorted(known) != list(range(rank)):
        return frame.error(node, "axes don't match array", "name each axis once, as a number")
    return permuted(frame, source, known)


def _swapaxes(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    found = parameters(frame, node, ("a", "axis1", "axis2"), args, named, 3)
    source = as_view(frame, node, found["a"]) if found else None
    if not found or source is None:
        return POISON
    pair = axes_of(frame, node, Items((found["axis1"], found["axis2"])), source.rank)
    if pair is None:
        return POISON
    order = list(range(source.rank))
    order[pair[0]], order[pair[-1]] = pair[-1], pair[0]
    return permuted(frame, source, order)


def _flip(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    found = parameters(frame, node, ("m", "axis"), args, named)
    source = as_view(frame, node, found["m"]) if found else None
    if not found or source is None:
        return POISON
    axes = axes_of(frame, node, found.get("axis"), source.rank)
    return POISON if axes is None else flipped(frame, node, source, axes)


def _roll(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    found = parameters(frame, node, ("a", "shift", "axis"), args, named, 2)
    source = as_view(frame, node, found["a"]) if found else None
    shift = integer(frame, node, found["shift"]) if found else None
    if not found or source is None or shift is None:
        return POISON
    axes = axes_of(frame, node, found.get("axis"), source.rank)
    if axes is None:
        return POISON
    if len(axes) != 1:
        return frame.error(node, "np.roll is supported along one axis", "write `axis=`")
    return rolled(frame, node, source, shift, axes[0])


def _diff(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    found = parameters(frame, node, ("a", "n", "axis"), args, named)
    source = as_view(frame, node, found["a"]) if found else None
    if not found or source is None:
        return POISON
    times = constant(frame, node, found.get("n"), 1, "n")
    axes = axes_of(frame, node, found.get("axis", Const(-1)), source.rank)
    if times is None or axes is None:
        return POISON
    return differences(frame, node, source, times, axes[0])


def _joins(new_axis: bool, fixed: int | None = None) -> ArrayFunction:
    """np.concatenate, np.stack and their relatives with a fixed axis."""

    def rule(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
        names = ("arrays", "axis") if fixed is None else ("arrays",)
        found = parameters(frame, node, names, args, named)
        if not found:
            return POISON
        axis = fixed if fixed is not None else constant(frame, node, found.get("axis"), 0, "axis")
        arrays = found["arrays"]
        if axis is None or not isinstance(arrays, (Items, ListRef)):
            return POISON if axis is None else frame.error(node, "only a tuple or list of arrays can be joined")
        return joined(frame, node, static_items(frame, arrays), axis, new_axis)

    return rule


def _beside(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    """np.hstack: along the second axis, vectors along their only one."""
    found = parameters(frame, node, ("tup",), args, named)
    if not found or not isinstance(found["tup"], (Items, ListRef)):
        return frame.error(node, "np.hstack takes a tuple or list of arrays") if found else POISON
    values = static_items(frame, found["tup"])
    parts = [operand(frame, v) for v in values]
    return joined(frame, node, values, 0 if any(p is not None and p.rank < 2 for p in parts) else 1)


def _triangle(upper: bool) -> ArrayFunction:
    def rule(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
        found = parameters(frame, node, ("m", "k"), args, named)
        k = constant(frame, node, found.get("k"), 0, "k") if found else None
        return POISON if not found or k is None else triangle(frame, node, found["m"], k, upper)

    return rule


def _expand_dims(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    found = parameters(frame, node, ("a", "axis"), args, named, 2)
    source = as_view(frame, node, found["a"]) if found else None
    if not found or source is None:
        return POISON
    axes = axes_of(frame, node, found["axis"], source.rank + 1)
    if axes is None:
        return POISON
    return view(frame, node, source, [NONE if k in axes else WHOLE for k in range(source.rank + len(axes))])


def _broadcast_to(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    """np.broadcast_to: a view that can't be written to."""
    found = parameters(frame, node, ("array", "shape"), args, named, 2)
    source = as_view(frame, node, found["array"]) if found else None
    shape = sizes(frame, node, found["shape"]) if found else None
    if not found or source is None or shape is None:
        return POISON
    if isinstance(source, Reshaped):
        return frame.error(node, "np.broadcast_to of a reshaped array is not supported", "use the array as it is")
    own = operand(frame, source)
    assert own is not None
    if own.rank > len(shape):
        return frame.error(node, "input operand has more dimensions than allowed by the axis remapping")
    fits(frame, shape, own.shape, "operands could not be broadcast together with remapped shapes [original->remapped]: "
         "{} and requested shape {}")  # fmt: skip
    inner = source.axes if isinstance(source, Expanded) else tuple(range(source.rank))
    new: list[int | None] = [None] * (len(shape) - own.rank)
    base = source.base if isinstance(source, Expanded) else source
    for axis, length in zip(inner, own.shape, strict=True):
        if axis is not None and as_static_int(length) == 1:
            return frame.error(node, "an axis of length 1 can't be stretched in a view", "use the array as it is")
        new.append(axis)
    return Expanded(base, tuple(new), shape, writeable=False)


def _reshape(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    """np.reshape(a, shape), x.reshape(shape), x.reshape(n, m)."""
    if len(args) > 2 or (len(args) == 2 and not isinstance(args[1], (Items, ListRef))):
        args = [args[0], Items(tuple(args[1:]))]
    found = parameters(frame, node, ("a", "shape"), args, named, 2)
    shape = sizes(frame, node, found["shape"]) if found else None
    return POISON if not found or shape is None else reshaped(frame, node, found["a"], shape)


def _ravel(frame: Frame, node: ast.AST, value: Abstract) -> Abstract:
    return reshaped(frame, node, value, (Const(-1),))


def _flatten(frame: Frame, node: ast.AST, value: Abstract) -> Abstract:
    return _ravel(frame, node, copied(frame, node, value, ordered=True))


def _squeeze(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    found = parameters(frame, node, ("a", "axis"), args, named)
    part = operand(frame, found["a"]) if found else None
    if not found or part is None:
        return POISON
    if "axis" not in found:
        return frame.error(node, "which axes are squeezed out must be known", "write `axis=`")
    axes = axes_of(frame, node, found["axis"], part.rank)
    return POISON if axes is None else squeezed(frame, node, found["a"], axes)


def _add_at(frame: Frame, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    """np.add.at: adds for each position, equal ones included."""
    found = parameters(frame, node, ("a", "indices", "b"), args, named, 3)
    if not found:
        return POISON
    target, where = found["a"], found["indices"]
    if not isinstance(target, (Array, Expanded, Reshaped)):
        return frame.error(node, f"np.add.at takes an array, not {describe(target)}")
    parts: list[Abstract] = list(where.items) if isinstance(where, Items) else [where]
    scatter(frame, node, target, parts, found["b"], adding=True)
    return NONE


def _astype(frame: Frame, node: ast.Call, owner: Abstract, found: dict[str, Abstract]) -> Abstract:
    part = operand(frame, owner)
    element = element_type(frame, node, found["dtype"], part.element) if part else None
    if element is None or part is None:
        return POISON
    # A copy that nobody has yet: what reads it may as well compute it.
    converted = cast(frame, part, element)
    return POISON if converted is None else converted


ARRAY_FUNCTIONS: dict[Any, ArrayFunction] = {
    **CONSTRUCTORS,
    np.sum: _reduction("sum"), np.mean: _reduction("mean"), np.prod: _reduction("prod"), np.min: _reduction("min"),
    np.max: _reduction("max"), np.var: _reduction("var"), np.std: _reduction("std"), np.any: _reduction("any"),
    np.all: _reduction("all"), np.argmax: _reduction("argmax"), np.argmin: _reduction("argmin"),
    np.count_nonzero: _reduction("count_nonzero"), np.cumsum: _running("add"), np.cumprod: _running("mul"),
    np.average: _average, np.linalg.norm: _norm, np.dot: _two(dot), np.matmul: _two(matmul), np.outer: _two(outer),
    np.inner: _two(_inner), np.vdot: _two(_inner), np.trace: _one(_trace),
    np.transpose: _transpose, np.swapaxes: _swapaxes, np.size: _one(_size), np.shape: _one(_shape),
    np.ndim: _one(_ndim), np.flip: _flip, np.roll: _roll, np.diff: _diff, np.concatenate: _joins(False),
    np.stack: _joins(True), np.vstack: _joins(False, 0), np.hstack: _beside, np.triu: _triangle(True),
    np.tril: _triangle(False), np.diag: _one(diagonal), np.expand_dims: _expand_dims,
    np.broadcast_to: _broadcast_to, np.reshape: _reshape, np.ravel: _one(_ravel), np.squeeze: _squeeze,
    np.add.at: _add_at,
}  # fmt: skip


METHODS: dict[str, tuple[str, ...]] = {
    "dot": ("b",), "fill": ("value",), "astype": ("dtype",), "clip": ("min", "max"), "copy": (), "item": (),
}  # fmt: skip
"""Methods that are not functions of the same name, and their arguments."""

AS_FUNCTIONS: dict[str, ArrayFunction] = {
    **{name: _reduction(name) for name in REDUCTIONS if name != "count_nonzero"},
    "cumsum": _running("add"), "cumprod": _running("mul"), "swapaxes": _swapaxes, "diagonal": _one(diagonal),
    "trace": _one(_trace), "reshape": _reshape, "ravel": _one(_ravel), "flatten": _one(_flatten),
    "squeeze": _squeeze,
}  # fmt: skip
"""Methods that are a function with the array in front."""

ARRAY_METHODS = frozenset({*METHODS, *AS_FUNCTIONS, "transpose"})


def array_method(
    frame: Frame, node: ast.Call, owner: Abstract, name: str, args: list[Abstract], named: dict[str, Abstract]
) -> Abstract:
    """`x.sum()` and the like."""
    if name in AS_FUNCTIONS:
        return AS_FUNCTIONS[name](frame, node, [owner, *args], named)
    if name == "transpose":
        axes = args[0] if len(args) == 1 and isinstance(args[0], (Items, ListRef)) else Items(tuple(args))
        return transposed(frame, node, owner, axes if args else NONE)
    wanted = METHODS[name]
    found = parameters(frame, node, wanted, args, named, len(wanted))
    if found is None:
        return POISON
    if name == "dot":
        return dot(frame, node, owner, found["b"])
    if name == "astype":
        return _astype(frame, node, owner, found)
    if name == "clip":
        return call_formula(frame, node, np.clip, [owner, found["min"], found["max"]])
    if name == "copy":
        return copied(frame, node, owner, ordered=True)
    if name == "item":
        return _item(frame, node, owner)
    return _fill(frame, node, owner, found["value"])


def _item(frame: Frame, node: ast.AST, owner: Abstract) -> Abstract:
    if not isinstance(owner, Array) or owner.rank:
        return frame.error(node, "`.item()` of an array with axes is not supported", "index the element: x[0]")
    return Num(materialise(frame, load(frame, owner, ())))


def _fill(frame: Frame, node: ast.AST, owner: Abstract, value: Abstract) -> Abstract:
    if not is_scalar(value):
        return frame.error(node, f"fill takes a number, not {describe(value)}")
    if isinstance(owner, Array):
        fill(frame, node, owner, value)
    elif isinstance(owner, (Expanded, Reshaped)):
        put_array(frame, node, owner, value)
    return NONE
