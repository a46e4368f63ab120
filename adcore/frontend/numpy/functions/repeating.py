"""Elements more than once, around an array, or some of them: np.tile, np.pad, np.take, np.split and the like."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

import numpy as np

from adcore.frontend.numpy.elements import accumulate, nest, store, writeable
from adcore.frontend.numpy.elementwise import operand
from adcore.frontend.numpy.folds import axes_of
from adcore.frontend.numpy.functions.constructors import copied
from adcore.frontend.numpy.functions.dtypes import constant, sizes
from adcore.frontend.numpy.functions.joining import added, as_view, at_axis, joined
from adcore.frontend.numpy.indexing.arrays import is_special, selected
from adcore.frontend.numpy.indexing.integers import integer
from adcore.frontend.numpy.indexing.views import view
from adcore.frontend.numpy.materialise import allocate, computed
from adcore.frontend.numpy.reshaping import reshaped
from adcore.frontend.registry import BoundArguments, numpy_call, numpy_function
from adcore.frontend.session import FunctionScope, as_static_int
from adcore.frontend.values.abstract import (
    NONE,
    POISON,
    Abstract,
    ArrayRef,
    Constant,
    Items,
    Lazy,
    ListRef,
    Num,
    SubscriptSlice,
    is_array,
    is_scalar,
)
from adcore.frontend.values.containers.sequences import static_items
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.numbers import materialise
from adcore.ir.core import Value
from adcore.ir.types import I64


def times(scope: FunctionScope, a: Abstract, b: Abstract) -> Abstract:
    """The product of two lengths."""
    if isinstance(a, Constant) and isinstance(b, Constant):
        return Constant(a.value * b.value)
    return Num(scope.emit("mul", materialise(scope, a, I64), materialise(scope, b, I64), exact=True))


def not_negative(scope: FunctionScope, length: Abstract, text: str = "negative dimensions are not allowed") -> Abstract:
    """A length, which raises at run time if it is negative."""
    if not isinstance(length, Constant) or length.value < 0:
        ok = scope.emit("ge", materialise(scope, length, I64), scope.const(0))
        scope.check(ok, "ValueError", text)
    return length


def flat(scope: FunctionScope, node: ast.AST, value: Abstract) -> Abstract:
    """All elements along one axis."""
    part = operand(scope, value)
    if part is not None and not part.rank:
        return computed(scope, node, Lazy((Constant(1),), part.element, lambda index: part.at([]), part.reads))
    if part is None or part.rank == 1:
        return as_view(scope, node, value) or POISON
    return reshaped(scope, node, value, (Constant(-1),))


# More of them ---------------------------------------------------------------------------------------------------------


@numpy_function(
    np.tile,
    takes="A reps",
    least=2,
    samples=("x, 2", "A, (2, 1)", "x, (2, 3)", "a, 3"),
    about="an array several times, side by side",
)
def _tile(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    part, repeats = operand(scope, found["A"]), sizes(scope, node, found["reps"])
    if part is None or repeats is None:
        return POISON if part is not None else scope.error(node, f"np.tile does not take {describe(found['A'])}")
    source = part
    rank = max(part.rank, len(repeats))
    one: list[Abstract] = [Constant(1)]
    own = [*one * (rank - part.rank), *part.shape]
    repeats = tuple(not_negative(scope, n) for n in (*one * (rank - len(repeats)), *repeats))
    result = allocate(scope, [times(scope, n, r) for n, r in zip(own, repeats, strict=True)], part.element)

    def copy(index: list[Value]) -> None:
        tiles, inner = index[:rank], index[rank:]
        there = []
        for tile, k, length in zip(tiles, inner, own, strict=True):
            before = scope.emit("mul", tile, materialise(scope, length, I64), exact=True)
            there.append(scope.emit("add", before, k, exact=True))
        store(scope, node, source.at(inner[rank - source.rank :]), result, there)

    nest(scope, [*repeats, *own], copy)
    return result


@numpy_function(
    np.repeat,
    takes="a repeats axis",
    least=2,
    samples=("x, 2", "A, 2, axis=1", "A, 3", "x, i"),
    about="each element several times",
    method="repeat",
)
def _repeat(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    source, axis = found["a"], found.get("axis", NONE)
    if axis is NONE or (isinstance(axis, Constant) and axis.value is None):
        source, axis = flat(scope, node, source), Constant(0)
    part = operand(scope, source)
    axes = None if part is None else axes_of(scope, node, axis, part.rank)
    if part is None or axes is None:
        return POISON
    count = found["repeats"]
    if not is_scalar(count):
        return _repeat_each(scope, node, part, axes[0], operand(scope, count))
    whole = integer(scope, node, count)
    if whole is None:
        return POISON
    repeats = not_negative(scope, count if isinstance(count, Constant) else Num(whole))
    shape = [times(scope, n, repeats) if k == axes[0] else n for k, n in enumerate(part.shape)]
    result, own = allocate(scope, shape, part.element), part

    def copy(index: list[Value]) -> None:
        *inner, number = index
        first = scope.emit("mul", inner[axes[0]], materialise(scope, repeats, I64), exact=True)
        there = list(inner)
        there[axes[0]] = scope.emit("add", first, number, exact=True)
        store(scope, node, own.at(inner), result, there)

    nest(scope, [*part.shape, repeats], copy)
    return result


def _repeat_each(scope: FunctionScope, node: ast.AST, part: Lazy, axis: int, counts: Lazy | None) -> Abstract:
    """Elements of a vector, each as often as `counts` says."""
    if counts is None or part.rank != 1 or counts.rank != 1 or counts.element.kind not in "iu":
        return scope.error(node, "np.repeat with a number for each element takes a vector and integers", "write a loop")
    n, m = (materialise(scope, p.shape[0], I64) for p in (part, counts))
    text = "operands could not be broadcast together with shape ({0},) ({1},)"
    scope.check(scope.emit("eq", n, m), "ValueError", text, n, m)

    def often(index: Sequence[Value]) -> Value:
        count = materialise(scope, counts.at(index), I64)
        scope.check(scope.emit("ge", count, scope.const(0)), "ValueError", "repeats may not contain negative values.")
        return count

    add = lambda index, carried: [scope.emit("add", carried[0], often(index), exact=True)]  # noqa: E731
    (total,) = accumulate(scope, part.shape, [scope.const(0)], add)
    result = allocate(scope, [Num(total)], part.element)

    def copy(index: list[Value], carried: Sequence[Value]) -> Sequence[Value]:
        count = materialise(scope, counts.at(index), I64)
        value = part.at(index)
        nest(
            scope,
            [Num(count)],
            lambda k: store(scope, node, value, result, [scope.emit("add", carried[0], k[0], exact=True)]),
        )
        return [scope.emit("add", carried[0], count, exact=True)]

    accumulate(scope, part.shape, [scope.const(0)], copy)
    return result


def _meshgrid(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    indexing = named.pop("indexing", Constant("xy"))
    if named or not isinstance(indexing, Constant) or indexing.value not in ("xy", "ij"):
        return scope.error(node, "np.meshgrid takes vectors, and `indexing` of 'xy' or 'ij'", "leave the rest out")
    parts = [operand(scope, flat(scope, node, a)) for a in args]
    known = [p for p in parts if p is not None]
    if len(known) < len(parts):
        return POISON
    order = list(range(len(known)))
    if indexing.value == "xy" and len(order) > 1:
        order[:2] = [1, 0]
    shape = tuple(known[k].shape[0] for k in order)

    def grid(k: int) -> Abstract:
        axis = order.index(k)
        return computed(scope, node, Lazy(shape, known[k].element, lambda i: known[k].at([i[axis]]), known[k].reads))

    return Items(tuple(map(grid, range(len(known)))))


numpy_call(
    np.meshgrid, samples=("x, y", "x, y, indexing='ij'", "x, y, x[:2]"), about="coordinates of all points of a grid"
)(_meshgrid)


# Around an array ------------------------------------------------------------------------------------------------------


@numpy_function(
    np.pad,
    takes="array pad_width mode constant_values",
    least=2,
    samples=("x, 1", "x, (1, 2), constant_values=a", "A, ((1, 0), (0, 2))", "x, 2, 'edge'", "x, 3, 'reflect'",
             "A, 1, 'symmetric'", "x, 2, mode='wrap'"),
    about="an array with more elements at its ends: constant, edge, reflect, symmetric or wrap",
)  # fmt: skip
def _pad(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    part = operand(scope, found["array"])
    mode = found.get("mode", Constant("constant"))
    if part is None or not part.rank:
        return scope.error(node, f"np.pad does not take {describe(found['array'])}")
    if not isinstance(mode, Constant) or (mode.value != "constant" and mode.value not in SUBSCRIPTS):
        return scope.error(
            node, "this mode of np.pad is not supported", f"use 'constant', {', '.join(map(repr, SUBSCRIPTS))}"
        )
    widths = _widths(scope, node, found["pad_width"], part.rank)
    if widths is None:
        return POISON
    shape = [
        added(scope, before, added(scope, n, after)) for n, (before, after) in zip(part.shape, widths, strict=True)
    ]
    starts = [materialise(scope, before, I64) for before, _ in widths]
    source = part
    if mode.value == "constant":
        value = found.get("constant_values", Constant(0))
        if not is_scalar(value):
            return scope.error(node, "np.pad takes one number for `constant_values`", "set the ends one by one")
        result = allocate(scope, shape, part.element)
        nest(scope, shape, lambda index: store(scope, node, value, result, index))

        def move(index: list[Value]) -> None:
            there = [scope.emit("add", k, start, exact=True) for k, start in zip(index, starts, strict=True)]
            store(scope, node, source.at(index), result, there)

        nest(scope, part.shape, move)
        return result
    rule = SUBSCRIPTS[mode.value]
    lengths = [materialise(scope, n, I64) for n in part.shape]
    for length in lengths:
        text = f"can't extend empty axis using modes other than 'constant' or 'empty' (mode {mode.value!r})"
        scope.check(scope.emit("gt", length, scope.const(0)), "ValueError", text)

    def at(index: Sequence[Value]) -> Abstract:
        moved = [scope.emit("sub", k, start, exact=True) for k, start in zip(index, starts, strict=True)]
        return source.at([rule(scope, k, n) for k, n in zip(moved, lengths, strict=True)])

    return computed(scope, node, Lazy(tuple(shape), part.element, at, part.reads))


def _nearest(scope: FunctionScope, k: Value, n: Value) -> Value:
    last = scope.emit("sub", n, scope.const(1), exact=True)
    return scope.emit("maximum", scope.emit("minimum", k, last), scope.const(0))


def _wrapped(scope: FunctionScope, k: Value, n: Value) -> Value:
    return scope.emit("mod", k, n)


def _mirrored(scope: FunctionScope, k: Value, n: Value, twice: int) -> Value:
    """There and back again; `twice` is 1 where the ends are not repeated."""
    double = scope.emit("add", n, n, exact=True)
    period = scope.emit("maximum", scope.emit("sub", double, scope.const(2 * twice), exact=True), scope.const(1))
    there = scope.emit("mod", k, period)
    back = scope.emit("sub", scope.emit("add", period, scope.const(twice - 1), exact=True), there, exact=True)
    return scope.emit("select", scope.emit("lt", there, n), there, back)


SUBSCRIPTS: dict[str, Callable[[FunctionScope, Value, Value], Value]] = {
    "edge": _nearest,
    "reflect": lambda scope, k, n: _mirrored(scope, k, n, 1),
    "symmetric": lambda scope, k, n: _mirrored(scope, k, n, 0),
    "wrap": _wrapped,
}
"""Which element stands at a position outside, by the mode of np.pad."""


def _widths(scope: FunctionScope, node: ast.AST, value: Abstract, rank: int) -> list[tuple[Abstract, Abstract]] | None:
    """How many elements come before and after, for each axis."""
    rows = static_items(scope, value) if isinstance(value, (Items, ListRef)) else (value,)
    if all(map(is_scalar, rows)):
        rows = (Items(rows),) * rank
    elif len(rows) == 1:
        rows *= rank
    found = [sizes(scope, node, row) for row in rows]
    pairs = [(p[0], p[-1]) for p in found if p is not None and len(p) in (1, 2)]
    if len(pairs) != rank:
        if None not in found:
            scope.error(node, "`pad_width` is a number, a pair, or a pair for each axis")
        return None
    for pair in pairs:
        for width in pair:
            not_negative(scope, width, "index can't contain negative values")
    return pairs


# Some of them ---------------------------------------------------------------------------------------------------------


@numpy_function(
    np.take,
    takes="a indices axis",
    least=2,
    samples=("x, i", "A, 1, axis=0", "A, i[:2], 1", "A, k", "A, [[0, 5], [11, -1]]"),
    about="elements or rows at these positions",
    method="take",
)
def _take(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    source, axis = found["a"], found.get("axis", NONE)
    if axis is NONE or (isinstance(axis, Constant) and axis.value is None):
        source, axis = flat(scope, node, source), Constant(0)
    source = source if isinstance(source, ArrayRef) or not is_array(source) else copied(scope, node, source)
    owner = as_view(scope, node, source)
    axes = None if owner is None else axes_of(scope, node, axis, owner.rank)
    if owner is None or axes is None:
        return POISON
    indices = found["indices"]
    if isinstance(indices, (Items, ListRef)) and not all(map(is_scalar, static_items(scope, indices))):
        rows = [_take(scope, node, {**found, "indices": row}) for row in static_items(scope, indices)]
        return joined(scope, node, rows, axes[0], new_axis=True)
    parts = at_axis(owner.rank, axes[0], indices)
    if is_special(owner, parts) and not is_scalar(indices):
        return selected(scope, node, owner, parts)
    part = view(scope, node, owner, parts)
    return copied(scope, node, part) if is_array(part) else part


@numpy_function(
    np.append, takes="arr values axis", least=2, samples=("x, a", "x, y", "A, A, axis=0", "x, [a, 2.0]", "A, x"),
    about="an array and what comes after it, in a new one",
)  # fmt: skip
def _append(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    values, axis = [found["arr"], found["values"]], found.get("axis", NONE)
    if axis is NONE or (isinstance(axis, Constant) and axis.value is None):
        return joined(scope, node, [flat(scope, node, v) for v in values], 0)
    place = constant(scope, node, axis, 0, "axis")
    return POISON if place is None else joined(scope, node, values, place)


def _split(equal: bool, fixed: int | None = None) -> Callable[[FunctionScope, ast.Call, BoundArguments], Abstract]:
    """np.split and its relatives: views, in a list."""

    def rule(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
        source = as_view(scope, node, found["ary"])
        if source is None:
            return POISON
        axis = Constant(fixed if source.rank > 1 else 0) if fixed is not None else found.get("axis", Constant(0))
        axes = axes_of(scope, node, axis, source.rank)
        part = operand(scope, source)
        if axes is None or part is None:
            return POISON
        ends = _ends(scope, node, found["indices_or_sections"], part.shape[axes[0]], equal)
        if ends is None:
            return POISON
        starts = [Constant(0), *ends]
        cuts = [SubscriptSlice(lo, hi, NONE) for lo, hi in zip(starts, [*ends, NONE], strict=True)]
        views = [view(scope, node, source, at_axis(source.rank, axes[0], cut)) for cut in cuts]
        return scope.new_list(tuple(views), scope.span(node))

    return rule


def _ends(scope: FunctionScope, node: ast.AST, given: Abstract, length: Abstract, equal: bool) -> list[Abstract] | None:
    """Where the parts end, the last one apart."""
    if isinstance(given, (Items, ListRef)):
        found = sizes(scope, node, given)
        return None if found is None else list(found)
    count = as_static_int(given)
    if count is None or count < 1:
        scope.error(node, "the number of parts must be known while compiling", "write it as a number, or use slices")
        return None
    known = as_static_int(length)
    if known is not None and (known % count == 0 or not equal):
        ends = [k * (known // count) + min(k, known % count) for k in range(1, count)]
        return [Constant(end) for end in ends]
    n, parts = materialise(scope, length, I64), scope.const(count)
    left, size = scope.emit("mod", n, parts), scope.emit("floordiv", n, parts)
    if equal:
        text = "array split does not result in an equal division"
        scope.check(scope.emit("eq", left, scope.const(0)), "ValueError", text)
        left = scope.const(0)
    found_ends: list[Abstract] = []
    for k in range(1, count):
        before = scope.emit("mul", size, scope.const(k), exact=True)
        more = before if equal else scope.emit("add", before, scope.emit("minimum", left, scope.const(k)), exact=True)
        found_ends.append(Num(more))
    return found_ends


for _function, _equal, _fixed, _samples in (
    (np.split, True, None, ("x, 2", "x, [1, 3]", "A, 2, 1", "A, (1,), axis=0")),
    (np.array_split, False, None, ("x, 3", "A, 2", "A, 3, axis=1")),
    (np.hsplit, True, 1, ("A, 2", "x, 2")),
    (np.vsplit, True, 0, ("A, 3", "A, [1]")),
):
    numpy_function(
        _function,
        takes="ary indices_or_sections axis" if _fixed is None else "ary indices_or_sections",
        least=2,
        samples=_samples,
        about="views of parts, in a list",
    )(_split(_equal, _fixed))


@numpy_function(np.fill_diagonal, takes="a val", least=2, samples=(), about="stores one number into the diagonal")
def _fill_diagonal(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    array, value = found["a"], found["val"]
    if not isinstance(array, ArrayRef) or array.rank != 2 or not is_scalar(value):
        return scope.error(node, "np.fill_diagonal takes a matrix and a number", "write a loop over `A[i, i]`")
    if writeable(scope, array, "assignment destination is read-only"):
        part = operand(scope, array)
        assert part is not None
        both = [materialise(scope, n, I64) for n in part.shape]
        nest(scope, [Num(scope.emit("minimum", *both))], lambda k: store(scope, node, value, array, [k[0], k[0]]))
    return NONE
