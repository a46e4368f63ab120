"""Loops of abstract execution: the IR's `for` and `while`, their phis found by widening."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from adcore.errors import Diagnostic
from adcore.frontend.python.control.branches import choose, chosen, effect_free, either, negated, value_of, valued
from adcore.frontend.python.control.growth import UNKNOWN, Room, Trips, add_growth, lengthened, make_room
from adcore.frontend.session import FunctionScope, State
from adcore.frontend.values.abstract import (
    FALSE,
    UNBOUND,
    Abstract,
    ArrayRef,
    BoundMethod,
    Constant,
    DictRef,
    Items,
    ListRef,
    Num,
    ObjectRef,
    Poison,
    PossiblyUnbound,
    Record,
    UnreadAttribute,
)
from adcore.frontend.values.containers.growing import Growths
from adcore.frontend.values.joining.joins import Joiner
from adcore.frontend.values.joining.phis import rebuilt_state
from adcore.frontend.values.joining.rebinding import Carried, with_known_slots
from adcore.frontend.values.numeric.numbers import materialise
from adcore.ir.builder import OpenRegion
from adcore.ir.core import Value, substitute
from adcore.ir.types import BOOL, I64
from adcore.source import Span

MOST_ATTEMPTS = 16
"""Each attempt at a loop widens at least one carried value; real programs settle in three. A line of delays, `a = b`,
`b = c` and so on, takes one more for each name."""


def loop(
    scope: FunctionScope,
    assigned: frozenset[str],
    head: frozenset[str],
    operands: tuple[Value, ...],
    step: int | None,
    test: Callable[[Value], Abstract] | None,
    body: Callable[[Value], None],
    breaks: bool = False,
    trips: Trips | None = None,
) -> None:
    """A `for` (`operands`: lo, hi; `step`) or a `while` (`test`) whose carried values are found by fixpoint.

    `assigned` names may change in the body; those of them in `head` are carried, the others start an iteration, and
    leave the loop, without a value. `body` gets the loop variable or the iteration counter. `breaks`: the body has a
    `break`; to know it saves an attempt. `trips` emits, before the loop, how many trips it makes at most.
    """
    span, entry = scope.builder.span, scope.state

    def start() -> tuple[Joiner, State, Carried]:
        joiner = Joiner(scope)
        assumed = _first_assumption(joiner, entry, assigned, head)
        if breaks:
            assumed.breaks = joiner.new(BOOL)
        return joiner, assumed, Carried(scope, lambda name: name in head)

    joiner, assumed, arrays = start()
    appended, scope.session.growth = scope.session.growth, {}
    reserved, scope.session.reserved = scope.session.reserved, set(scope.session.reserved)
    reported = len(scope.session.diagnostics)
    dropped: list[Diagnostic] = []
    for count in range(MOST_ATTEMPTS + len(assigned & head)):
        if count >= MOST_ATTEMPTS and len(scope.session.diagnostics) > reported:
            break
        dropped += scope.session.diagnostics[reported:]
        del scope.session.diagnostics[reported:]
        scope.builder.span = span
        scope.session.growth = {}
        frozen = len(scope.session.frozen)
        attempt = LoopAttempt(scope, joiner, assumed, test, body, arrays)
        attempt.run(entry, lambda name: name in head)
        growths = scope.session.growth
        if longer := lengthened(assumed, attempt.end, growths):
            known = trips if trips is not None else _no_trips(scope, growths, longer)
            if known is None or not make_room(scope, longer, growths, attempt.room(known, operands, step)):
                attempt.stable = False
                break
            joiner, assumed, arrays = start()
            continue
        if attempt.stable and len(scope.session.frozen) == frozen:
            break
        assumed = arrays.opened(entry, attempt.assumed) if arrays.wanted else attempt.grown
    scope.session.growth, scope.session.reserved = appended, reserved
    if growths and trips is not None:
        add_growth(scope, growths, attempt.room(trips, operands, step))
    if not attempt.stable or attempt.poisoned:
        # A carried value that an earlier attempt already refused is silent in later ones.
        scope.session.diagnostics += [d for d in dropped if d not in scope.session.diagnostics]
    scope.builder.span = span
    attempt.emit(entry, operands, step)


def _first_assumption(joiner: Joiner, entry: State, assigned: frozenset[str], head: frozenset[str]) -> State:
    """At the head of a loop numbers that the body assigns are unknown; jumps have not happened."""
    assumed = dataclasses.replace(entry.copy(), returns=FALSE, breaks=FALSE, continues=FALSE)
    joiner.states = (entry, entry)
    # A name outside `head` is read neither in the loop nor after it: branches in the body may have dropped it already.
    assumed.locals = {name: value for name, value in assumed.locals.items() if name in head}
    for name in assigned & head:
        value = entry.locals.get(name, UNBOUND)
        if isinstance(value, (Num, Constant, Items, Record)):
            assumed.locals[name] = joiner.phi_of(value, name)
    return assumed


def _no_trips(scope: FunctionScope, growths: Growths, cells: list[int]) -> Trips | None:
    """A loop that nobody can count makes a list longer."""
    for cell in cells:
        scope.error(growths[cell].where if cell in growths else scope.span(scope.node), *UNKNOWN)
    return None


class LoopAttempt:
    """One try at a loop: the body compiled under an assumption, and whether its end agrees with it."""

    def __init__(
        self,
        scope: FunctionScope,
        joiner: Joiner,
        assumed: State,
        test: Callable[[Value], Abstract] | None,
        body: Callable[[Value], None],
        arrays: Carried,
    ) -> None:
        self.scope, self.joiner, self.assumed, self.test, self.body = scope, joiner, assumed, test, body
        self.arrays = arrays
        self.stable = False
        self.grown = assumed
        self.end = assumed
        self.regions: list[OpenRegion] = []

    def room(self, trips: Trips, operands: tuple[Value, ...], step: int | None) -> Room:
        """What a iteration appends, as it is known before the loop."""
        body = self.regions[-1].region
        return Room(self.scope, [body], trips, body.params[0], operands[0] if operands else None, step or 1)

    def run(self, entry: State, keep: Callable[[str], bool]) -> None:
        scope, joiner = self.scope, self.joiner
        self.arrays.freezes = False
        inside = dataclasses.replace(self.assumed.copy(), returns=FALSE, breaks=FALSE, continues=FALSE)
        leaves = joiner.state_leaves(self.assumed)
        self.counter = Value(I64)
        if self.test is not None:
            scope.state, span = self.assumed.copy(), scope.builder.span
            with scope.builder.region((self.counter, *leaves)) as region:
                going = negated(scope, either(scope, self.assumed.returns, self.assumed.breaks))
                region.yields = (self._condition(going),)
            self._check_test(span)
            self.regions.append(region)
        scope.state = inside
        index = Value(I64)
        with scope.builder.region((index, *leaves)) as region:
            self.body(index)
            end = dataclasses.replace(scope.state, continues=FALSE)
            if not end.dead:
                self.assumed = with_known_slots(scope, self.assumed, end)
                end = self.arrays.closed(self.assumed, end, region.params)
            self.end = end
            if lengthened(self.assumed, end, scope.session.growth):
                # The list needs room before the loop; then this is tried again.
                end = dataclasses.replace(end, dead=True)
            joiner.inner = frozenset(region.params) | frozenset(scope.builder.open_values())
            before = _Comparable(self.assumed)
            if self.arrays.wanted:
                # Once more, with buffers.
                self.grown = self.assumed
            else:
                self.grown = self.assumed if end.dead else joiner.join_states(self.assumed, end, keep)
                self.stable = before.same(_Comparable(self.grown)) and not self.arrays.freezes
            if self.stable:
                region.yields = joiner.state_values(end, self.grown, 1)
        self.regions.append(region)
        scope.state = entry

    def _check_test(self, span: Span | None) -> None:
        """What a test of a loop does to lists would be lost: its region yields nothing but the condition."""
        cells = self.scope.state.cells
        if span and any(
            _Comparable.of(items) != _Comparable.of(self._assumed_contents(cell)) for cell, items in cells.items()
        ):
            self.scope.error(span, "the condition of this loop changes a list or an object", "change it in the body")

    def _assumed_contents(self, cell: int) -> tuple[Abstract, ...]:
        initial = self.scope.session.instances.initial
        own = self.assumed.cells.get(cell, initial.get(cell))
        return self.scope.state.cells[cell] if own is None else own

    @property
    def poisoned(self) -> bool:
        """Whether something that was refused is carried around the loop."""
        values = [*self.grown.locals.values(), self.grown.result]
        values += [item for items in self.grown.cells.values() for item in items]
        return any(isinstance(value, Poison) for value in values)

    def _condition(self, going: Abstract) -> Value:
        scope = self.scope
        assert self.test is not None
        test = self.test
        if isinstance(going, Num):
            # As an op, where computing the test in vain does no harm.
            tested = valued(scope, lambda: test(self.counter))
            value = value_of(tested)
            if isinstance(value, Num) and effect_free(scope, tested.region.region):
                for instr in tested.region.body:
                    scope.builder.append(instr)
                return scope.emit("and", going.value, value.value)
            value = chosen(scope, going, tested, valued(scope, lambda: FALSE))
        else:
            value = choose(scope, going, lambda: test(self.counter), lambda: FALSE)
        return materialise(scope, value, BOOL) if isinstance(value, (Num, Constant)) else scope.const(False)

    def emit(self, entry: State, operands: tuple[Value, ...], step: int | None) -> None:
        scope, joiner = self.scope, self.joiner
        scope.state = entry
        leaves = joiner.state_leaves(self.grown)
        if not self.stable:
            # Only reached with a program that was refused: keep going with what is known.
            assert scope.session.diagnostics, "the carried values of a loop do not settle"
            return
        inits = joiner.state_values(entry, self.grown, 0)
        types, hints = [v.type for v in leaves], [v.hint for v in leaves]
        *tests, body = (r.region for r in self.regions)
        # Both regions were compiled over the same parameters; a value has one definition.
        regions = [*(substitute(test, {}) for test in tests), body]
        if self.test is None:
            results = scope.builder.emit_many("for", (*operands, *inits), {"step": step}, regions, types, hints)
        else:
            results = scope.builder.emit_many("while", inits, {}, regions, [*types, I64], hints)[:-1]
        scope.state = rebuilt_state(self.grown, dict(zip(leaves, results, strict=True)))


class _Comparable:
    """A state as comparable data: which parts are carried, with what types, and which are fixed values."""

    def __init__(self, state: State) -> None:
        self.locals = {name: _comparable(v) for name, v in state.locals.items()}
        self.cells = {cell: self.of(items) for cell, items in state.cells.items()}
        self.flags = tuple(map(_comparable, (state.result, state.returns, state.breaks)))

    @staticmethod
    def of(items: tuple[Abstract, ...]) -> tuple[object, ...]:
        return tuple(map(_comparable, items))

    def same(self, other: _Comparable) -> bool:
        return (self.locals, self.cells, self.flags) == (other.locals, other.cells, other.flags)


def _comparable(value: Abstract) -> object:
    if isinstance(value, Num):
        return ("num", id(value.value), value.weak, value.narrow)
    if isinstance(value, Constant):
        return ("const", type(value.value), repr(value.value) if isinstance(value.value, float) else id(value.value))
    if isinstance(value, Items):
        return tuple(map(_comparable, value.items))
    if isinstance(value, Record):
        return tuple(_comparable(v) for _, v in value.fields)
    if isinstance(value, PossiblyUnbound):
        return ("maybe", _comparable(value.inner), _comparable(value.bound))
    if isinstance(value, (ListRef, DictRef, ObjectRef)):
        return (type(value).__name__, value.cell)
    if isinstance(value, UnreadAttribute):
        return ("unread", id(value))
    if isinstance(value, BoundMethod):
        return ("method", id(value.function), _comparable(value.owner))
    if isinstance(value, ArrayRef):
        return ("array", id(value.value))
    return type(value).__name__
