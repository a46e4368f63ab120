"""Sums, extrema and the like, of whole arrays or along axes.

A reduction is defined once, for all elements of a source. Along axes it is done for each position of the others.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from adcore.frontend.numpy.broadcasting import Shape, product
from adcore.frontend.numpy.elements import accumulate, load, nest, store
from adcore.frontend.numpy.elementwise import joint_type, operand
from adcore.frontend.numpy.materialise import allocate, computed, note_order
from adcore.frontend.session import Frame, as_static_int
from adcore.frontend.values.abstract import (
    NUMPY,
    POISON,
    Abstract,
    Array,
    Const,
    Expanded,
    Items,
    Lazy,
    ListRef,
    Masked,
    Num,
    Poison,
    Uniform,
    is_scalar,
)
from adcore.frontend.values.describe import describe
from adcore.frontend.values.iterables import stream_of
from adcore.frontend.values.lists import in_memory as list_in_memory
from adcore.frontend.values.numbers import materialise, scalar_type
from adcore.frontend.values.sequences import static_items
from adcore.ir.core import Value
from adcore.ir.types import BOOL, F64, I64, ListType, Scalar

Reader = Callable[[Sequence[Value]], Abstract]


@dataclass(frozen=True)
class Source:
    """What is reduced: elements of type `element`, of which `chosen` (if given) tells which count."""

    shape: Shape
    element: Scalar
    read: Reader
    chosen: Callable[[Sequence[Value]], Value] | None = None


Reduction = Callable[[Frame, ast.AST, Source], Abstract]


def source_of(frame: Frame, node: ast.AST, value: Abstract, what: str) -> Source | None:
    """Arrays, lists of numbers, numbers; reports what can't be reduced."""
    if isinstance(value, Masked):
        mask, inner = value.mask, value.source
        return Source(inner.shape, inner.element, inner.at,
                      lambda index: materialise(frame, load(frame, mask, index[: mask.rank])))  # fmt: skip
    if isinstance(value, Uniform) and not isinstance(value.leaves[0].type, ListType) and len(value.leaves) == 1:
        stream = stream_of(frame, node, value)
        assert stream is not None
        return _read_as((stream.length,), lambda index: stream.item(Num(index[0])), frame)
    if isinstance(value, (Items, ListRef)) and all(map(is_scalar, static_items(frame, value))):
        items = static_items(frame, value)
        value = list_in_memory(frame, items, joint_type(frame, items), None)
    part = operand(frame, value)
    if part is not None:
        return Source(part.shape, part.element, part.at)
    if not isinstance(value, Poison):
        frame.error(node, f"{what} does not take {describe(value)}", "pass an array")
    return None


def _read_as(shape: Shape, read: Reader, frame: Frame) -> Source:
    with frame.builder.region():
        element = scalar_type(read([frame.const(0)] * len(shape)))
    return Source(shape, element, read)


# Along axes -----------------------------------------------------------------------------------------------------------


def axes_of(frame: Frame, node: ast.AST, axis: Abstract | None, rank: int) -> tuple[int, ...] | None:
    """The axes that `axis=` names, in order; reports what names none."""
    if axis is None or (isinstance(axis, Const) and axis.value is None):
        return tuple(range(rank))
    given = static_items(frame, axis) if isinstance(axis, Items) else (axis,)
    found = [as_static_int(a) for a in given]
    known = [a for a in found if a is not None]
    if len(known) < len(found):
        frame.error(node, "`axis` must be known while compiling", "write it as a number")
        return None
    for a in known:
        if not -rank <= a < rank:
            frame.error(node, f"axis {a} is out of bounds for array of dimension {rank}")
            return None
    if len({a % rank for a in known}) < len(known):
        frame.error(node, "duplicate value in 'axis'")
        return None
    return tuple(sorted(a % rank for a in known))


def along(
    frame: Frame,
    node: ast.AST,
    source: Source,
    axes: tuple[int, ...],
    keepdims: bool,
    rule: Reduction,
    element: Scalar,
) -> Abstract:
    """`rule` for the elements along `axes`, at each position of the other axes."""
    rank = len(source.shape)
    others = [axis for axis in range(rank) if axis not in axes]
    if not others and not keepdims:
        return rule(frame, node, source)
    shape = tuple(source.shape[axis] for axis in others)
    if rule in (np_sum, np_mean) and rank - 1 in others and source.chosen is None:
        result = _summed_in_order(frame, node, source, others, element)
        if rule is np_mean:
            size = count(frame, _slice(source, dict.fromkeys(others, frame.const(0))), element)
            nest(frame, shape, lambda k: _divide(frame, node, result, k, size))
    else:
        result = allocate(frame, shape, element)

        def one(index: list[Value]) -> None:
            value = rule(frame, node, _slice(source, dict(zip(others, index, strict=True))))
            if not isinstance(value, Poison):
                store(frame, node, value, result, index)

        nest(frame, shape, one)
    if not keepdims:
        return result
    kept = tuple(others.index(axis) if axis in others else None for axis in range(rank))
    full = tuple(Const(1) if axis in axes else source.shape[axis] for axis in range(rank))
    return Expanded(result, kept, full)


