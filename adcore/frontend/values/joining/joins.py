"""Where paths meet: one abstract value for two, and the IR values that carry it.

A join is computed as a *phi*: an abstract value in which each leaf that differs between the paths is a fresh IR
value. Fresh leaves become the parameters of a loop region or the results of an `if`; `coerce` emits, on each path, what
the leaves get.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from adcore.captures import same_value
from adcore.frontend.session import FunctionScope, State
from adcore.frontend.values.abstract import (
    FALSE,
    POISON,
    TRUE,
    UNBOUND,
    UNTRACKED,
    WEAK,
    Abstract,
    ArrayRef,
    BoundMethod,
    Closure,
    Conflict,
    Constant,
    DictRef,
    Expanded,
    Items,
    IterableValue,
    ListRef,
    Num,
    ObjectRef,
    Poison,
    PossiblyNone,
    PossiblyUnbound,
    Range,
    Record,
    Reshaped,
    Unbound,
    Uniform,
    WeakType,
    is_scalar,
)
from adcore.frontend.values.describe import describe
from adcore.frontend.values.joining.conflicts import conflict, quoted
from adcore.frontend.values.joining.phis import parts
from adcore.frontend.values.numeric.narrow import joined_narrow, narrow_of
from adcore.frontend.values.numeric.numbers import join_types, materialise, static_type, weak_type_of
from adcore.frontend.values.numeric.weak_types import flag
from adcore.ir.core import Value
from adcore.ir.types import BOOL, Scalar


def _is_none(value: Abstract) -> bool:
    return isinstance(value, Constant) and value.value is None


def _may_be_none(a: Abstract, b: Abstract) -> bool:
    """Whether `a` is None, or may be, where `b` is a number, or may be one."""
    return isinstance(a, PossiblyNone) or (_is_none(a) and is_scalar(b))


@dataclass
class Joiner:
    """One join of two states. `inner`: values defined on one of the paths, hence not visible after them.

    `fresh` are the leaves of the phi; `pairs` maps a new list cell to the cells it stands for on either path."""

    scope: FunctionScope
    inner: frozenset[Value] = frozenset()
    fresh: dict[Value, None] = field(default_factory=dict)
    starts: dict[Value, Constant] = field(default_factory=dict)
    pairs: dict[tuple[int | None, int | None], int] = field(default_factory=dict)
    states: tuple[State, State] | None = None
    cells: dict[int, tuple[Abstract, ...]] = field(default_factory=dict)

    def new(self, type_: Scalar, weak: WeakType = WEAK, hint: str = "", narrow: Scalar | None = None) -> Num:
        """A fresh leaf; one that may be weak has a fresh flag, too, if flags are carried."""
        value = Value(type_, hint)
        self.fresh[value] = None
        if weak.mixed:
            weak = UNTRACKED
            if self.scope.session.speculation.flags:
                python = Value(BOOL)
                self.fresh[python] = None
                weak = WeakType((python,))
        return Num(value, weak, narrow)

    def join(self, a: Abstract, b: Abstract, name: str) -> Abstract:
        if a is b:
            return a
        known = self.scope.session.instances.known
        a, b = known(a), known(b)
        if a is b:
            return a
        if isinstance(a, Conflict) or isinstance(b, Conflict):
            return a if isinstance(a, Conflict) else b
        if isinstance(a, Poison) or isinstance(b, Poison):
            return POISON
        if _may_be_none(a, b) or _may_be_none(b, a):
            return self._possibly_none(a, b, name)
        if isinstance(a, (Unbound, PossiblyUnbound)) or isinstance(b, (Unbound, PossiblyUnbound)):
            return self._possibly_unbound(a, b, name)
        if isinstance(a, Constant) and isinstance(b, Constant) and same_value(a.value, b.value):
            return a
        if is_scalar(a) and is_scalar(b):
            return self._scalars(a, b, name)
        return self._containers(a, b, name)

    def _scalars(self, a: Abstract, b: Abstract, name: str) -> Abstract:
        if (
            isinstance(a, Num)
            and isinstance(b, Num)
            and a.value is b.value
            and (a.weak, a.narrow) == (b.weak, b.narrow)
        ):
            return a
        # At the head of a loop a number from before is unknown already, but it still adapts as the constant that it is.
        start = self.starts.pop(a.value, a) if isinstance(a, Num) else a
        joined = join_types(start, b)
        if joined is None:
            return Conflict(
                f"{quoted(name)} is float32 on one path and float64 on another",
                "convert one of them, for example with np.float64(...), so that both paths agree",
            )
        narrow = joined_narrow(start, b, joined)
        if isinstance(narrow, str):
            help = "convert them to one type on both paths: int(...), float(...) or np.int64(...)"
            return Conflict(f"{quoted(name)} is {narrow}", help)
        weak = self._weak_types(weak_type_of(a), weak_type_of(b))
        if isinstance(a, Num) and a.value in self.fresh and (a.type, a.weak, a.narrow) == (joined, weak, narrow):
            return a
        return self.new(joined, weak, _hint(name), narrow)

    def _weak_types(self, a: WeakType, b: WeakType) -> WeakType:
        """Whether a number is weak after both paths: one flag says so, unless they agree for certain."""
        if a.mixed and all(f in self.fresh for f in a.flags):
            return a
        return a if a == b and not any(f in self.inner for f in a.flags) else UNTRACKED

    def _containers(self, a: Abstract, b: Abstract, name: str) -> Abstract:
        if isinstance(a, Items) and isinstance(b, Items) and len(a.items) == len(b.items):
            joined = self.sequence(a.items, b.items, name)
            return a if joined is a.items else Items(joined)
        if isinstance(a, Record) and isinstance(b, Record) and a.cls is b.cls:
            values = self.sequence([v for _, v in a.fields], [v for _, v in b.fields], name)
            same = _identical(values, [v for _, v in a.fields])
            return a if same else Record(a.cls, _fields(a, values))
        if isinstance(a, (ListRef, DictRef)) and type(a) is type(b):
            cell = self._lists(a.cell, b.cell, name)
            return a if isinstance(cell, ListRef) and cell.cell == a.cell else _like(a, cell)
        if isinstance(a, ObjectRef) and isinstance(b, ObjectRef) and a.cls is b.cls:
            return a if a.cell == b.cell else self._object(a, b, name)
        if isinstance(a, BoundMethod) and isinstance(b, BoundMethod) and a.function is b.function:
            owner = self.join(a.owner, b.owner, name)
            return owner if isinstance(owner, (Conflict, Poison)) else BoundMethod(owner, a.function)
        if isinstance(a, ArrayRef) and isinstance(b, ArrayRef) and a.value is b.value:
            return a
        if isinstance(a, Closure) and isinstance(b, Closure) and a.node is b.node and a.scope is b.scope:
            return a
        return conflict(a, b, name)

    def sequence(self, a: Iterable[Abstract], b: Iterable[Abstract], name: str) -> tuple[Abstract, ...]:
        """Item by item; `a` itself if nothing changes."""
        first = tuple(a)
        joined = tuple(self.join(x, y, name) for x, y in zip(first, b, strict=True))
        return a if isinstance(a, tuple) and all(x is y for x, y in zip(first, joined, strict=True)) else joined

    def _lists(self, a: int | None, b: int | None, name: str) -> Abstract:
        assert self.states is not None
        if a == b and a is not None:
            return ListRef(a)
        if (a, b) in self.pairs:
            return ListRef(self.pairs[a, b])
        if a in self.cells and a is not None and b is not None:
            return self._relist(a, b, name)
        clash = any(cell in pair for pair in self.pairs for cell in (a, b) if cell is not None)
        left = self.cells.get(a, self._contents(0, a)) if a is not None else None
        right = self._contents(1, b) if b is not None else None
        if clash or (left is not None and right is not None and len(left) != len(right)):
            return Conflict(
                f"{quoted(name)} is a list of another length, or shared with other names, on another path",
                "use a NumPy array of fixed size instead",
            )
        cell = self.scope.session.new_cell()
        if (a or b or 0) < 0:
            cell = -cell
        self.pairs[a, b] = cell
        older = [c for c in (a, b) if c is not None and self._contents(0, c) and self._contents(1, c)]
        if older:
            # On one path the name still means a list that others may know, too.
            self.scope.session.shared.update([cell, *older])
        if left is None or right is None:
            self.cells[cell] = tuple(self.phi_of_one_path(v, name) for v in (left or right or ()))
        else:
            self.cells[cell] = self.sequence(left, right, name)
        return ListRef(cell)

    def _object(self, a: ObjectRef, b: ObjectRef, name: str) -> Abstract:
        """An object that is chosen at run time: it has the attributes of either, joined."""
        slots = self.scope.session.instances.slots
        if slots[a.cell] != slots[b.cell]:
            return Conflict(
                f"{quoted(name)} is one of two objects that have different attributes",
                "give them the same ones, or do what depends on the choice inside of each branch",
            )
        joined = self._lists(a.cell, b.cell, name)
        return ObjectRef(self._laid_out(joined.cell, a.cell), a.cls) if isinstance(joined, ListRef) else joined

    def _laid_out(self, cell: int, like: int) -> int:
        """A new cell of an object has the slots of the old one."""
        self.scope.session.instances.slots[cell] = self.scope.session.instances.slots[like]
        return cell

    def _relist(self, a: int, b: int, name: str) -> Abstract:
        """`a` is already a joined list (of the head of a loop): an iteration ends with `b` in its place."""
        assert self.states is not None
        (old,) = [pair for pair, cell in self.pairs.items() if cell == a]
        right = self._contents(1, b) or ()
        if len(right) != len(self.cells[a]):
            return Conflict(f"{quoted(name)} is a list whose length changes", "use a NumPy array of fixed size instead")
        del self.pairs[old]
        self.pairs[old[0], b] = a
        self.cells[a] = self.sequence(self.cells[a], right, name)
        return ListRef(a)

    def _possibly_unbound(self, a: Abstract, b: Abstract, name: str) -> Abstract:
        if isinstance(a, Unbound) and isinstance(b, Unbound):
            return a
        inner_a, inner_b = (x.inner if isinstance(x, PossiblyUnbound) else x for x in (a, b))
        if isinstance(inner_a, Unbound):
            inner = self.phi_of_one_path(inner_b, name)
        elif isinstance(inner_b, Unbound):
            inner = self._kept(inner_a, name)
        else:
            inner = self.join(inner_a, inner_b, name)
        if isinstance(inner, (Conflict, Poison)):
            return inner
        if (
            isinstance(a, PossiblyUnbound)
            and inner is a.inner
            and isinstance(a.bound, Num)
            and a.bound.value in self.fresh
        ):
            return a
        return PossiblyUnbound(inner, self.new(BOOL))

    def _possibly_none(self, a: Abstract, b: Abstract, name: str) -> Abstract:
        if any(isinstance(x, Unbound) or type(x) is PossiblyUnbound for x in (a, b)):
            return Conflict(f"{quoted(name)} may be None, or have no value at all", "give it a value before")
        first, second = (UNBOUND if _is_none(x) else x for x in (a, b))
        joined = self._possibly_unbound(first, second, name)
        if type(joined) is PossiblyUnbound:
            return PossiblyNone(joined.inner, joined.bound)
        return joined

    def _is_carried(self, value: Abstract) -> bool:
        return isinstance(value, Num) and value.value in self.fresh

    def _kept(self, value: Abstract, name: str) -> Abstract:
        """The first path's value as it is where it is already carried; otherwise made to outlive its path."""
        if self._is_carried(value):
            return value
        if isinstance(value, Items):
            items = tuple(self._kept(v, name) for v in value.items)
            return value if _identical(items, value.items) else Items(items)
        if isinstance(value, Record):
            items = tuple(self._kept(v, name) for _, v in value.fields)
            same = _identical(items, [v for _, v in value.fields])
            return value if same else Record(value.cls, _fields(value, items))
        return self.phi_of_one_path(value, name)

    def phi_of(self, value: Abstract, name: str) -> Abstract:
        """`value` with every number unknown: what a name that a loop assigns is at the loop's head."""
        if isinstance(value, Constant) and is_scalar(value):
            fresh = self.new(static_type(value.value), weak_type_of(value), _hint(name), narrow_of(value))
            self.starts[fresh.value] = value
            return fresh
        if isinstance(value, Num):
            return self.new(value.type, value.weak, _hint(name) or value.value.hint, value.narrow)
        if isinstance(value, Items):
            return Items(tuple(self.phi_of(v, name) for v in value.items))
        if isinstance(value, Record):
            return Record(value.cls, tuple((key, self.phi_of(v, name)) for key, v in value.fields))
        return value

    def phi_of_one_path(self, value: Abstract, name: str) -> Abstract:
        """`value`, which only one path has, made to outlive that path."""
        if isinstance(value, Num):
            inside = any(v in self.inner for v in (value.value, *value.weak.flags))
            return self.new(value.type, value.weak, _hint(name), value.narrow) if inside else value
        if isinstance(value, Items):
            return Items(tuple(self.phi_of_one_path(v, name) for v in value.items))
        if isinstance(value, Record):
            return Record(value.cls, tuple((key, self.phi_of_one_path(v, name)) for key, v in value.fields))
        if isinstance(value, PossiblyUnbound):
            inner = self.phi_of_one_path(value.inner, name)
            return (
                inner
                if isinstance(inner, Conflict)
                else replace(value, inner=inner, bound=self.phi_of_one_path(value.bound, name))
            )
        if isinstance(value, (ListRef, DictRef, ObjectRef)):
            first, second = (self._contents(k, value.cell) is not None for k in (0, 1))
            if first and second:
                return value
            joined = self._lists(None if second else value.cell, value.cell if second else None, name)
            if isinstance(value, ObjectRef) and isinstance(joined, ListRef):
                return ObjectRef(self._laid_out(joined.cell, value.cell), value.cls)
            return joined if isinstance(value, ObjectRef) else _like(value, joined)
        if isinstance(value, BoundMethod):
            owner = self.phi_of_one_path(value.owner, name)
            return owner if isinstance(owner, Conflict) else BoundMethod(owner, value.function)
        if isinstance(value, (ArrayRef, Expanded, Reshaped, Uniform, IterableValue, Range)) and self._inside(value):
            return Conflict(
                f"{quoted(name)} is {describe(value)} that exists on one path only",
                "create it, or take the view, before the branch or loop, or use it inside",
            )
        return value

    def _inside(self, value: ArrayRef | Expanded | Reshaped | Uniform | IterableValue | Range) -> bool:
        """Whether a value is made of what only one path defines (which can't be seen of an iterable)."""
        if isinstance(value, ArrayRef):
            return value.value in self.inner
        if isinstance(value, Expanded):
            return self._inside(value.base) or any(isinstance(n, Num) and n.value in self.inner for n in value.shape)
        if isinstance(value, Uniform):
            return any(leaf in self.inner for leaf in value.leaves)
        return True

    def join_states(self, a: State, b: State, keep: Callable[[str], bool]) -> State:
        """The phi of what both paths leave behind. A path that ends (`dead`) has no say."""
        self.states = (a, b)
        out = State(dead=a.dead and b.dead)
        pick: Callable[[Abstract, Abstract, str], Abstract] = self.join
        if b.dead:
            pick = self._alive
        elif a.dead:
            pick = self._alive_second
        for name in [*a.locals, *(n for n in b.locals if n not in a.locals)]:
            if keep(name):
                out.locals[name] = pick(a.locals.get(name, UNBOUND), b.locals.get(name, UNBOUND), name)
        out.result = self._result(a, b, pick)
        out.returns = pick(a.returns, b.returns, "$returns")
        out.breaks = pick(a.breaks, b.breaks, "$breaks")
        out.continues = pick(a.continues, b.continues, "$continues")
        for cell in dict.fromkeys((*a.cells, *b.cells)):
            left, right = self._contents(0, cell), self._contents(1, cell)
            if left is not None and right is not None:
                if left is right:
                    out.cells[cell] = left
                elif len(left) == len(right):
                    named = zip(left, right, self._item_names(cell, len(left)), strict=True)
                    joined = tuple(pick(x, y, name) for x, y, name in named)
                    out.cells[cell] = left if _identical(joined, left) else joined
                else:
                    grown = Conflict("a list grows on one path only", "use a NumPy array of fixed size instead")
                    out.cells[cell] = (grown,) * max(len(left), len(right))
        out.cells.update(self.cells)
        return out

    def _item_names(self, cell: int, count: int) -> tuple[str, ...]:
        """What messages call the items of a cell: attributes have names."""
        return self.scope.session.instances.slots.get(cell, ("list",) * count)

    def _alive(self, alive: Abstract, other: Abstract, name: str) -> Abstract:
        return (
            alive
            if alive is other or isinstance(alive, (Unbound, Conflict, Poison))
            else self.phi_of_one_path(alive, name)
        )

    def _alive_second(self, other: Abstract, alive: Abstract, name: str) -> Abstract:
        return self._alive(alive, other, name)

    def _contents(self, side: int, cell: int) -> tuple[Abstract, ...] | None:
        assert self.states is not None
        return _contents(self.scope, self.states[side], cell)

    def _result(self, a: State, b: State, pick: Callable[[Abstract, Abstract, str], Abstract]) -> Abstract:
        """Results need no "is bound" flag: `returns` is that flag."""
        if a.result is b.result:
            return a.result
        x, y = a.result, b.result
        if isinstance(x, Unbound):
            # Even where it is the carried value of a name: that name may get another one after it was read.
            return self.phi_of_one_path(y, "the returned value")
        if isinstance(y, Unbound):
            return self._kept(x, "the returned value")
        return pick(x, y, "the returned value")

    def leaves(self, value: Abstract) -> Iterator[Value]:
        """The fresh leaves of a phi, in order."""
        if isinstance(value, Num):
            yield from (v for v in (value.value, *value.weak.flags) if v in self.fresh)
        elif isinstance(value, Items):
            for item in value.items:
                yield from self.leaves(item)
        elif isinstance(value, Record):
            for _, item in value.fields:
                yield from self.leaves(item)
        elif isinstance(value, PossiblyUnbound):
            yield from self.leaves(value.inner)
            yield from self.leaves(value.bound)

    def coerce(self, value: Abstract, phi: Abstract) -> Iterator[Value]:
        """Emit, on the current path, what the leaves of `phi` get from `value`."""
        value = self.scope.session.instances.known(value)
        if isinstance(phi, Num):
            absent = not is_scalar(value)
            if phi.value in self.fresh:
                zero = self.scope.const({"f": 0.0, "b": False}.get(phi.type.kind, 0), phi.type)
                yield zero if absent else materialise(self.scope, value, phi.type)
            if any(f in self.fresh for f in phi.weak.flags):
                yield flag(self.scope, WEAK if absent else weak_type_of(value))
        elif isinstance(phi, (Items, Record)):
            shapes = parts(phi)
            own = parts(value) if isinstance(value, type(phi)) else ()
            if len(own) != len(shapes):
                # Absent, or a list of another length: then no part can be used afterwards.
                own = (UNBOUND,) * len(shapes)
            for part, shape in zip(own, shapes, strict=True):
                yield from self.coerce(part, shape)
        elif isinstance(phi, PossiblyUnbound):
            bound: Abstract = FALSE if isinstance(value, Unbound) or _is_none(value) else TRUE
            inner = value
            if isinstance(value, PossiblyUnbound):
                inner, bound = value.inner, value.bound
            yield from self.coerce(inner, phi.inner)
            yield from self.coerce(bound, phi.bound)

    def slots(self, phi: State, state: State, side: int) -> Iterator[tuple[Abstract, Abstract]]:
        """(value in `state`, phi) of everything in `phi`; `side` 0 or 1 tells which joined state it is."""
        for name, shape in phi.locals.items():
            yield state.locals.get(name, UNBOUND), shape
        yield state.result, phi.result
        yield state.returns, phi.returns
        yield state.breaks, phi.breaks
        yield state.continues, phi.continues
        origin = {cell: pair[side] for pair, cell in self.pairs.items()}
        for cell, items in phi.cells.items():
            own = _contents(self.scope, state, origin.get(cell, cell))
            yield UNBOUND if own is None else Items(own), Items(items)

    def state_leaves(self, phi: State) -> list[Value]:
        return [leaf for _, shape in self.slots(phi, phi, 0) for leaf in self.leaves(shape)]

    def state_values(self, state: State, phi: State, side: int) -> tuple[Value, ...]:
        slots = self.slots(phi, state, side)
        return tuple(v for value, shape in slots for v in self.coerce(UNBOUND if state.dead else value, shape))


def _like(value: ListRef | DictRef, joined: Abstract) -> Abstract:
    """What lists are joined to, as a dict where dicts are."""
    return DictRef(joined.cell) if isinstance(value, DictRef) and isinstance(joined, ListRef) else joined


def _contents(scope: FunctionScope, state: State, cell: int | None) -> tuple[Abstract, ...] | None:
    """The items of a list, or the attributes of an object; None where it does not exist."""
    if cell is None or cell in state.cells:
        return state.cells[cell] if cell is not None else None
    return scope.session.instances.initial.get(cell)


def _identical(a: Iterable[Abstract], b: Iterable[Abstract]) -> bool:
    return all(x is y for x, y in zip(a, b, strict=True))


def _fields(like: Record, values: Iterable[Abstract]) -> tuple[tuple[str, Abstract], ...]:
    return tuple((key, v) for (key, _), v in zip(like.fields, values, strict=True))


def _hint(name: str) -> str:
    return "" if name.startswith("$") or " " in name or name == "list" else name
