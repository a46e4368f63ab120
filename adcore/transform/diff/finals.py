"""Arrays as they are between the sweeps: copied before the reverse sweep rolls them back, put back after it.

    %v: f64 = load %x, %k
    return %v
->
    %0: i64 = dim %x [axis=0]
    %final_x: array<f64,1,C> = alloc %0 [element='f64', role='stored', zero=False]
    %2: i64 = dim %x [axis=0]
    for 0, %2 [step=1] {
    (%3: i64):
      %4: f64 = load %x, %3
      store %4, %final_x, %3
      yield
    }
    %v: f64 = load %x, %k
    %5: i64 = dim %final_x [axis=0]
    for 0, %5 [step=1] {
    (%6: i64):
      %7: f64 = load %final_x, %6
      store %7, %x, %6
      yield
    }
    return %v

(In the text nothing rolls the array back in between.) The arrays of a list have sizes of their own, so their elements
follow each other in one piece of room.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from adcore.ir.builder import Builder
from adcore.ir.core import Value
from adcore.ir.loops import emit_loop_nest
from adcore.ir.types import I64, ArrayType, ListType
from adcore.transform.checkpointing.snapshots import stored_array

Visit = Callable[[Sequence[Value], Value], None]
"""What is done with an element: its place (array, subscripts) and its number among all of the list."""


def copied(b: Builder, root: Value) -> Value:
    """A copy of an array, or of all arrays of a list, in the workspace."""
    hint = f"final_{root.hint}"
    if isinstance(root.type, ListType):
        room = stored_array(b, [_over_items(b, root, None)], root.type.element.name, hint)
        _over_items(b, root, lambda place, number: _move(b, place, [room, number]))
        return room
    assert isinstance(root.type, ArrayType)
    dims = [b.emit("dim", root, axis=axis) for axis in range(root.type.rank)]
    copy = stored_array(b, dims, root.type.element.name, hint)
    b.emit_many("copy", (root, copy), {})
    return copy


def put_back(b: Builder, copy: Value, root: Value) -> None:
    """What `copied` has kept, into `root` again."""
    if isinstance(root.type, ListType):
        _over_items(b, root, lambda place, number: _move(b, [copy, number], place))
    else:
        b.emit_many("copy", (copy, root), {})


def _move(b: Builder, source: Sequence[Value], target: Sequence[Value]) -> None:
    b.emit_many("store", (b.emit("load", *source), *target), {})


def _over_items(b: Builder, items: Value, visit: Visit | None) -> Value:
    """Append loops over all elements of all arrays of a list; returns how many there are."""
    k, start = Value(I64, "k"), Value(I64, "start")
    zero, count = b.const(0), b.emit("count", items)
    with b.region((k, start)) as opened:
        item = b.emit("item", items, k)
        assert isinstance(item.type, ArrayType)
        dims = [b.emit("dim", item, axis=axis) for axis in range(item.type.rank)]

        def body(inner: Builder, index: Sequence[Value]) -> None:
            assert visit is not None
            visit([item, *index], _number(inner, start, dims, index))

        if visit is not None:
            emit_loop_nest(b, item, body)
        size = dims[0]
        for dim in dims[1:]:
            size = b.emit("mul", size, dim, exact=True)
        opened.yields = (b.emit("add", start, size, exact=True),)
    (total,) = b.emit_many("for", (zero, count, zero), {"step": 1}, (opened.region,), (I64,))
    return total


def _number(b: Builder, start: Value, dims: Sequence[Value], index: Sequence[Value]) -> Value:
    """The number of an element, in C order, counted from `start`."""
    number = index[0]
    for dim, k in zip(dims[1:], index[1:], strict=True):
        number = b.emit("add", b.emit("mul", number, dim, exact=True), k, exact=True)
    return b.emit("add", start, number, exact=True)
