"""Names that stand for one array on one path and for another array on another.

The IR has no variable that holds an array: which buffer a name stands for is known while compiling. Where paths meet,
such a name gets a buffer of its own, and each path copies into it. That is what Python means as long as nobody can tell
the copy from the original. Where another name knows the original, nothing may be stored into the copy: it is `frozen`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from adcore.frontend.numpy.broadcasting import Shape, same_length
from adcore.frontend.numpy.elements import dims, load, nest, store
from adcore.frontend.numpy.materialise import allocate
from adcore.frontend.session import Frame, State, as_static_int
from adcore.frontend.values.abstract import NUMPY, UNBOUND, Abstract, Array, Items, Maybe, Num, Record, Unbound
from adcore.frontend.values.numbers import materialise
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
    if isinstance(value, Maybe):
        inner = changed(value.inner, path, change)
        return value if inner is value.inner else Maybe(inner, value.bound)
    items = parts(value)
    if items is None:
        return change(path, value) if isinstance(value, Array) else value
    new = tuple(changed(item, (*path, str(k)), change) for k, item in enumerate(items))
    return value if all(x is y for x, y in zip(new, items, strict=True)) else with_parts(value, new)


def arrays(value: Abstract, path: Path) -> Iterator[tuple[Path, Array]]:
    """The arrays in a value."""
    if isinstance(value, Maybe):
        value = value.inner
    if isinstance(value, Array):
        yield path, value
    for k, item in enumerate(parts(value) or ()):
        yield from arrays(item, (*path, str(k)))


def named(state: State, keep: Callable[[str], bool]) -> Iterator[tuple[str, Abstract]]:
    """Names that matter, and the result."""
    yield from ((name, value) for name, value in state.locals.items() if keep(name))
    yield RESULT, state.result


def of_state(state: State, keep: Callable[[str], bool]) -> dict[Path, Array]:
    return {path: array for name, value in named(state, keep) for path, array in arrays(value, (name,))}


def changed_state(state: State, change: Callable[[Path, Abstract], Abstract]) -> State:
    names = {name: changed(value, (name,), change) for name, value in state.locals.items()}
    return replace(state.copy(), locals=names, result=changed(state.result, (RESULT,), change))


def alike(a: Array, b: Array) -> bool:
    """Whether one buffer can stand for both."""
    kind = a.literal is None and b.literal is None and a.kind == b.kind
    return kind and a.element == b.element and a.rank == b.rank


def known_to_others(frame: Frame, state: State, array: Array, path: Path, keep: Callable[[str], bool]) -> bool:
    """Whether anything but `path` may refer to the memory of `array`."""
    if not array.local or array.root in frame.session.frozen:
        return True
    if any(
        a.root is array.root
        for other in frame.session.frames
        if other is not frame
        for a in of_state(other.state, lambda name: True).values()
    ):
        return True
    items = (item for cell in state.cells.values() for item in cell)
    if any(a.root is array.root for item in items for _, a in arrays(item, ())):
        return True
    if path[0] == RESULT:
        return False
    return any(a.root is array.root and p != path for p, a in of_state(state, keep).items() if p[0] != RESULT)


def copy(frame: Frame, target: Array, source: Array) -> None:
    """`target[...] = source[...]` of equal shapes."""
    nest(frame, dims(frame, target), lambda k: store_as_is(frame, load(frame, source, k), target, k))


def store_as_is(frame: Frame, value: Abstract, target: Array, index: list[Value]) -> None:
    store(frame, frame.node, Num(materialise(frame, value), NUMPY), target, index)


def check_shape(frame: Frame, wanted: Shape, array: Array, name: str) -> None:
    """A buffer has one shape."""
    for a, b in zip(wanted, dims(frame, array), strict=True):
        if not same_length(a, b):
            equal = frame.emit("eq", materialise(frame, a, I64), materialise(frame, b, I64))
            what = "the returned array" if name == RESULT else f"`{name}`"
            text = f"{what} gets another shape on another path; use a name for each shape"
            frame.check(equal, "NotImplementedError", text.replace("$value", "this expression"))


# Loops ----------------------------------------------------------------------------------------------------------------


@dataclass
class Carried:
    """The arrays that a loop carries in buffers: `buffers` by path, `wanted` those that the next attempt needs."""

    frame: Frame
    keep: Callable[[str], bool]
    buffers: dict[Path, Array] = field(default_factory=dict)
    wanted: set[Path] = field(default_factory=set)
    first: dict[Path, Array] = field(default_factory=dict)
    freezes: bool = False

    def opened(self, entry: State, assumed: State) -> State:
        """`assumed` with new buffers, allocated and filled before the loop."""
        given = of_state(entry, lambda name: True)
        for path in sorted(self.wanted - self.buffers.keys()):
            first = given.get(path) or self.first[path]
            shape = dims(self.frame, first)
            buffer = allocate(self.frame, shape, first.element, hint=path[0] if path[0][0] != "$" else "")
            self.buffers[path] = buffer
            if path in given:
                copy(self.frame, buffer, first)
            if path in given and known_to_others(self.frame, entry, first, path, self.keep):
                self.frame.session.frozen.add(buffer.root)
        self.wanted.clear()
        return changed_state(assumed, lambda path, value: self.buffers.get(path, value))

    def closed(self, assumed: State, end: State, params: Sequence[Value]) -> State:
        """The end of an iteration: what has changed is copied into its buffer. Emits the copies.

        `params` are those of the body's region."""
        inner = {*params, *self.frame.builder.open_values()}
        self.wanted, self.freezes = set(), False
        before, after = of_state(assumed, self.keep), of_state(end, self.keep)
        moves: list[tuple[Path, Array, Array]] = []
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

    def _may_agree(self, assumed: State, path: Path, array: Array, new: Array) -> bool:
        """Whether one buffer can serve. A name that need not have a value is hardly used again: for it no shape is
        demanded at run time."""
        pairs = list(zip(dims(self.frame, array), dims(self.frame, new), strict=True))
        if isinstance(assumed.locals.get(path[0]), Maybe):
            return all(same_length(a, b) for a, b in pairs)
        return not _differ(dims(self.frame, array), dims(self.frame, new))

    def _want_first(self, assumed: State, path: Path, new: Array, inner: set[Value]) -> None:
        """A name gets its first array in the loop and is wanted after it: a buffer, if its shape is known before.

        `inner` are the values that only an iteration has."""
        unbound = isinstance(assumed.locals.get(path[0], UNBOUND), Unbound) and len(path) == 1
        plain = new.literal is None and new.value in inner and new.shape is not None
        if unbound and plain and not any(isinstance(n, Num) and n.value in inner for n in new.shape or ()):
            self.wanted.add(path)
            self.first[path] = new

    def _move(self, end: State, moves: list[tuple[Path, Array, Array]]) -> None:
        frame, roots = self.frame, {b.root for b in self.buffers.values()}
        for path, buffer, new in moves:
            if buffer.root not in frame.session.frozen and known_to_others(frame, end, new, path, self.keep):
                frame.session.frozen.add(buffer.root)
                self.freezes = True
            check_shape(frame, dims(frame, buffer), new, path[0])
        sources = []
        for _, _, new in moves:
            if new.root in roots:
                # It may be overwritten by another move.
                kept = allocate(frame, dims(frame, new), new.element)
                copy(frame, kept, new)
                new = kept
            sources.append(new)
        for (_, buffer, _), source in zip(moves, sources, strict=True):
            copy(frame, buffer, source)


