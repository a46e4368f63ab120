"""Names that stand for one array on one path and for another array on another.

The IR has no variable that holds an array: which buffer a name stands for is known while compiling. Where paths meet,
such a name gets a buffer of its own, and each path copies into it. That is what Python means as long as nobody can tell
the copy from the original. Where another name knows the original, nothing may be stored into the copy: it is `frozen`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from adcore.frontend.numpy.broadcasting import Extents, same_length
from adcore.frontend.numpy.elements import dims, load, nest, store
from adcore.frontend.numpy.materialise import allocate
from adcore.frontend.session import FunctionScope, State, as_static_int
from adcore.frontend.values.abstract import (
    STRONG,
    UNBOUND,
    Abstract,
    ArrayRef,
    Items,
    Num,
    PossiblyUnbound,
    Record,
    Unbound,
)
from adcore.frontend.values.numeric.numbers import materialise
from adcore.ir.core import Value
from adcore.ir.types import I64

RESULT = "$result"
"""Stands for what a function returns, among the names."""

Path = tuple[str, ...]
"""A name and, inside of tuples and records, positions."""


def parts(value: Abstract) -> tuple[Abstract, ...] | None:
    """What a container holds whose items are values of their own."""
    if isinstance(value, Items):
        return value.items
    if isinstance(value, Record):
        return tuple(item for _, item in value.fields)
    return None


def with_parts(value: Abstract, items: tuple[Abstract, ...]) -> Abstract:
    if isinstance(value, Items):
        return Items(items)
    assert isinstance(value, Record)
    return Record(value.cls, tuple((key, item) for (key, _), item in zip(value.fields, items, strict=True)))


def changed(value: Abstract, path: Path, change: Callable[[Path, Abstract], Abstract]) -> Abstract:
    """`value` with every array in it replaced."""
    if isinstance(value, PossiblyUnbound):
        inner = changed(value.inner, path, change)
        return value if inner is value.inner else replace(value, inner=inner)
    items = parts(value)
    if items is None:
        return change(path, value) if isinstance(value, ArrayRef) else value
    new = tuple(changed(item, (*path, str(k)), change) for k, item in enumerate(items))
    return value if all(x is y for x, y in zip(new, items, strict=True)) else with_parts(value, new)


def arrays(value: Abstract, path: Path) -> Iterator[tuple[Path, ArrayRef]]:
    """The arrays in a value."""
    if isinstance(value, PossiblyUnbound):
        value = value.inner
    if isinstance(value, ArrayRef):
        yield path, value
    for k, item in enumerate(parts(value) or ()):
        yield from arrays(item, (*path, str(k)))


def named(state: State, keep: Callable[[str], bool]) -> Iterator[tuple[str, Abstract]]:
    """Names that matter, and the result."""
    yield from ((name, value) for name, value in state.locals.items() if keep(name))
    yield RESULT, state.result
    # The attributes of an object are as the items of a name's tuple.
    yield from ((_cell_name(cell), Items(items)) for cell, items in state.cells.items() if cell < 0)


def of_state(state: State, keep: Callable[[str], bool]) -> dict[Path, ArrayRef]:
    return {path: array for name, value in named(state, keep) for path, array in arrays(value, (name,))}


def changed_state(state: State, change: Callable[[Path, Abstract], Abstract]) -> State:
    names = {name: changed(value, (name,), change) for name, value in state.locals.items()}
    cells = {cell: _changed_cell(cell, items, change) for cell, items in state.cells.items()}
    return replace(state.copy(), locals=names, cells=cells, result=changed(state.result, (RESULT,), change))


def _changed_cell(
    cell: int, items: tuple[Abstract, ...], change: Callable[[Path, Abstract], Abstract]
) -> tuple[Abstract, ...]:
    """The attributes of an object with every array in them replaced; lists keep their items."""
    if cell > 0:
        return items
    return tuple(changed(item, (_cell_name(cell), str(k)), change) for k, item in enumerate(items))


def _cell_name(cell: int) -> str:
    """Stands for an object among the names."""
    return f"%{cell}"


def with_known_slots(scope: FunctionScope, state: State, other: State) -> State:
    """`state` with all objects that `other` has, where what the two hold in a slot differs and must be known."""
    instances = scope.session.instances
    cells = dict(state.cells)
    for cell, items in other.cells.items():
        own = cells.get(cell, instances.initial.get(cell))
        if cell < 0 and own is not None and own is not items:
            cells[cell] = tuple(x if x is y else instances.known(x) for x, y in zip(own, items, strict=True))
    return replace(state.copy(), cells=cells)


def alike(a: ArrayRef, b: ArrayRef) -> bool:
    """Whether one buffer can stand for both."""
    plain = a.literal is None and b.literal is None and a.weak == b.weak
    return plain and a.element == b.element and a.rank == b.rank


def known_to_others(
    scope: FunctionScope, state: State, array: ArrayRef, path: Path, keep: Callable[[str], bool]
) -> bool:
    """Whether anything but `path` may refer to the memory of `array`."""
    if not array.local or array.root in scope.session.frozen:
        return True
    if any(
        a.root is array.root
        for other in scope.session.open_calls
        if other is not scope
        for at, a in of_state(other.state, lambda name: True).items()
        if at[0][0] != "%"
    ):
        return True
    items = (item for number, cell in state.cells.items() if number > 0 for item in cell)
    if any(a.root is array.root for item in items for _, a in arrays(item, ())):
        return True
    if path[0] == RESULT:
        return False
    return any(a.root is array.root and p != path for p, a in of_state(state, keep).items() if p[0] != RESULT)


def copy(scope: FunctionScope, target: ArrayRef, source: ArrayRef) -> None:
    """`target[...] = source[...]` of equal shapes."""
    nest(scope, dims(scope, target), lambda k: store_as_is(scope, load(scope, source, k), target, k))


def store_as_is(scope: FunctionScope, value: Abstract, target: ArrayRef, index: list[Value]) -> None:
    store(scope, scope.node, Num(materialise(scope, value), STRONG), target, index)


def check_shape(scope: FunctionScope, wanted: Extents, array: ArrayRef, name: str) -> None:
    """A buffer has one shape."""
    for a, b in zip(wanted, dims(scope, array), strict=True):
        if not same_length(a, b):
            equal = scope.emit("eq", materialise(scope, a, I64), materialise(scope, b, I64))
            what = "the returned array" if name == RESULT else f"`{name}`"
            text = f"{what} gets another shape on another path; use a name for each shape"
            scope.check(equal, "NotImplementedError", text.replace("$value", "this expression"))


# Loops ----------------------------------------------------------------------------------------------------------------


@dataclass
class Carried:
    """The arrays that a loop carries in buffers: `buffers` by path, `wanted` those that the next attempt needs."""

    scope: FunctionScope
    keep: Callable[[str], bool]
    buffers: dict[Path, ArrayRef] = field(default_factory=dict)
    wanted: set[Path] = field(default_factory=set)
    first: dict[Path, ArrayRef] = field(default_factory=dict)
    freezes: bool = False

    def opened(self, entry: State, assumed: State) -> State:
        """`assumed` with new buffers, allocated and filled before the loop."""
        entry = with_known_slots(self.scope, entry, assumed)
        given = of_state(entry, lambda name: True)
        for path in sorted(self.wanted - self.buffers.keys()):
            first = given.get(path) or self.first[path]
            shape = dims(self.scope, first)
            buffer = allocate(self.scope, shape, first.element, hint=path[0] if path[0][0] not in "$%" else "")
            self.buffers[path] = buffer
            if path in given:
                copy(self.scope, buffer, first)
            if path in given and known_to_others(self.scope, entry, first, path, self.keep):
                self.scope.session.frozen.add(buffer.root)
        self.wanted.clear()
        return changed_state(assumed, lambda path, value: self.buffers.get(path, value))

    def closed(self, assumed: State, end: State, params: Sequence[Value]) -> State:
        """The end of an iteration: what has changed is copied into its buffer. Emits the copies.

        `params` are those of the body's region."""
        inner = {*params, *self.scope.builder.open_values()}
        self.wanted, self.freezes = set(), False
        before, after = of_state(assumed, self.keep), of_state(end, self.keep)
        moves: list[tuple[Path, ArrayRef, ArrayRef]] = []
        for path, array in before.items():
            new = after.get(path)
            if new is None or new.value is array.value or not alike(array, new):
                continue
            if path in self.buffers:
                moves.append((path, self.buffers[path], new))
            elif path[0] != RESULT and self._may_agree(assumed, path, array, new):
                self.wanted.add(path)
        for path, new in after.items():
            if path in before or path[0] == RESULT:
                continue
            if path not in self.buffers:
                self._want_first(assumed, path, new, inner)
            elif new.value is not self.buffers[path].value and alike(self.buffers[path], new):
                moves.append((path, self.buffers[path], new))
        if self.wanted:
            return end
        self._move(end, moves)
        return changed_state(end, lambda path, value: self.buffers.get(path, value))

    def _may_agree(self, assumed: State, path: Path, array: ArrayRef, new: ArrayRef) -> bool:
        """Whether one buffer can serve. A name that need not have a value is hardly used again: for it no shape is
        demanded at run time."""
        pairs = list(zip(dims(self.scope, array), dims(self.scope, new), strict=True))
        if isinstance(assumed.locals.get(path[0]), PossiblyUnbound):
            return all(same_length(a, b) for a, b in pairs)
        return not _differ(dims(self.scope, array), dims(self.scope, new))

    def _want_first(self, assumed: State, path: Path, new: ArrayRef, inner: set[Value]) -> None:
        """A name gets its first array in the loop and is wanted after it: a buffer, if its shape is known before.

        `inner` are the values that only an iteration has."""
        unbound = isinstance(assumed.locals.get(path[0], UNBOUND), Unbound) and len(path) == 1
        plain = new.literal is None and new.value in inner and new.shape is not None
        if unbound and plain and not any(isinstance(n, Num) and n.value in inner for n in new.shape or ()):
            self.wanted.add(path)
            self.first[path] = new

    def _move(self, end: State, moves: list[tuple[Path, ArrayRef, ArrayRef]]) -> None:
        scope, roots = self.scope, {b.root for b in self.buffers.values()}
        for path, buffer, new in moves:
            if buffer.root not in scope.session.frozen and known_to_others(scope, end, new, path, self.keep):
                scope.session.frozen.add(buffer.root)
                self.freezes = True
            check_shape(scope, dims(scope, buffer), new, path[0])
        sources = []
        for _, _, new in moves:
            if new.root in roots:
                # It may be overwritten by another move.
                kept = allocate(scope, dims(scope, new), new.element)
                copy(scope, kept, new)
                new = kept
            sources.append(new)
        for (_, buffer, _), source in zip(moves, sources, strict=True):
            copy(scope, buffer, source)


