"""Reductions: np.sum and its relatives, norms, cumulative sums."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable

import numpy as np

from adcore.frontend.numpy.elements import nest
from adcore.frontend.numpy.elementwise import absolute, apply, cast, operand, operation
from adcore.frontend.numpy.folds import axes_of, source_of
from adcore.frontend.numpy.functions.dtypes import element_type
from adcore.frontend.numpy.functions.formulas import call_formula
from adcore.frontend.numpy.functions.joining import as_view
from adcore.frontend.numpy.functions.ufuncs import call_logic, call_numpy, classify
from adcore.frontend.numpy.indexing.views import WHOLE, view
from adcore.frontend.numpy.materialise import in_memory
from adcore.frontend.numpy.reductions import REDUCTIONS, reduced, running
from adcore.frontend.registry import BoundArguments, CallHandler, numpy_call, numpy_function, parameters
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import (
    NONE,
    POISON,
    STRONG,
    Abstract,
    BooleanIndexed,
    Constant,
    Items,
    Num,
    Poison,
    is_array,
)
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.numbers import materialise
from adcore.ir.core import Value
from adcore.ir.types import F64, Scalar

OPTIONS: dict[str, tuple[str, ...]] = {
    "sum": ("axis", "dtype", "keepdims"), "prod": ("axis", "dtype", "keepdims"),
    "mean": ("axis", "dtype", "keepdims"), "var": ("axis", "dtype", "ddof", "keepdims"),
    "std": ("axis", "dtype", "ddof", "keepdims"),
}  # fmt: skip
"""Arguments after the array, in order, where they are not just `axis` and `keepdims`."""

KEYWORD_ONLY = frozenset({"ddof", "keepdims"})
"""Those that stand behind `out` in NumPy's order, so that a position would mean something else."""


def _reduce(
    scope: FunctionScope, node: ast.Call, name: str, args: list[Abstract], named: dict[str, Abstract]
) -> Abstract:
    """A reduction called as a function; a method's array comes first."""
    names = ("a", *OPTIONS.get(name, ("axis", "keepdims")))
    positional = [n for n in names if n not in KEYWORD_ONLY]
    if len(args) > len(positional):
        return scope.error(node, f"{ast.unparse(node.func)} does not take these {len(args)} arguments here")
    found = parameters(scope, node, names, args, named)
    if not found:
        return POISON
    what = ast.unparse(node.func)
    value = found.pop("a")
    dtype = found.pop("dtype", NONE)
    if dtype is not NONE:
        part = operand(scope, value)
        element = None if part is None else element_type(scope, node, dtype, part.element)
        if part is None or element is None:
            return scope.error(node, f"`dtype=` needs an array, not {describe(value)}") if part is None else POISON
        value = cast(scope, part, element) or POISON
    return reduced(scope, node, name, value, found, what)


def _reduction(name: str) -> CallHandler:
    return lambda scope, node, args, named: _reduce(scope, node, name, args, named)


def _register() -> None:
    for name, entry in REDUCTIONS.items():
        method = "" if name == "count_nonzero" else name
        numpy_call(getattr(np, name), samples=entry.samples, about=entry.about, method=method)(_reduction(name))


_register()


def _selected_first(scope: FunctionScope, node: ast.AST, value: Abstract) -> Abstract:
    """What is folded in order needs what a mask selects one after the other."""
    return in_memory(scope, node, value) if isinstance(value, BooleanIndexed) else value


