"""Products of vectors and matrices, as loops."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

import numpy as np

from adcore.frontend.numpy.broadcasting import Extents, broadcast, described, position, same_length
from adcore.frontend.numpy.elements import load, nest, store
from adcore.frontend.numpy.elementwise import operand, operation
from adcore.frontend.numpy.folds import ReductionSource, total
from adcore.frontend.numpy.materialise import allocate, computed
from adcore.frontend.numpy.reshaping import reshaped
from adcore.frontend.numpy.types import ir_type
from adcore.frontend.registry import BoundArguments, numpy_function
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import (
    POISON,
    STRONG,
    Abstract,
    ArrayRef,
    Constant,
    Lazy,
    Num,
    Poison,
    is_array,
    is_scalar,
)
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.narrow import numpy_element
from adcore.frontend.values.numeric.number_arguments import scalar, strong
from adcore.frontend.values.numeric.numbers import materialise
from adcore.frontend.values.numeric.scalars import binary
from adcore.ir.core import Value
from adcore.ir.types import BOOL, I64, NUMPY_NAMES, Scalar

MISMATCH = (
    "matmul: Input operand 1 has a mismatch in its core dimension 0, with gufunc signature (n?,k),(k,m?)->(n?,m?) "
    "(size {1} is different from {0})"
)


def matmul(scope: FunctionScope, node: ast.AST, a: Abstract, b: Abstract) -> Abstract:
    """`a @ b`."""
    pair = _factors(scope, node, "`@`", a, b)
    if pair is None:
        return POISON
    left, right = pair
    if not left.rank or not right.rank:
        return scope.error(node, "`@` takes arrays, not numbers", "multiply with `*`")
    if (left.rank > 2 and right.rank == 1) or (right.rank > 2 and left.rank == 1):
        return scope.error(node, "`@` of a vector and an array of more than two axes is not supported", "write a loop")
    return _product(scope, node, left, right, MISMATCH, None)


def dot(scope: FunctionScope, node: ast.AST, a: Abstract, b: Abstract) -> Abstract:
    """np.dot of vectors, matrices and numbers; an array without axes is one."""
    a, b = scalar(scope, a), scalar(scope, b)
    if is_scalar(a) and is_scalar(b):
        return binary(scope, node, ast.Mult, strong(scope, a), strong(scope, b))
    if is_scalar(a) or is_scalar(b):
        return operation(scope, node, ast.Mult, _as_array(scope, a), _as_array(scope, b))
    pair = _factors(scope, node, "np.dot", a, b)
    if pair is None:
        return POISON
    left, right = pair
    if left.rank > 2 or right.rank > 2:
        return scope.error(node, "np.dot is supported for vectors and matrices", "use np.matmul for stacks of matrices")
    axes = left.rank - 1, max(right.rank - 2, 0)
    template = f"shapes {{}} and {{}} not aligned: {{}} (dim {axes[0]}) != {{}} (dim {axes[1]})"
    lengths = (left.shape[-1], right.shape[axes[1]])
    found = described(template, (left.shape, right.shape), lengths)
    short = f"shapes not aligned: {{0}} (dim {axes[0]}) != {{1}} (dim {axes[1]})"
    return _product(scope, node, left, right, *(found or (short, None)))


def _as_array(scope: FunctionScope, value: Abstract) -> Abstract:
    """A number as the array that np.dot makes of it: it no longer adapts to other types."""
    return strong(scope, value) if is_scalar(value) else value


def outer(scope: FunctionScope, node: ast.AST, a: Abstract, b: Abstract) -> Abstract:
    """np.outer of two vectors."""
    pair = _factors(scope, node, "np.outer", *(_as_vector(scope, node, v) for v in (a, b)))
    if pair is None:
        return POISON
    left, right = pair
    column = Lazy((left.shape[0], Constant(1)), left.element, lambda i: left.at(i[:1]), left.reads)
    row = Lazy((Constant(1), right.shape[0]), right.element, lambda i: right.at(i[1:]), right.reads)
    return operation(scope, node, ast.Mult, column, row)


def _as_vector(scope: FunctionScope, node: ast.AST, value: Abstract) -> Abstract:
    """All elements along one axis, as np.outer takes them."""
    value = scalar(scope, value)
    if is_scalar(value):
        element = numpy_element(value)
        return computed(scope, node, Lazy((Constant(1),), element, lambda i: value, ()))
    return reshaped(scope, node, value, (Constant(-1),)) if is_array(value) and getattr(value, "rank", 1) > 1 else value


def _factors(scope: FunctionScope, node: ast.AST, what: str, a: Abstract, b: Abstract) -> tuple[Lazy, Lazy] | None:
    """Both factors, in memory if they have to be computed: each element is read many times."""
    found: list[Lazy] = []
    for value in (a, b):
        part = operand(scope, computed(scope, node, value) if isinstance(value, Lazy) else value)
        if part is None:
            if not isinstance(value, Poison):
                scope.error(node, f"{what} does not take {describe(value)}")
            return None
        found.append(part)
    return found[0], found[1]


def _product(
    scope: FunctionScope, node: ast.AST, left: Lazy, right: Lazy, text: str, details: Sequence[Value] | None
) -> Abstract:
    """Sums of products over the last axis of `left` and the last but one of `right` (the only one of a vector)."""
    type_ = _type(scope, node, left, right)
    if type_ is None:
        return POISON
    inner = left.shape[-1]
    other = right.shape[max(right.rank - 2, 0)]
    if not same_length(inner, other):
        x, y = materialise(scope, inner, I64), materialise(scope, other, I64)
        scope.check(scope.emit("eq", x, y), "ValueError", text, *((x, y) if details is None else details))
    batches = left.shape[:-2], right.shape[:-2]
    batch = broadcast(scope, batches) if any(batches) else ()
    rows, columns = left.shape[-2:-1], right.shape[-1:] if right.rank > 1 else ()

    def term(index: Sequence[Value], k: Value) -> Abstract:
        first, rest = index[: len(batch)], index[len(batch) :]
        row, column = rest[: len(rows)], rest[len(rows) :]
        ours, theirs = (position(scope, first, b) for b in batches)
        x = materialise(scope, left.at([*ours, *row, k]), type_)
        y = materialise(scope, right.at([*theirs, k, *column]), type_)
        return Num(scope.emit("mul", x, y), STRONG)

    def at(index: Sequence[Value]) -> Abstract:
        return total(scope, ReductionSource((inner,), type_, lambda k: term(index, k[0])), type_)

    shape = (*batch, *rows, *columns)
    if not shape:
        return at([])
    if columns and not _is_transposed(scope, right):
        return _accumulated(scope, node, shape, inner, type_, term)
    return computed(scope, node, Lazy(shape, type_, at, (*left.reads, *right.reads)))


def _is_transposed(scope: FunctionScope, part: Lazy) -> bool:
    """Whether an operand is `x.T`: then columns lie in memory as rows do otherwise."""
    (array,) = (read.array for read in part.reads)
    found = scope.builder.definition(array.value)
    return found is not None and found.op == "transpose"


def _accumulated(
    scope: FunctionScope,
    node: ast.AST,
    shape: Extents,
    inner: Abstract,
    type_: Scalar,
    term: Callable[[Sequence[Value], Value], Abstract],
) -> ArrayRef:
    """Sums of terms over `inner`, which runs outside of the last axis: rows of the right factor are read as they lie in
    memory, and their derivatives are written so."""
    result = allocate(scope, shape, type_, zero=True)
    flags = {"flags": "sum"} if type_.kind == "f" else {}

    def add(index: list[Value]) -> None:
        *outer, k, column = index
        there = [*outer, column]
        old = materialise(scope, load(scope, result, there))
        new = scope.emit("add", old, materialise(scope, term(there, k)), **flags)
        store(scope, node, Num(new, STRONG), result, there)

    nest(scope, (*shape[:-1], inner, shape[-1]), add)
    return result


def _type(scope: FunctionScope, node: ast.AST, left: Lazy, right: Lazy) -> Scalar | None:
    given = [np.dtype(NUMPY_NAMES[p.element.name]) for p in (left, right)]
    type_ = ir_type(np.result_type(*given))
    if type_ is None or type_ == BOOL or (type_.kind in "iu" and type_ != I64):
        name = np.result_type(*given)
        scope.error(node, f"products of {name} are not supported", "convert with .astype(np.float64)")
        return None
    return type_


# Functions ------------------------------------------------------------------------------------------------------------


def _of_two(
    rule: Callable[[FunctionScope, ast.AST, Abstract, Abstract], Abstract],
) -> Callable[[FunctionScope, ast.Call, BoundArguments], Abstract]:
    return lambda scope, node, found: rule(scope, node, found["a"], found["b"])


def inner(scope: FunctionScope, node: ast.AST, a: Abstract, b: Abstract) -> Abstract:
    """np.inner, np.vdot of vectors."""
    if any(is_array(v) and getattr(v, "rank", 1) != 1 for v in (a, b)):
        help = "write `a @ b.T` for np.inner, np.sum(a * b) for np.vdot"
        return scope.error(node, "this product is supported for vectors", help)
    return dot(scope, node, a, b)


numpy_function(
    np.dot,
    takes="a b",
    least=2,
    samples=("x, y", "A, x", "S, S[0]", "x, a", "np.array(2.0), x"),
    about="products of vectors, matrices and numbers",
    method="dot",
)(_of_two(dot))
numpy_function(np.matmul, takes="a b", least=2, samples=("x, y", "A, x", "S, A"), about="`a @ b`")(_of_two(matmul))
numpy_function(
    np.outer, takes="a b", least=2, samples=("x, y", "A, x", "a, x"), about="all products of elements of two arrays"
)(_of_two(outer))
numpy_function(np.inner, np.vdot, takes="a b", least=2, samples=("x, y",), about="the product of two vectors")(
    _of_two(inner)
)


@numpy_function(
    np.cross,
    takes="a b",
    least=2,
    samples=("S[0], S[1]", "S[:, 0], [1.0, a, 2.0]"),
    about="the cross product of two vectors of three numbers",
)
def cross(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    pair = _factors(scope, node, "np.cross", found["a"], found["b"])
    if pair is None:
        return POISON
    if any(part.rank != 1 for part in pair):
        return scope.error(node, "np.cross is supported for vectors of three numbers", "loop over the rows")
    type_ = _type(scope, node, *pair)
    if type_ is None:
        return POISON
    for part in pair:
        three = scope.emit("eq", materialise(scope, part.shape[0], I64), scope.const(3))
        scope.check(three, "NotImplementedError", "np.cross is supported for vectors of three numbers")
    x, y = ([materialise(scope, part.at([scope.const(k)]), type_) for k in range(3)] for part in pair)
    result = allocate(scope, [Constant(3)], type_)
    for k in range(3):
        i, j = (k + 1) % 3, (k + 2) % 3
        value = scope.emit("sub", scope.emit("mul", x[i], y[j]), scope.emit("mul", x[j], y[i]))
        store(scope, node, Num(value, STRONG), result, [scope.const(k)])
    return result