def _differ(a: Shape, b: Shape) -> bool:
    """Whether two shapes are known to differ."""
    known = ((as_static_int(n), as_static_int(m)) for n, m in zip(a, b, strict=False))
    return any(n != m for n, m in known if n is not None and m is not None)


# Branches -------------------------------------------------------------------------------------------------------------


@dataclass
class Merged:
    """Arrays after an `if`: a buffer for each name that stands for different ones, allocated before it."""

    frame: Frame
    buffers: dict[Path, Array]
    ends: tuple[State, State]

    def finished(self, side: int) -> State:
        """The end state of one path with its arrays in the buffers. Emits the copies."""
        end = self.ends[side]
        own = of_state(end, lambda name: True)
        for path, buffer in self.buffers.items():
            if path in own:
                check_shape(self.frame, dims(self.frame, buffer), own[path], path[0])
                copy(self.frame, buffer, own[path])
        return self.renamed(side)

    def renamed(self, side: int) -> State:
        return changed_state(self.ends[side], lambda path, value: self.buffers.get(path, value))


def merged(frame: Frame, ends: tuple[State, State], inner: frozenset[Value], keep: Callable[[str], bool]) -> Merged:
    """The buffers that two paths need where they meet; `inner` are values that only one of them defines."""
    found: dict[Path, Array] = {}
    if not any(end.dead for end in ends):
        first, second = (of_state(end, keep) for end in ends)
        for path in {**first, **second}:
            a, b = first.get(path), second.get(path)
            shape = _shape(frame, ends, path, a, b, inner)
            one = a or b
            if shape is None or one is None:
                continue
            buffer = allocate(frame, shape, one.element, hint=path[0] if path[0][0] != "$" else "")
            found[path] = buffer
            if any(
                x is not None and known_to_others(frame, end, x, path, keep)
                for x, end in zip((a, b), ends, strict=True)
            ):
                frame.session.frozen.add(buffer.root)
    return Merged(frame, found, ends)


def _shape(
    frame: Frame, ends: tuple[State, State], path: Path, a: Array | None, b: Array | None, inner: frozenset[Value]
) -> Shape | None:
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
        shape = dims(frame, array)
        if not any(isinstance(n, Num) and n.value in inner for n in shape):
            return shape
    return None