def _summed_in_order(frame: Frame, node: ast.AST, source: Source, others: list[int], element: Scalar) -> Array:
    """Sums along other axes than the last, in the order in which the elements lie in memory."""
    result = allocate(frame, [source.shape[axis] for axis in others], element, zero=True)
    flags = {"flags": "sum"} if element.kind == "f" else {}

    def add(index: list[Value]) -> None:
        there = [index[axis] for axis in others]
        old, term = load(frame, result, there), materialise(frame, source.read(index), element)
        store(frame, node, Num(frame.emit("add", materialise(frame, old), term, **flags), NUMPY), result, there)

    nest(frame, source.shape, add)
    return result


def _divide(frame: Frame, node: ast.AST, array: Array, index: list[Value], size: Value) -> None:
    quotient = frame.emit("div", materialise(frame, load(frame, array, index)), size)
    store(frame, node, Num(quotient, NUMPY), array, index)


def _slice(source: Source, fixed: dict[int, Value]) -> Source:
    """The source with the subscripts of some axes fixed."""
    rank = len(source.shape)

    def whole(index: Sequence[Value]) -> list[Value]:
        inner = iter(index)
        return [fixed[axis] if axis in fixed else next(inner) for axis in range(rank)]

    read, chosen = source.read, source.chosen
    return replace(
        source,
        shape=tuple(n for axis, n in enumerate(source.shape) if axis not in fixed),
        read=lambda index: read(whole(index)),
        chosen=None if chosen is None else lambda index: chosen(whole(index)),
    )


# Reductions -----------------------------------------------------------------------------------------------------------


def fold(
    frame: Frame,
    source: Source,
    first: Sequence[Value],
    step: Callable[[Sequence[Value], Sequence[Value]], Sequence[Value]],
) -> Sequence[Value]:
    """What `step(index, carried)` makes of `first` over all elements that count."""
    chosen = source.chosen

    def body(index: list[Value], carried: Sequence[Value]) -> Sequence[Value]:
        if chosen is None:
            return step(index, carried)
        with frame.builder.region() as inside:
            inside.yields = tuple(step(index, carried))
        with frame.builder.region() as outside:
            outside.yields = tuple(carried)
        types = [v.type for v in carried]
        return frame.builder.emit_many("if", (chosen(index),), {}, (inside.region, outside.region), types)

    return accumulate(frame, source.shape, first, body)


def combine(frame: Frame, source: Source, first: Value, type_: Scalar, op: str, **attrs: Any) -> Num:
    """Combine all elements with `op`. The order is not the user's to see, hence the flags that callers give."""

    def step(index: Sequence[Value], carried: Sequence[Value]) -> list[Value]:
        return [frame.emit(op, carried[0], materialise(frame, source.read(index), type_), **attrs)]

    return Num(fold(frame, source, [first], step)[0], NUMPY)


def summed(element: Scalar) -> Scalar:
    """The type in which NumPy adds and multiplies elements."""
    return element if element.kind == "f" else I64


def averaged(element: Scalar) -> Scalar:
    return element if element.kind == "f" else F64


def total(frame: Frame, source: Source, type_: Scalar) -> Num:
    zero = frame.const(0.0 if type_.kind == "f" else 0, type_)
    flags = {"flags": "sum"} if type_.kind == "f" else {}
    return combine(frame, source, zero, type_, "add", **flags)


def np_sum(frame: Frame, node: ast.AST, source: Source) -> Abstract:
    return total(frame, source, summed(source.element))


def np_prod(frame: Frame, node: ast.AST, source: Source) -> Abstract:
    type_ = summed(source.element)
    return combine(frame, source, frame.const(1.0 if type_.kind == "f" else 1, type_), type_, "mul")


def count(frame: Frame, source: Source, type_: Scalar) -> Value:
    """How many elements count, as a float."""
    size = materialise(frame, product(frame, source.shape), I64)
    if source.chosen is not None:
        one = frame.const(1)
        (size,) = fold(frame, source, [frame.const(0)], lambda i, c: [frame.emit("add", c[0], one, exact=True)])
    return frame.emit("cast", size, type=type_.name)


def np_mean(frame: Frame, node: ast.AST, source: Source) -> Abstract:
    type_ = averaged(source.element)
    value = total(frame, source, type_).value
    return Num(frame.emit("div", value, count(frame, source, type_)), NUMPY)


