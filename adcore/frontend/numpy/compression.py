"""What a mask selects, one after the other in memory.

How many elements there are is only known at run time. They get room for as many as there could be, so that memory is a
formula of the lengths alone, and what the program sees is the part of it that is used.

    for i: if m[i] { kept[count] = x[i]; count += 1 }
    x[m] = kept[0:count]
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from adcore.frontend.numpy.broadcasting import product
from adcore.frontend.numpy.elements import accumulate, dims, load, nest, store
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import Abstract, ArrayRef, BooleanIndexed, Lazy, Num, Read
from adcore.frontend.values.numeric.numbers import materialise
from adcore.ir.core import Value
from adcore.ir.types import I64


def compressed(scope: FunctionScope, node: ast.AST, value: BooleanIndexed) -> ArrayRef:
    """The selected elements (or rows, where the mask has fewer axes) as an array of its own."""
    source, selects = value.source, value.selects
    inner = source.shape[selects.rank :]
    room = product(scope, source.shape[: selects.rank])
    sizes = [materialise(scope, n, I64) for n in (room, *inner)]
    memory = scope.emit("alloc", *sizes, element=source.element.name, hint="kept")
    buffer = ArrayRef(memory, memory, shape=(room, *inner), local=True)

    def keep(index: Sequence[Value], count: Value) -> None:
        nest(
            scope,
            inner,
            lambda rest: store(scope, node, source.at([*index, *rest]), buffer, [count, *rest]),
        )

    count = counted(scope, selects, keep)
    zero, one = scope.const(0), scope.const(1)
    operands = [zero, count, one]
    for length in sizes[1:]:
        operands += [zero, length, one]
    used = scope.emit("view", memory, *operands, axes="s" * len(sizes))
    return ArrayRef(used, memory, shape=(Num(count), *inner), local=True)


def counted(scope: FunctionScope, selects: ArrayRef, each: Callable[[Sequence[Value], Value], None]) -> Value:
    """How many elements a mask selects; `each(index, k)` emits what is done with the k-th of them."""

    def one(index: list[Value], carried: Sequence[Value]) -> Sequence[Value]:
        (count,) = carried
        with scope.builder.region() as inside:
            each(index, count)
            inside.yields = (scope.emit("add", count, scope.const(1), exact=True),)
        with scope.builder.region() as outside:
            outside.yields = (count,)
        chosen = materialise(scope, load(scope, selects, index))
        return scope.builder.emit_many("if", (chosen,), {}, (inside.region, outside.region), [I64])

    (count,) = accumulate(scope, dims(scope, selects), [scope.const(0)], one)
    return count


def positions(scope: FunctionScope, node: ast.AST, selects: ArrayRef) -> tuple[ArrayRef, ...]:
    """Where a mask holds: an array of subscripts for each of its axes, as np.nonzero gives them."""
    shape, reads = dims(scope, selects), (Read(selects, True),)

    def along(axis: int) -> ArrayRef:
        def at(index: Sequence[Value]) -> Abstract:
            return Num(index[axis])

        return compressed(scope, node, BooleanIndexed(Lazy(shape, I64, at, reads), selects))

    return tuple(map(along, range(selects.rank)))