def _differ(a: Extents, b: Extents) -> bool:
    """Whether two shapes are known to differ."""
    known = ((as_static_int(n), as_static_int(m)) for n, m in zip(a, b, strict=False))
    return any(n != m for n, m in known if n is not None and m is not None)


# Branches -------------------------------------------------------------------------------------------------------------


@dataclass
class Merged:
    """Arrays after an `if`: a buffer for each name that stands for different ones, allocated before it."""

    scope: FunctionScope
    buffers: dict[Path, ArrayRef]
    ends: tuple[State, State]

    def finished(self, side: int) -> State:
        """The end state of one path with its arrays in the buffers. Emits the copies."""
        end = self.ends[side]
        own = of_state(end, lambda name: True)
        for path, buffer in self.buffers.items():
            if path in own:
                check_shape(self.scope, dims(self.scope, buffer), own[path], path[0])
                copy(self.scope, buffer, own[path])
        return self.renamed(side)

    def renamed(self, side: int) -> State:
        return changed_state(self.ends[side], lambda path, value: self.buffers.get(path, value))


def merged(
    scope: FunctionScope, ends: tuple[State, State], inner: frozenset[Value], keep: Callable[[str], bool]
) -> Merged:
    """The buffers that two paths need where they meet; `inner` are values that only one of them defines."""
    found: dict[Path, ArrayRef] = {}
    if not any(end.dead for end in ends):
        first, second = (of_state(end, keep) for end in ends)
        for path in {**first, **second}:
            a, b = first.get(path), second.get(path)
            shape = _shape(scope, ends, path, a, b, inner)
            one = a or b
            if shape is None or one is None:
                continue
            buffer = allocate(scope, shape, one.element, hint=path[0] if path[0][0] not in "$%" else "")
            found[path] = buffer
            if any(
                x is not None and known_to_others(scope, end, x, path, keep)
                for x, end in zip((a, b), ends, strict=True)
            ):
                scope.session.frozen.add(buffer.root)
    return Merged(scope, found, ends)


def _shape(
    scope: FunctionScope,
    ends: tuple[State, State],
    path: Path,
    a: ArrayRef | None,
    b: ArrayRef | None,
    inner: frozenset[Value],
) -> Extents | None:
    """The shape of the buffer for `path`, if it needs one and can have one."""
    if a is None or b is None:
        missing = ends[0] if a is None else ends[1]
        one = a or b
        returned = path == (RESULT,) and isinstance(missing.result, Unbound)
        if one is None or not returned or one.value not in inner or one.literal is not None:
            return None
        candidates = [one]
    elif a.value is b.value or not alike(a, b) or _differ(a.shape or (), b.shape or ()):
        return None
    else:
        candidates = [a, b]
    for array in candidates:
        if array.shape is None and array.value in inner:
            continue
        shape = dims(scope, array)
        if not any(isinstance(n, Num) and n.value in inner for n in shape):
            return shape
    return None