def np_var(frame: Frame, node: ast.AST, source: Source, ddof: Value | None = None) -> Abstract:
    """The mean of squared distances from the mean, in two passes, as NumPy computes it."""
    type_ = averaged(source.element)
    size = count(frame, source, type_)
    mean = frame.emit("div", total(frame, source, type_).value, size)

    def squared(index: Sequence[Value]) -> Abstract:
        distance = frame.emit("sub", materialise(frame, source.read(index), type_), mean)
        return Num(frame.emit("mul", distance, distance), NUMPY)

    squares = total(frame, replace(source, read=squared), type_).value
    if ddof is not None:
        size = frame.emit("maximum", frame.emit("sub", size, frame.emit("cast", ddof, type=type_.name)),
                          frame.const(0.0, type_))  # fmt: skip
    return Num(frame.emit("div", squares, size), NUMPY)


def np_std(frame: Frame, node: ast.AST, source: Source, ddof: Value | None = None) -> Abstract:
    variance = np_var(frame, node, source, ddof)
    assert isinstance(variance, Num)
    return Num(frame.emit("sqrt", variance.value), NUMPY)


def not_empty(frame: Frame, source: Source, message: str) -> None:
    size = product(frame, source.shape)
    if not isinstance(size, Const) or size.value == 0:
        frame.check(frame.emit("gt", materialise(frame, size, I64), frame.const(0)), "ValueError", message)


def extremum(op: str) -> Reduction:
    """np.min, np.max: a NaN wins; an empty array raises."""
    empty = f"zero-size array to reduction operation {op} which has no identity"

    def rule(frame: Frame, node: ast.AST, source: Source) -> Abstract:
        if source.element == BOOL:
            return frame.error(node, "the minimum or maximum of bools is not supported", "use np.any or np.all")
        type_ = summed(source.element)
        if source.chosen is None:
            not_empty(frame, source, empty)
        else:
            some = truth_fold(frame, replace(source, read=lambda index: Const(True)), "or", False)
            frame.check(some.value, "ValueError", empty)
        worst = float("inf") if type_.kind == "f" else 2**63 - 1
        lowest = -worst if type_.kind == "f" else -(2**63)
        return combine(frame, source, frame.const(worst if op == "minimum" else lowest, type_), type_, op)

    return rule


def truth_fold(frame: Frame, source: Source, op: str, first: bool) -> Num:
    """`or` or `and` of the truths of all elements."""

    def truth(index: Sequence[Value]) -> Abstract:
        value = materialise(frame, source.read(index))
        return Num(value if value.type == BOOL else frame.emit("cast", value, type="bool"), NUMPY)

    return combine(frame, replace(source, read=truth), frame.const(first), BOOL, op)


def np_any(frame: Frame, node: ast.AST, source: Source) -> Abstract:
    return truth_fold(frame, source, "or", False)


def np_all(frame: Frame, node: ast.AST, source: Source) -> Abstract:
    return truth_fold(frame, source, "and", True)


def count_nonzero(frame: Frame, node: ast.AST, source: Source) -> Abstract:
    def truth(index: Sequence[Value]) -> Abstract:
        return Num(frame.emit("cast", materialise(frame, source.read(index)), type="bool"), NUMPY)

    read = source.read if source.element == BOOL else truth
    return total(frame, replace(source, read=read, element=BOOL), I64)


def position_of(comparison: str) -> Reduction:
    """np.argmax ("gt"), np.argmin ("lt"): the first of the best; the first NaN, if there is one."""
    name = "argmax" if comparison == "gt" else "argmin"

    def rule(frame: Frame, node: ast.AST, source: Source) -> Abstract:
        if source.chosen is not None or source.element == BOOL:
            return frame.error(node, f"{name} of this is not supported", "write a loop")
        not_empty(frame, source, f"attempt to get {name} of an empty sequence")
        type_ = summed(source.element)
        zero = frame.const(0)
        first = materialise(frame, source.read([zero] * len(source.shape)), type_)

        def step(index: Sequence[Value], carried: Sequence[Value]) -> list[Value]:
            value, (best, where) = materialise(frame, source.read(index), type_), carried
            better = frame.emit(comparison, value, best)
            if type_.kind == "f":
                nan = frame.emit("and", frame.emit("ne", value, value), frame.emit("eq", best, best))
                better = frame.emit("or", better, nan)
            here = linear(frame, source.shape, index)
            return [frame.emit("select", better, value, best), frame.emit("select", better, here, where)]

        return Num(fold(frame, source, [first, zero], step)[1], NUMPY)

    return rule


