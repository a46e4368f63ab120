"""Arrays made of parts of others: np.concatenate, np.stack, np.roll, np.flip, np.diff and the like."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

import numpy as np

from adcore.frontend.numpy.broadcasting import Extents, same_length
from adcore.frontend.numpy.compression import positions
from adcore.frontend.numpy.elements import dims, store
from adcore.frontend.numpy.elementwise import operand, operation
from adcore.frontend.numpy.folds import axes_of
from adcore.frontend.numpy.functions.dtypes import constant
from adcore.frontend.numpy.indexing.integer_arrays import scatter
from adcore.frontend.numpy.indexing.integers import integer
from adcore.frontend.numpy.indexing.slices import element_or_view
from adcore.frontend.numpy.indexing.views import WHOLE, view
from adcore.frontend.numpy.materialise import allocate, computed, note_order, put_array
from adcore.frontend.numpy.reductions import reduced
from adcore.frontend.numpy.reshaping import reshaped
from adcore.frontend.numpy.types import chosen_type
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
    Reshaped,
    SubscriptSlice,
)
from adcore.frontend.values.containers.sequences import static_items
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.numbers import materialise
from adcore.ir.core import Value
from adcore.ir.types import BOOL, I64

JoinedOperand = ArrayRef | Expanded | Reshaped


def as_view(scope: FunctionScope, node: ast.AST, value: Abstract) -> JoinedOperand | None:
    """`value` as something in memory that has views; reports what is no array."""
    if isinstance(value, (ArrayRef, Expanded, Reshaped)):
        return value
    part = operand(scope, value)
    if part is not None and part.shape:
        return computed(scope, node, part)
    if not isinstance(value, Poison):
        scope.error(node, f"{describe(value)} is no array", "pass an array")
    return None


def shape_of(view: JoinedOperand, scope: FunctionScope) -> Extents:
    part = operand(scope, view)
    assert part is not None
    return part.shape


def at_axis(rank: int, axis: int, part: Abstract) -> list[Abstract]:
    """Subscripts that select `part` along one axis and everything along the others."""
    return [part if k == axis else WHOLE for k in range(rank)]


def added(scope: FunctionScope, a: Abstract, b: Abstract) -> Abstract:
    """The sum of two lengths."""
    if isinstance(a, Constant) and isinstance(b, Constant):
        return Constant(a.value + b.value)
    return Num(scope.emit("add", materialise(scope, a, I64), materialise(scope, b, I64), exact=True))


def joined(
    scope: FunctionScope, node: ast.AST, values: Sequence[Abstract], axis: int, new_axis: bool = False
) -> Abstract:
    """np.concatenate along `axis`; np.stack along a new one."""
    parts = [operand(scope, v) for v in values]
    known = [p for p in parts if p is not None]
    if len(known) < len(parts) or not known:
        return scope.error(node, "only arrays can be joined", "pass a tuple or list of arrays")
    rank = known[0].rank + new_axis
    if any(p.rank != known[0].rank for p in known) or not (new_axis or rank):
        return scope.error(node, "all the input array dimensions except for the concatenation axis must match exactly")
    if not -rank <= axis < rank:
        return scope.error(node, f"axis {axis} is out of bounds for array of dimension {rank}")
    axis %= rank
    element = chosen_type(scope, node, values, known)
    if element is None:
        return POISON
    shapes = [(*p.shape[:axis], Constant(1), *p.shape[axis:]) if new_axis else p.shape for p in known]
    _others_agree(scope, shapes, axis, new_axis)
    length: Abstract = Constant(0)
    starts: list[Abstract] = []
    for shape in shapes:
        starts.append(length)
        length = added(scope, length, shape[axis])
    result = allocate(scope, [length if k == axis else n for k, n in enumerate(shapes[0])], element)
    note_order(scope, result, *known)
    for start, shape, part in zip(starts, shapes, known, strict=True):
        where = start if new_axis else SubscriptSlice(start, added(scope, start, shape[axis]), NONE)
        place = element_or_view_of(scope, node, result, at_axis(rank, axis, where))
        if isinstance(place, ArrayRef):
            put_array(scope, node, place, part)
        else:
            # Numbers side by side.
            store(scope, node, part.at([]), result, [materialise(scope, start, I64)])
    return result


def element_or_view_of(scope: FunctionScope, node: ast.AST, array: ArrayRef, parts: list[Abstract]) -> Abstract:
    if array.rank == 1 and not isinstance(parts[0], SubscriptSlice):
        return NONE
    return element_or_view(scope, node, array, parts)


def _others_agree(scope: FunctionScope, shapes: Sequence[Extents], axis: int, new_axis: bool) -> None:
    first = shapes[0]
    for number, shape in enumerate(shapes[1:], 1):
        for k, (a, b) in enumerate(zip(first, shape, strict=True)):
            if k == axis or same_length(a, b):
                continue
            x, y = materialise(scope, a, I64), materialise(scope, b, I64)
            text = "all input arrays must have the same shape"
            if not new_axis:
                text = "all the input array dimensions except for the concatenation axis must match exactly, but along "
                text += (
                    f"dimension {k}, the array at index 0 has size {{0}} and the array at index {number} has size {{1}}"
                )
            scope.check(scope.emit("eq", x, y), "ValueError", text, *(() if new_axis else (x, y)))


def flipped(scope: FunctionScope, node: ast.AST, value: Abstract, axes: Sequence[int]) -> Abstract:
    """np.flip: a view."""
    source = as_view(scope, node, value)
    if source is None:
        return POISON
    back = SubscriptSlice(NONE, NONE, Constant(-1))
    return view(scope, node, source, [back if k in axes else WHOLE for k in range(source.rank)])


def rolled(scope: FunctionScope, node: ast.AST, value: Abstract, shift: Value, axis: int) -> Abstract:
    """np.roll along one axis: two parts change places."""
    source = as_view(scope, node, value)
    if source is None:
        return POISON
    shape = shape_of(source, scope)
    result = allocate(scope, shape, source.element)
    own = operand(scope, source)
    assert own is not None
    note_order(scope, result, own)
    n = materialise(scope, shape[axis], I64)
    # Of an empty axis nothing is moved; `mod` needs a divisor all the same.
    back = scope.emit("mod", shift, scope.emit("maximum", n, scope.const(1)))
    kept = Num(scope.emit("sub", n, back, exact=True))
    moved = Num(back)
    for there, here in (
        (SubscriptSlice(moved, NONE, NONE), SubscriptSlice(NONE, kept, NONE)),
        (SubscriptSlice(NONE, moved, NONE), SubscriptSlice(kept, NONE, NONE)),
    ):
        target = element_or_view(scope, node, result, at_axis(source.rank, axis, there))
        part = view(scope, node, source, at_axis(source.rank, axis, here))
        if isinstance(target, ArrayRef):
            put_array(scope, node, target, part)
    return result


def differences(scope: FunctionScope, node: ast.AST, value: Abstract, times: int, axis: int) -> Abstract:
    """np.diff."""
    for _ in range(times):
        source = as_view(scope, node, value)
        if source is None:
            return POISON
        upper = view(scope, node, source, at_axis(source.rank, axis, SubscriptSlice(Constant(1), NONE, NONE)))
        lower = view(scope, node, source, at_axis(source.rank, axis, SubscriptSlice(NONE, Constant(-1), NONE)))
        value = operation(scope, node, ast.Sub, upper, lower)
    return value


def permuted(scope: FunctionScope, value: JoinedOperand, order: Sequence[int]) -> JoinedOperand:
    """The view with axis k of the result being axis `order[k]`."""
    if tuple(order) == tuple(range(value.rank)):
        return value
    if isinstance(value, Expanded):
        return Expanded(
            value.base, tuple(value.axes[k] for k in order), tuple(value.shape[k] for k in order), value.writeable
        )
    if isinstance(value, Reshaped):
        view, back = value, [list(order).index(k) for k in range(value.rank)]
        lengths = tuple(value.shape[k] for k in order)
        through = lambda index: view.through([index[k] for k in back])  # noqa: E731
        return Reshaped(value.base, lengths, through, value.writeable, whole=False)
    turned = scope.emit("transpose", value.value, permutation=tuple(order))
    shape = None if value.shape is None else tuple(value.shape[k] for k in order)
    return ArrayRef(turned, value.root, value.writeable, value.weak, None, shape, value.local)


def triangle(scope: FunctionScope, node: ast.AST, value: Abstract, k: int, upper: bool) -> Abstract:
    """np.triu and np.tril: zero outside."""
    part = operand(scope, value)
    if part is None or part.rank < 2:
        return scope.error(node, f"np.tri{'u' if upper else 'l'} takes a matrix, not {describe(value)}")
    source = part

    def at(index: Sequence[Value]) -> Abstract:
        row = scope.emit("add", index[-2], scope.const(k), exact=True)
        inside = scope.emit("le" if upper else "ge", row, index[-1])
        found = materialise(scope, source.at(index))
        zero = scope.const({"f": 0.0, "b": False}.get(source.element.kind, 0), found.type)  # type: ignore[arg-type]
        return Num(scope.emit("select", inside, found, zero), STRONG)

    return Lazy(source.shape, source.element, at, source.reads)


def diagonal(scope: FunctionScope, node: ast.AST, value: Abstract) -> Abstract:
    """np.diag: the matrix with this diagonal, or the diagonal of a matrix."""
    part = operand(scope, value)
    if part is None or part.rank not in (1, 2):
        return scope.error(node, f"np.diag takes a vector or a matrix, not {describe(value)}")
    source = part
    if source.rank == 2:
        length = source.shape[0]
        if not same_length(*source.shape):
            both = (materialise(scope, n, I64) for n in source.shape)
            length = Num(scope.emit("minimum", *both))
        reads = source.reads
        return computed(scope, node, Lazy((length,), source.element, lambda i: source.at([i[0], i[0]]), reads))

    def at(index: Sequence[Value]) -> Abstract:
        found = materialise(scope, source.at([index[0]]))
        zero = scope.const({"f": 0.0, "b": False}.get(source.element.kind, 0), found.type)  # type: ignore[arg-type]
        return Num(scope.emit("select", scope.emit("eq", index[0], index[1]), found, zero), STRONG)

    return computed(scope, node, Lazy((source.shape[0], source.shape[0]), source.element, at, source.reads))


def _nonzero(scope: FunctionScope, node: ast.AST, value: Abstract) -> tuple[Abstract, ...] | None:
    """Where the elements are not zero: subscripts for each axis."""
    part = operand(scope, value)
    if part is None or not part.rank:
        scope.error(node, f"{describe(value)} has no positions", "pass an array")
        return None
    source = part

    def at(index: Sequence[Value]) -> Abstract:
        found = materialise(scope, source.at(index))
        return Num(found if found.type == BOOL else scope.emit("cast", found, type="bool"), STRONG)

    mask = computed(scope, node, Lazy(part.shape, BOOL, at, part.reads))
    return positions(scope, node, mask)


# Functions ------------------------------------------------------------------------------------------------------------


@numpy_function(
    np.roll,
    takes="a shift axis",
    least=2,
    samples=("x, 1", "A, -2, 1", "A, k, axis=0"),
    about="elements moved along one axis, around its end",
)
def _roll(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    source = as_view(scope, node, found["a"])
    shift = integer(scope, node, found["shift"])
    if source is None or shift is None:
        return POISON
    axes = axes_of(scope, node, found.get("axis"), source.rank)
    if axes is None:
        return POISON
    if len(axes) != 1:
        return scope.error(node, "np.roll is supported along one axis", "write `axis=`")
    return rolled(scope, node, source, shift, axes[0])


@numpy_function(np.diff, takes="a n axis", samples=("x", "A, 1, 0", "A, 2"), about="differences of neighbours")
def _diff(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    source = as_view(scope, node, found["a"])
    if source is None:
        return POISON
    times = constant(scope, node, found.get("n"), 1, "n")
    axes = axes_of(scope, node, found.get("axis", Constant(-1)), source.rank)
    if times is None or axes is None:
        return POISON
    return differences(scope, node, source, times, axes[0])


def _joins(new_axis: bool) -> Callable[[FunctionScope, ast.Call, BoundArguments], Abstract]:
    """np.concatenate, np.stack."""

    def rule(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
        axis = constant(scope, node, found.get("axis"), 0, "axis")
        rows = found["arrays"]
        if axis == 0 and isinstance(rows, ArrayRef) and rows.rank > 1 and as_static_int(dims(scope, rows)[0]) is None:
            # Rows of an array, or a list of arrays that has grown: they lie side by side already.
            return _rows_in_order(scope, node, rows, new_axis)
        values = parts_of(scope, node, rows)
        return POISON if axis is None or values is None else joined(scope, node, values, axis, new_axis)

    return rule


numpy_function(
    np.concatenate,
    takes="arrays axis",
    samples=("(x, y)", "[A, A], 1"),
    about="arrays one after the other along an axis",
)(_joins(False))
numpy_function(
    np.stack, takes="arrays axis", samples=("(x, y)", "[x, y], 1"), about="arrays side by side along a new axis"
)(_joins(True))


@numpy_function(
    np.vstack,
    takes="tup",
    samples=("(A, A)", "[x, y]", "(A, x)", "[a, 2.0]"),
    about="arrays one after the other along the first axis, vectors as rows",
)
def _below(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    values = parts_of(scope, node, found["tup"])
    return POISON if values is None else joined(scope, node, [as_rows(scope, node, v) for v in values], 0)


@numpy_function(
    np.column_stack,
    takes="tup",
    samples=("(x, y)", "[A, A]", "(S, S[0])"),
    about="vectors as columns, and matrices, side by side",
)
def _columns(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    values = parts_of(scope, node, found["tup"])
    if values is None:
        return POISON
    columns = []
    for value in values:
        rows = as_rows(scope, node, value)
        flat = (part := operand(scope, value)) is not None and part.rank < 2
        columns.append(permuted(scope, rows, (1, 0)) if flat and not isinstance(rows, Poison) else rows)
    return joined(scope, node, columns, 1)


def _rows_in_order(scope: FunctionScope, node: ast.AST, rows: ArrayRef, new_axis: bool) -> Abstract:
    part = operand(scope, rows)
    assert part is not None
    copy = computed(scope, node, part)
    scope.session.unordered.discard(copy.root)
    if new_axis:
        return copy
    first, second, *others = part.shape
    length = Num(scope.emit("mul", materialise(scope, first, I64), materialise(scope, second, I64), exact=True))
    return reshaped(scope, node, copy, (length, *others))


def parts_of(scope: FunctionScope, node: ast.Call, value: Abstract) -> tuple[Abstract, ...] | None:
    """The arrays that a function joins: the items of a tuple or list, or the rows of an array of known length."""
    if isinstance(value, (Items, ListRef)):
        return static_items(scope, value)
    part = operand(scope, value)
    length = as_static_int(part.shape[0]) if part is not None and part.rank else None
    if length is not None and (source := as_view(scope, node, value)) is not None:
        return tuple(view(scope, node, source, [Constant(k)]) for k in range(length))
    if not isinstance(value, Poison):
        scope.error(node, f"{ast.unparse(node.func)} takes a tuple or list of arrays, not {describe(value)}")
    return None


def as_rows(scope: FunctionScope, node: ast.AST, value: Abstract) -> JoinedOperand | Poison:
    """At least a matrix: a vector as its only row, a number as its only element."""
    part = operand(scope, value)
    if part is None or part.rank > 0:
        source = as_view(scope, node, value)
        if source is None or source.rank > 1:
            return source or POISON
        found = view(scope, node, source, [NONE, WHOLE])
        return found if isinstance(found, (ArrayRef, Expanded, Reshaped)) else POISON
    number = part
    return computed(scope, node, Lazy((Constant(1), Constant(1)), part.element, lambda i: number.at([]), part.reads))


@numpy_function(
    np.hstack,
    takes="tup",
    samples=("(x, y)", "(A, A)", "[a, x]"),
    about="arrays one after the other along the second axis, vectors along their only one",
)
def _beside(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    """np.hstack: along the second axis, vectors along their only one."""
    values = parts_of(scope, node, found["tup"])
    if values is None:
        return POISON
    parts = [operand(scope, v) for v in values]
    # Numbers count as vectors of one.
    values = tuple(
        computed(scope, node, Lazy((Constant(1),), p.element, lambda i, p=p: p.at([]), p.reads))  # type: ignore[misc]
        if p is not None and not p.rank
        else v
        for v, p in zip(values, parts, strict=True)
    )
    return joined(scope, node, values, 0 if any(p is not None and p.rank < 2 for p in parts) else 1)


def _triangle(upper: bool) -> Callable[[FunctionScope, ast.Call, BoundArguments], Abstract]:
    def rule(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
        k = constant(scope, node, found.get("k"), 0, "k")
        return POISON if k is None else triangle(scope, node, found["m"], k, upper)

    return rule


numpy_function(np.triu, takes="m k", samples=("S", "A, 1"), about="a matrix, zero below a diagonal")(_triangle(True))
numpy_function(np.tril, takes="m k", samples=("S", "A, -1"), about="a matrix, zero above a diagonal")(_triangle(False))


@numpy_function(
    np.diag, takes="a", samples=("x", "S"), about="the matrix with this diagonal, or the diagonal of a matrix"
)
def _diag(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    return diagonal(scope, node, found["a"])


@numpy_function(np.trace, takes="a", samples=("S",), about="the sum of the diagonal", method="trace")
def _trace(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    return reduced(scope, node, "sum", diagonal(scope, node, found["a"]), {}, "np.trace")


@numpy_function(np.add.at, takes="a indices b", least=3, samples=(), about="adds at each index, equal ones included")
def _add_at(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    """np.add.at: adds for each position, equal ones included."""
    target, where = found["a"], found["indices"]
    if not isinstance(target, (ArrayRef, Expanded, Reshaped)):
        return scope.error(node, f"np.add.at takes an array, not {describe(target)}")
    parts: list[Abstract] = list(where.items) if isinstance(where, Items) else [where]
    scatter(scope, node, target, parts, found["b"], adding=True)
    return NONE


@numpy_function(np.nonzero, takes="a", samples=("m", "A > 0.5"), about="where elements are not zero, by axis")
def _all_nonzero(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    places = _nonzero(scope, node, found["a"])
    return POISON if places is None else Items(places)


@numpy_function(np.flatnonzero, takes="a", samples=("m", "x > 0.3"), about="where elements of a vector are not zero")
def _flat_nonzero(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    places = _nonzero(scope, node, found["a"])
    if places is None or len(places) == 1:
        return POISON if places is None else places[0]
    return scope.error(node, "np.flatnonzero is supported for vectors", "write x.ravel() before")