def _running(op: str) -> Callable[[FunctionScope, ast.Call, BoundArguments], Abstract]:
    """np.cumsum, np.cumprod."""

    def rule(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
        source = source_of(scope, node, _selected_first(scope, node, found["a"]), ast.unparse(node.func))
        if source is None:
            return POISON
        axis = found.get("axis", NONE)
        axes = axes_of(scope, node, axis, len(source.shape))
        if axes is None:
            return POISON
        whole = isinstance(axis, Constant) and axis.value is None
        return running(scope, node, source, None if whole and len(axes) != 1 else axes[0], op)

    return rule


numpy_function(
    np.cumsum,
    takes="a axis",
    samples=("x", "A, 0", "A", "A, axis=1"),
    about="sums of all elements up to each",
    method="cumsum",
)(_running("add"))
numpy_function(
    np.cumprod, takes="a axis", samples=("x", "A, 1"), about="products of all elements up to each", method="cumprod"
)(_running("mul"))


@numpy_function(
    np.linalg.norm,
    takes="x ord axis keepdims",
    samples=("x", "A", "x, 1", "x, np.inf", "A, axis=0", "A, 'fro'"),
    about="norms of vectors, and the Frobenius norm of matrices",
)
def _norm(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    """np.linalg.norm: of vectors, and the Frobenius norm of matrices."""
    value, order, axis = found.pop("x"), found.pop("ord", NONE), found.get("axis", NONE)
    part = operand(scope, in_memory(scope, node, value))
    if part is None or not part.shape:
        return scope.error(node, f"np.linalg.norm does not take {describe(value)}")
    vectors = part.rank == 1 if axis is NONE else not isinstance(axis, Items)
    known = order.value if isinstance(order, Constant) else "?"
    floats = cast(scope, part, part.element) if part.element.kind == "f" else cast(scope, part, F64)
    assert floats is not None
    if known is None or (known == 2 and vectors) or (known == "fro" and not vectors):
        squares = operation(scope, node, ast.Mult, floats, floats)
        return _root(scope, node, reduced(scope, node, "sum", squares, found, "np.linalg.norm"))
    if vectors and known in (1, float("inf")):
        size = absolute(scope, node, floats)
        return reduced(scope, node, "sum" if known == 1 else "max", size, found, "np.linalg.norm")
    return scope.error(
        node, "this norm is not supported", "supported are those of vectors, and of matrices the default"
    )


def _root(scope: FunctionScope, node: ast.AST, value: Abstract) -> Abstract:
    if isinstance(value, Poison):
        return POISON
    if is_array(value):
        return apply(scope, node, np.sqrt, [value], lambda v: _length(scope, v[0]))
    return _length(scope, value)


def _length(scope: FunctionScope, square: Abstract) -> Abstract:
    """The root of a sum of squares; at 0, where it has no derivative, that is 0, as of abs and hypot."""
    x = materialise(scope, square)
    assert isinstance(x.type, Scalar)
    root, zero = scope.emit("sqrt", x), scope.const(0.0, x.type)
    slope = scope.emit("div", scope.const(0.5, x.type), root)
    slope = scope.emit("select", scope.emit("eq", root, zero), zero, slope)
    return Num(scope.emit("sloped", root, x, slope), STRONG)


@numpy_function(
    np.average,
    takes="a axis weights",
    samples=("x", "A, 1", "x, weights=y", "A, 0, S[0]", "A, weights=A"),
    about="the mean, or a weighted one",
)
def _average(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    value, weights = found.pop("a"), found.pop("weights", NONE)
    if _is_none(weights):
        return reduced(scope, node, "mean", value, found, "np.average")
    part, own = operand(scope, value), operand(scope, weights)
    if part is None or own is None:
        return scope.error(node, "np.average takes arrays", "pass the values and the weights as arrays")
    if own.rank != part.rank:
        axes = axes_of(scope, node, found.get("axis"), part.rank)
        if axes is None or own.rank != 1 or len(axes) != 1:
            return scope.error(node, "weights of another shape need one axis", "write `axis=`")
        view_of = as_view(scope, node, weights)
        if view_of is None:
            return POISON
        weights = view(scope, node, view_of, [WHOLE if k == axes[0] else NONE for k in range(part.rank)])
    values = cast(scope, part, F64) if part.element.kind != "f" else part
    terms = operation(scope, node, ast.Mult, values or POISON, weights)
    total = reduced(scope, node, "sum", weights, dict(found) if own.rank == part.rank else {}, "np.average")
    return quotient(scope, node, reduced(scope, node, "sum", terms, found, "np.average"), total)


def quotient(scope: FunctionScope, node: ast.Call, a: Abstract, b: Abstract) -> Abstract:
    """A weighted sum divided by that of the weights, which must not be zero."""
    sums = operand(scope, in_memory(scope, node, b))
    if sums is None:
        return POISON

    def nonzero(index: list[Value]) -> None:
        ok = scope.emit("ne", materialise(scope, sums.at(index), F64), scope.const(0.0))
        scope.check(ok, "ZeroDivisionError", "Weights sum to zero, can't be normalized")

    nest(scope, sums.shape, nonzero)
    return call_numpy(scope, node, np.divide, [a, b])


def _is_none(value: Abstract) -> bool:
    return isinstance(value, Constant) and value.value is None


@numpy_function(
    np.ptp,
    takes="a axis keepdims",
    samples=("x", "A, 0", "A, axis=1, keepdims=True"),
    about="the largest element minus the smallest",
)
def _ptp(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    value = in_memory(scope, node, found.pop("a"))
    ends = [reduced(scope, node, name, value, dict(found), "np.ptp") for name in ("max", "min")]
    return call_numpy(scope, node, np.subtract, ends)


# Without NaN ----------------------------------------------------------------------------------------------------------


def _without_nan(name: str, instead: float) -> Callable[[FunctionScope, ast.Call, BoundArguments], Abstract]:
    """np.nansum and the like: NaN counts as `instead`."""

    def rule(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
        value, what = in_memory(scope, node, found.pop("a")), ast.unparse(node.func)
        nan = classify(scope, node, np.isnan, [value])
        kept = call_formula(scope, node, np.where, [nan, Constant(instead), value])
        result = reduced(scope, node, name, kept, dict(found), what)
        if name == "sum" or name == "prod":
            return result
        none = reduced(scope, node, "all", nan, dict(found), what)
        return call_formula(scope, node, np.where, [none, Constant(math.nan), result])

    return rule


def _nan_mean(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    value = in_memory(scope, node, found.pop("a"))
    nan = classify(scope, node, np.isnan, [value])
    kept = call_formula(scope, node, np.where, [nan, Constant(0.0), value])
    total = reduced(scope, node, "sum", kept, dict(found), "np.nanmean")
    there = call_logic(scope, node, np.logical_not, [nan])
    return call_numpy(scope, node, np.divide, [total, reduced(scope, node, "sum", there, dict(found), "np.nanmean")])


def _register_without_nan() -> None:
    for function, name, instead in ((np.nansum, "sum", 0.0), (np.nanprod, "prod", 1.0),
                                    (np.nanmax, "max", -math.inf), (np.nanmin, "min", math.inf)):  # fmt: skip
        about = f"as np.{name}, as if NaN were not there"
        numpy_function(function, takes="a axis keepdims", samples=("x", "np.log(A - 0.5), 0"), about=about)(
            _without_nan(name, instead)
        )


_register_without_nan()
numpy_function(
    np.nanmean,
    takes="a axis keepdims",
    samples=("x", "np.log(A - 0.5), 0"),
    about="as np.mean, as if NaN were not there",
)(_nan_mean)