def linear(frame: Frame, shape: Shape, index: Sequence[Value]) -> Value:
    """The position of an element in C order."""
    where = index[0] if index else frame.const(0)
    for length, k in zip(shape[1:], index[1:], strict=True):
        where = frame.emit("mul", where, materialise(frame, length, I64), exact=True)
        where = frame.emit("add", where, k, exact=True)
    return where


def running(frame: Frame, node: ast.AST, source: Source, axis: int | None, op: str) -> Abstract:
    """np.cumsum ("add"), np.cumprod ("mul") along an axis; of all elements in C order if there is none."""
    if source.chosen is not None:
        return frame.error(node, "cumulative sums under a mask are not supported", "write a loop")
    type_ = summed(source.element)
    shape = source.shape if axis is not None else (product(frame, source.shape),)
    result = allocate(frame, shape, type_)
    others = [k for k in range(len(source.shape)) if axis is not None and k != axis]
    start = frame.const({"add": 0, "mul": 1}[op] * (1.0 if type_.kind == "f" else 1), type_)

    def one(outer: list[Value]) -> None:
        fixed = dict(zip(others, outer, strict=True))
        part = _slice(source, fixed)

        def step(index: Sequence[Value], carried: Sequence[Value]) -> list[Value]:
            new = frame.emit(op, carried[0], materialise(frame, part.read(index), type_))
            inner = iter(index)
            there = [fixed[k] if k in fixed else next(inner) for k in range(len(source.shape))]
            place = there if axis is not None else [linear(frame, source.shape, index)]
            store(frame, node, Num(new, NUMPY), result, place)
            return [new]

        fold(frame, part, [start], step)

    nest(frame, tuple(source.shape[k] for k in others), one)
    return result


@dataclass(frozen=True)
class Entry:
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


REDUCTIONS: dict[str, Entry] = {
    "sum": Entry(np_sum, summed, "the sum of elements"),
    "prod": Entry(np_prod, summed, "the product of elements"),
    "mean": Entry(np_mean, averaged, "the mean"),
    "min": Entry(extremum("minimum"), _same, "the smallest element; NaN wins"),
    "max": Entry(extremum("maximum"), _same, "the largest element; NaN wins"),
    "var": Entry(np_var, averaged, "the variance", twice=True),
    "std": Entry(np_std, averaged, "the standard deviation", twice=True),
    "any": Entry(np_any, _bool, "whether one element is true", samples=("m", "x > 2.0", "A > 0.5, 0")),
    "all": Entry(np_all, _bool, "whether all elements are true", samples=("m", "x > 0.0", "A > 0.5, 1")),
    "count_nonzero": Entry(count_nonzero, _index, "how many elements are not zero", samples=("m", "A > 0.5, 0")),
    "argmax": Entry(position_of("gt"), _index, "where the largest element is", samples=("x", "A", "A, 0")),
    "argmin": Entry(position_of("lt"), _index, "where the smallest element is", samples=("x", "A", "A, 1")),
}


def reduced(frame: Frame, node: ast.AST, name: str, value: Abstract, given: dict[str, Abstract], what: str) -> Abstract:
    """A reduction with `axis`, `keepdims`, `ddof` and `dtype` as they are given."""
    kind = REDUCTIONS[name]
    if kind.twice and isinstance(value, Lazy):
        value = computed(frame, node, value)
    source = source_of(frame, node, value, what)
    if source is None:
        return POISON
    axes = axes_of(frame, node, given.get("axis"), len(source.shape))
    keepdims = given.get("keepdims", Const(False))
    if axes is None:
        return POISON
    if not isinstance(keepdims, Const):
        return frame.error(node, "`keepdims` must be known while compiling", "write True or False")
    if name in ("argmax", "argmin") and "axis" in given and len(axes) > 1 and not _is_none(given["axis"]):
        return frame.error(node, f"{what} takes one axis")
    if source.chosen is not None and (len(axes) < len(source.shape) or keepdims.value):
        return frame.error(node, f"{what} of a selection by a mask has no axes", "use np.where and an axis")
    element, rule = kind.result(source.element), kind.rule
    if source.element.kind == "u" and name in ("sum", "prod") and len(axes) < len(source.shape):
        return frame.error(node, f"{what} of unsigned integers is unsigned", "convert with .astype(np.int64)")
    if "ddof" in given and isinstance(ddof := given["ddof"], (Const, Num)):
        plain = np_var if name == "var" else np_std
        delta = materialise(frame, ddof)
        rule = lambda f, n, s: plain(f, n, s, delta)  # noqa: E731
    result = along(frame, node, source, axes, bool(keepdims.value), rule, element)
    part = operand(frame, value)
    if part is not None and isinstance(result, (Array, Expanded)):
        note_order(frame, result if isinstance(result, Array) else result.base, part)
    return result


def _is_none(value: Abstract) -> bool:
    return isinstance(value, Const) and value.value is None
