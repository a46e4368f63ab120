"""Reductions: np.sum and its relatives, norms, cumulative sums."""

from __future__ import annotations

import ast
from collections.abc import Callable

import numpy as np

from adcore.frontend.numpy.elementwise import absolute, apply, cast, operand, operation
from adcore.frontend.numpy.folds import axes_of, source_of
from adcore.frontend.numpy.functions.dtypes import element_type
from adcore.frontend.numpy.materialise import in_memory
from adcore.frontend.numpy.reductions import REDUCTIONS, reduced, running
from adcore.frontend.registry import BoundArguments, CallHandler, numpy_call, numpy_function, parameters
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import (
    NONE,
    POISON,
    STRONG,
    Abstract,
    Constant,
    Items,
    Num,
    Poison,
    is_array,
)
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numbers import materialise
from adcore.ir.types import F64

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


def _running(op: str) -> Callable[[FunctionScope, ast.Call, BoundArguments], Abstract]:
    """np.cumsum, np.cumprod."""

    def rule(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
        source = source_of(scope, node, found["a"], ast.unparse(node.func))
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
        return apply(scope, node, np.sqrt, [value], lambda v: Num(scope.emit("sqrt", materialise(scope, v[0])), STRONG))
    return Num(scope.emit("sqrt", materialise(scope, value)), STRONG)


@numpy_function(np.average, takes="a axis", samples=("x", "A, 1"), about="the mean")
def _average(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    value = found.pop("a")
    return reduced(scope, node, "mean", value, found, "np.average")
