"""Sums, extrema and the like, of whole arrays or along axes.

A reduction is defined once, for all elements of a source. Along axes it is done for each position of the others.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from adcore.frontend.numpy.broadcasting import product
from adcore.frontend.numpy.elements import load, nest, store
from adcore.frontend.numpy.elementwise import operand
from adcore.frontend.numpy.folds import (
    ReductionSource,
    _slice,
    averaged,
    axes_of,
    combine,
    count,
    fold,
    linear,
    not_empty,
    source_of,
    summed,
    total,
    truth_fold,
)
from adcore.frontend.numpy.materialise import allocate, computed, in_memory, note_order
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import (
    POISON,
    STRONG,
    Abstract,
    ArrayRef,
    BooleanIndexed,
    Constant,
    Expanded,
    Lazy,
    Num,
    Poison,
)
from adcore.frontend.values.numeric.numbers import materialise
from adcore.ir.core import Value
from adcore.ir.types import BOOL, I64, U64, Scalar

Reduction = Callable[[FunctionScope, ast.AST, ReductionSource], Abstract]


def along(
    scope: FunctionScope,
    node: ast.AST,
    source: ReductionSource,
    axes: tuple[int, ...],
    keepdims: bool,
    rule: Reduction,
    element: Scalar,
) -> Abstract:
    """`rule` for the elements along `axes`, at each position of the other axes."""
    rank = len(source.shape)
    others = [axis for axis in range(rank) if axis not in axes]
    if not others and not keepdims:
        return rule(scope, node, source)
    shape = tuple(source.shape[axis] for axis in others)
    if rule in (np_sum, np_mean) and rank - 1 in others and source.chosen is None:
        result = _summed_in_order(scope, node, source, others, element)
        if rule is np_mean:
            size = count(scope, _slice(source, dict.fromkeys(others, scope.const(0))), element)
            nest(scope, shape, lambda k: _divide(scope, node, result, k, size))
    else:
        result = allocate(scope, shape, element)

        def one(index: list[Value]) -> None:
            value = rule(scope, node, _slice(source, dict(zip(others, index, strict=True))))
            if not isinstance(value, Poison):
                store(scope, node, value, result, index)

        nest(scope, shape, one)
    if not keepdims:
        return result
    kept = tuple(others.index(axis) if axis in others else None for axis in range(rank))
    full = tuple(Constant(1) if axis in axes else source.shape[axis] for axis in range(rank))
    return Expanded(result, kept, full)


def _summed_in_order(
    scope: FunctionScope, node: ast.AST, source: ReductionSource, others: list[int], element: Scalar
) -> ArrayRef:
    """Sums along other axes than the last, in the order in which the elements lie in memory."""
    result = allocate(scope, [source.shape[axis] for axis in others], element, zero=True)
    flags = {"flags": "sum"} if element.kind == "f" else {}

    def add(index: list[Value]) -> None:
        there = [index[axis] for axis in others]
        old, term = load(scope, result, there), materialise(scope, source.read(index), element)
        store(scope, node, Num(scope.emit("add", materialise(scope, old), term, **flags), STRONG), result, there)

    nest(scope, source.shape, add)
    return result


def _divide(scope: FunctionScope, node: ast.AST, array: ArrayRef, index: list[Value], size: Value) -> None:
    quotient = scope.emit("div", materialise(scope, load(scope, array, index)), size)
    store(scope, node, Num(quotient, STRONG), array, index)


def np_sum(scope: FunctionScope, node: ast.AST, source: ReductionSource) -> Abstract:
    return total(scope, source, summed(source.element))


def np_prod(scope: FunctionScope, node: ast.AST, source: ReductionSource) -> Abstract:
    type_ = summed(source.element)
    return combine(scope, source, scope.const(1.0 if type_.kind == "f" else 1, type_), type_, "mul")


def np_mean(scope: FunctionScope, node: ast.AST, source: ReductionSource) -> Abstract:
    type_ = averaged(source.element)
    value = total(scope, source, type_).value
    return Num(scope.emit("div", value, count(scope, source, type_)), STRONG)


def np_var(scope: FunctionScope, node: ast.AST, source: ReductionSource, ddof: Value | None = None) -> Abstract:
    """The mean of squared distances from the mean, in two passes, as NumPy computes it."""
    type_ = averaged(source.element)
    size = count(scope, source, type_)
    mean = scope.emit("div", total(scope, source, type_).value, size)

    def squared(index: Sequence[Value]) -> Abstract:
        distance = scope.emit("sub", materialise(scope, source.read(index), type_), mean)
        return Num(scope.emit("mul", distance, distance), STRONG)

    squares = total(scope, replace(source, read=squared), type_).value
    if ddof is not None:
        size = scope.emit("maximum", scope.emit("sub", size, scope.emit("cast", ddof, type=type_.name)),
                          scope.const(0.0, type_))  # fmt: skip
    return Num(scope.emit("div", squares, size), STRONG)


def np_std(scope: FunctionScope, node: ast.AST, source: ReductionSource, ddof: Value | None = None) -> Abstract:
    variance = np_var(scope, node, source, ddof)
    assert isinstance(variance, Num)
    return Num(scope.emit("sqrt", variance.value), STRONG)


def extremum(op: str) -> Reduction:
    """np.min, np.max: a NaN wins; an empty array raises."""
    empty = f"zero-size array to reduction operation {op} which has no identity"

    def rule(scope: FunctionScope, node: ast.AST, source: ReductionSource) -> Abstract:
        if source.element == BOOL:
            return scope.error(node, "the minimum or maximum of bools is not supported", "use np.any or np.all")
        type_ = summed(source.element)
        if source.chosen is None:
            not_empty(scope, source, empty)
        else:
            some = truth_fold(scope, replace(source, read=lambda index: Constant(True)), "or", False)
            scope.check(some.value, "ValueError", empty)
        worst = float("inf") if type_.kind == "f" else 2**63 - 1
        lowest = -worst if type_.kind == "f" else -(2**63)
        return combine(scope, source, scope.const(worst if op == "minimum" else lowest, type_), type_, op)

    return rule


def np_any(scope: FunctionScope, node: ast.AST, source: ReductionSource) -> Abstract:
    return truth_fold(scope, source, "or", False)


def np_all(scope: FunctionScope, node: ast.AST, source: ReductionSource) -> Abstract:
    return truth_fold(scope, source, "and", True)


def count_nonzero(scope: FunctionScope, node: ast.AST, source: ReductionSource) -> Abstract:
    def truth(index: Sequence[Value]) -> Abstract:
        return Num(scope.emit("cast", materialise(scope, source.read(index)), type="bool"), STRONG)

    read = source.read if source.element == BOOL else truth
    return total(scope, replace(source, read=read, element=BOOL), I64)


def position_of(comparison: str) -> Reduction:
    """np.argmax ("gt"), np.argmin ("lt"): the first of the best; the first NaN, if there is one."""
    name = "argmax" if comparison == "gt" else "argmin"

    def rule(scope: FunctionScope, node: ast.AST, source: ReductionSource) -> Abstract:
        if source.element == BOOL:
            return scope.error(node, f"{name} of bools is not supported", "write a loop")
        not_empty(scope, source, f"attempt to get {name} of an empty sequence")
        type_ = summed(source.element)
        zero = scope.const(0)
        first = materialise(scope, source.read([zero] * len(source.shape)), type_)

        def step(index: Sequence[Value], carried: Sequence[Value]) -> list[Value]:
            value, (best, where) = materialise(scope, source.read(index), type_), carried
            better = scope.emit(comparison, value, best)
            if type_.kind == "f":
                nan = scope.emit("and", scope.emit("ne", value, value), scope.emit("eq", best, best))
                better = scope.emit("or", better, nan)
            here = linear(scope, source.shape, index)
            return [scope.emit("select", better, value, best), scope.emit("select", better, here, where)]

        return Num(fold(scope, source, [first, zero], step)[1], STRONG)

    return rule


def running(scope: FunctionScope, node: ast.AST, source: ReductionSource, axis: int | None, op: str) -> Abstract:
    """np.cumsum ("add"), np.cumprod ("mul") along an axis; of all elements in C order if there is none."""
    type_ = summed(source.element)
    shape = source.shape if axis is not None else (product(scope, source.shape),)
    result = allocate(scope, shape, type_)
    others = [k for k in range(len(source.shape)) if axis is not None and k != axis]
    start = scope.const({"add": 0, "mul": 1}[op] * (1.0 if type_.kind == "f" else 1), type_)

    def one(outer: list[Value]) -> None:
        fixed = dict(zip(others, outer, strict=True))
        part = _slice(source, fixed)

        def step(index: Sequence[Value], carried: Sequence[Value]) -> list[Value]:
            new = scope.emit(op, carried[0], materialise(scope, part.read(index), type_))
            inner = iter(index)
            there = [fixed[k] if k in fixed else next(inner) for k in range(len(source.shape))]
            place = there if axis is not None else [linear(scope, source.shape, index)]
            store(scope, node, Num(new, STRONG), result, place)
            return [new]

        fold(scope, part, [start], step)

    nest(scope, tuple(source.shape[k] for k in others), one)
    return result


@dataclass(frozen=True)
class ReductionRule:
    """A reduction and the type of its result, by that of the elements. `twice`: it reads elements more than once."""

    rule: Reduction
    result: Callable[[Scalar], Scalar]
    about: str
    twice: bool = False
    samples: tuple[str, ...] = ("x", "A", "A, 0", "A, axis=1, keepdims=True")


def _bool(element: Scalar) -> Scalar:
    return BOOL


def _index(element: Scalar) -> Scalar:
    return I64


def _same(element: Scalar) -> Scalar:
    return element


REDUCTIONS: dict[str, ReductionRule] = {
    "sum": ReductionRule(np_sum, summed, "the sum of elements"),
    "prod": ReductionRule(np_prod, summed, "the product of elements"),
    "mean": ReductionRule(np_mean, averaged, "the mean"),
    "min": ReductionRule(extremum("minimum"), _same, "the smallest element; NaN wins"),
    "max": ReductionRule(extremum("maximum"), _same, "the largest element; NaN wins"),
    "var": ReductionRule(np_var, averaged, "the variance", twice=True),
    "std": ReductionRule(np_std, averaged, "the standard deviation", twice=True),
    "any": ReductionRule(np_any, _bool, "whether one element is true", samples=("m", "x > 2.0", "A > 0.5, 0")),
    "all": ReductionRule(np_all, _bool, "whether all elements are true", samples=("m", "x > 0.0", "A > 0.5, 1")),
    "count_nonzero": ReductionRule(
        count_nonzero, _index, "how many elements are not zero", samples=("m", "A > 0.5, 0")
    ),
    "argmax": ReductionRule(position_of("gt"), _index, "where the largest element is", samples=("x", "A", "A, 0")),
    "argmin": ReductionRule(position_of("lt"), _index, "where the smallest element is", samples=("x", "A", "A, 1")),
}


def reduced(
    scope: FunctionScope, node: ast.AST, name: str, value: Abstract, given: dict[str, Abstract], what: str
) -> Abstract:
    """A reduction with `axis`, `keepdims`, `ddof` and `dtype` as they are given."""
    kind = REDUCTIONS[name]
    if kind.twice and isinstance(value, Lazy):
        value = computed(scope, node, value)
    if isinstance(value, BooleanIndexed) and (name in ("argmax", "argmin") or given.keys() & {"axis", "keepdims"}):
        value = in_memory(scope, node, value)
    source = source_of(scope, node, value, what)
    if source is None:
        return POISON
    axes = axes_of(scope, node, given.get("axis"), len(source.shape))
    keepdims = given.get("keepdims", Constant(False))
    if axes is None:
        return POISON
    if not isinstance(keepdims, Constant):
        return scope.error(node, "`keepdims` must be known while compiling", "write True or False")
    if name in ("argmax", "argmin") and "axis" in given and len(axes) > 1 and not _is_none(given["axis"]):
        return scope.error(node, f"{what} takes one axis")
    element, rule = kind.result(source.element), kind.rule
    if source.element.kind == "u" and name in ("sum", "prod") and len(axes) < len(source.shape):
        return scope.error(node, f"{what} of unsigned integers is unsigned", "convert with .astype(np.int64)")
    if "ddof" in given and isinstance(ddof := given["ddof"], (Constant, Num)):
        plain = np_var if name == "var" else np_std
        delta = materialise(scope, ddof)
        rule = lambda f, n, s: plain(f, n, s, delta)  # noqa: E731
    result = along(scope, node, source, axes, bool(keepdims.value), rule, element)
    if isinstance(result, Num) and source.element.kind in "iu":
        result = _of_integers(scope, name, source.element, result)
    part = operand(scope, value)
    if part is not None and isinstance(result, (ArrayRef, Expanded)):
        note_order(scope, result if isinstance(result, ArrayRef) else result.base, part)
    return result


def _of_integers(scope: FunctionScope, name: str, element: Scalar, result: Num) -> Num:
    """A number made of integers, of the type that NumPy gives it: sums of unsigned ones are unsigned."""
    type_ = element if REDUCTIONS[name].result is _same else U64 if element.kind == "u" else I64
    return (
        result
        if type_ == I64 or result.type != I64 or REDUCTIONS[name].result is _index
        else replace(result, narrow=type_)
    )


def _is_none(value: Abstract) -> bool:
    return isinstance(value, Constant) and value.value is None
