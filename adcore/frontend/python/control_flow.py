"""Branches and loops of abstract execution: the IR's `if`, `for` and `while` around what callers compile."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable

from adcore.errors import Diagnostic
from adcore.frontend.session import Frame, State
from adcore.frontend.values.abstract import (
    FALSE,
    UNBOUND,
    Abstract,
    Array,
    Conflict,
    Const,
    Items,
    ListRef,
    Maybe,
    Num,
    Poison,
    Record,
)
from adcore.frontend.values.joins import Joiner
from adcore.frontend.values.numbers import materialise
from adcore.frontend.values.phis import defined_in, rebuilt_state
from adcore.frontend.values.rebinding import Carried, merged
from adcore.ir.builder import OpenRegion
from adcore.ir.core import Instr, Region, Value, substitute
from adcore.ir.types import BOOL, I64, is_float
from adcore.ops import Table
from adcore.source import Span

SCRATCH = "$value"
"""Where an expression that branches keeps its value: no Python name looks like this."""


MOST_ATTEMPTS = 16
"""Each attempt at a loop widens at least one carried value; real programs settle in three."""


def negated(frame: Frame, flag: Abstract) -> Abstract:
    if isinstance(flag, Const):
        return Const(not flag.value)
    return Num(frame.emit("not", materialise(frame, flag, BOOL)))


def both(frame: Frame, a: Abstract, b: Abstract) -> Abstract:
    """`a and b` of flags whose evaluation has no effect."""
    if isinstance(a, Const):
        return b if a.value else a
    if isinstance(b, Const):
        return a if b.value else b
    return Num(frame.emit("and", materialise(frame, a, BOOL), materialise(frame, b, BOOL)))


def either(frame: Frame, a: Abstract, b: Abstract) -> Abstract:
    if isinstance(a, Const):
        return a if a.value else b
    if isinstance(b, Const):
        return b if b.value else a
    return Num(frame.emit("or", materialise(frame, a, BOOL), materialise(frame, b, BOOL)))


def exit_flag(frame: Frame) -> Abstract:
    """Whether control has left the straight line."""
    state = frame.state
    return either(frame, either(frame, state.returns, state.breaks), state.continues)


def keep_all(name: str) -> bool:
    return True


def keeping(frame: Frame, stmt: ast.stmt) -> Callable[[str], bool]:
    """Which names matter after `stmt`."""
    after = frame.liveness.after.get(stmt)
    if after is None:
        return keep_all
    wanted = after | frame.liveness.always
    return lambda name: name in wanted or name.startswith("$")


def wanted_before(frame: Frame, stmt: ast.stmt) -> Callable[[str], bool]:
    """Which names `stmt` and what follows it may read."""
    wanted = frame.liveness.before.get(stmt, frozenset()) | frame.liveness.always
    return lambda name: name in wanted or name.startswith("$")


@dataclasses.dataclass(frozen=True)
class Side:
    """One side of a branch, compiled: its instructions, and what it leaves behind."""

    region: OpenRegion
    end: State


def side(frame: Frame, body: Callable[[], None]) -> Side:
    """What `body` compiles, apart: the frame stays as it was."""
    span, base = frame.builder.span, frame.state
    frame.state = base.copy()
    with frame.builder.region() as region:
        body()
    found = Side(region, frame.state)
    frame.state, frame.builder.span = base, span
    return found


def branch(
    frame: Frame,
    condition: Value,
    then: Callable[[], None],
    otherwise: Callable[[], None],
    keep: Callable[[str], bool] = keep_all,
) -> None:
    """`if condition: then() else: otherwise()`; of the names that differ afterwards only those in `keep` survive."""
    joined(frame, condition, side(frame, then), side(frame, otherwise), keep)


def joined(frame: Frame, condition: Value, then: Side, otherwise: Side, keep: Callable[[str], bool] = keep_all) -> None:
    """An `if` of two sides, and the state after it."""
    base, ends, regions = frame.state, [then.end, otherwise.end], [then.region, otherwise.region]
    inner = frozenset().union(*(defined_in(r.region) for r in regions))
    arrays = merged(frame, (ends[0], ends[1]), inner, keep)
    for k in (0, 1):
        frame.state = ends[k]
        regions[k] = frame.extend(regions[k], lambda k=k: _nothing(arrays.finished(k)))  # type: ignore[misc]
    ends = [arrays.renamed(k) for k in (0, 1)]
    joiner = Joiner(frame, inner)
    skeleton = joiner.join_states(ends[0], ends[1], keep)
    leaves = joiner.state_leaves(skeleton)
    finished = []
    for k in (0, 1):
        frame.state = ends[k]
        finished.append(_finish(frame, regions[k], joiner, ends[k], skeleton, k))
    frame.state = base
    results = _merged(frame, condition, leaves, [r.region for r in finished])
    frame.state = rebuilt_state(skeleton, dict(zip(leaves, results, strict=True)))


def _nothing(state: State) -> tuple[Value, ...]:
    """Only what making `state` emits is wanted."""
    return ()


def _merged(frame: Frame, condition: Value, leaves: list[Value], regions: list[Region]) -> tuple[Value, ...]:
    """The leaves after an `if`; choices between values that exist anyway need no branch."""
    if all(_costs_nothing(instr) for region in regions for instr in region.body):
        for region in regions:
            for instr in region.body:
                frame.builder.append(instr)
        return tuple(
            frame.emit("select", condition, x, y, hint=leaf.hint)
            for leaf, x, y in zip(leaves, regions[0].yields, regions[1].yields, strict=True)
        )
    types, hints = [v.type for v in leaves], [v.hint for v in leaves]
    return frame.builder.emit_many("if", (condition,), {}, regions, types, hints)


def _costs_nothing(instr: Instr) -> bool:
    """A constant, or a conversion that can't raise (as float to integer can)."""
    return instr.op == "const" or (instr.op == "cast" and is_float(instr.result.type))


def _finish(frame: Frame, region: OpenRegion, joiner: Joiner, end: State, skeleton: State, side: int) -> OpenRegion:
    return frame.extend(region, lambda: joiner.state_values(end, skeleton, side))


def choose(
    frame: Frame, condition: Abstract, then: Callable[[], Abstract], otherwise: Callable[[], Abstract]
) -> Abstract:
    """`then() if condition else otherwise()`, evaluating one of them."""
    if isinstance(condition, Const):
        return then() if condition.value else otherwise()

    return chosen(frame, condition, valued(frame, then), valued(frame, otherwise))


def valued(frame: Frame, value: Callable[[], Abstract]) -> Side:
    """An expression, compiled apart."""

    def body() -> None:
        frame.state.locals[SCRATCH] = value()

    return side(frame, body)


def value_of(valued: Side) -> Abstract:
    return valued.end.locals[SCRATCH]


def chosen(frame: Frame, condition: Abstract, then: Side, otherwise: Side) -> Abstract:
    """The value of one of two expressions."""
    outer = frame.state.locals.get(SCRATCH)
    joined(frame, materialise(frame, condition, BOOL), then, otherwise)
    result = frame.state.locals.pop(SCRATCH)
    if outer is not None:
        frame.state.locals[SCRATCH] = outer
    if isinstance(result, Conflict) and frame.builder.span is not None:
        title = result.title.replace(f"`{SCRATCH}`", "this expression")
        return frame.error(frame.builder.span, title, result.help, notes=result.notes)
    return result


def effect_free(frame: Frame, region: Region, limit: int = 4) -> bool:
    """Whether a region may run although its result is not wanted: nothing raises, nothing is written, it is short."""
    ops = frame.builder.ops
    return len(region.body) <= limit and all(_harmless(ops, instr) for instr in region.body)


def _harmless(ops: object, instr: Instr) -> bool:
    assert isinstance(ops, Table)
    op = ops[instr.op]
    return op.pure and not instr.regions and not op.can_raise(tuple(v.type for v in instr.operands)) and op.cost < 4


def loop(
    frame: Frame,
    assigned: frozenset[str],
    head: frozenset[str],
    operands: tuple[Value, ...],
    step: int | None,
    test: Callable[[Value], Abstract] | None,
    body: Callable[[Value], None],
    breaks: bool = False,
) -> None:
    """A `for` (`operands`: lo, hi; `step`) or a `while` (`test`) whose carried values are found by fixpoint.

    `assigned` names may change in the body; those of them in `head` are carried, the others start an iteration, and
    leave the loop, without a value. `body` gets the loop variable or the iteration counter. `breaks`: the body has a
    `break`; to know it saves an attempt.
    """
    span, entry = frame.builder.span, frame.state
    joiner = Joiner(frame)
    assumed = _first_assumption(joiner, entry, assigned, head)
    if breaks:
        assumed.breaks = joiner.new(BOOL)
    arrays = Carried(frame, lambda name: name in head)
    reported = len(frame.session.diagnostics)
    dropped: list[Diagnostic] = []
    for _ in range(MOST_ATTEMPTS):
        dropped += frame.session.diagnostics[reported:]
        del frame.session.diagnostics[reported:]
        frame.builder.span = span
        attempt = _Attempt(frame, joiner, assumed, test, body, arrays)
        attempt.run(entry, lambda name: name in head)
        if attempt.stable:
            break
        assumed = arrays.opened(entry, assumed) if arrays.wanted else attempt.grown
    if not attempt.stable or attempt.poisoned:
        # A carried value that an earlier attempt already refused is silent in later ones.
        frame.session.diagnostics += [d for d in dropped if d not in frame.session.diagnostics]
    frame.builder.span = span
    attempt.emit(entry, operands, step)


def _first_assumption(joiner: Joiner, entry: State, assigned: frozenset[str], head: frozenset[str]) -> State:
    """At the head of a loop numbers that the body assigns are unknown; jumps have not happened."""
    assumed = dataclasses.replace(entry.copy(), returns=FALSE, breaks=FALSE, continues=FALSE)
    joiner.states = (entry, entry)
    # A name outside `head` is read neither in the loop nor after it: branches in the body may have dropped it already.
    assumed.locals = {name: value for name, value in assumed.locals.items() if name in head}
    for name in assigned & head:
        value = entry.locals.get(name, UNBOUND)
        if isinstance(value, (Num, Const, Items, Record)):
            assumed.locals[name] = joiner.refreshed(value, name)
    return assumed


class _Attempt:
    """One try at a loop: the body compiled under an assumption, and whether its end agrees with it."""

    def __init__(
        self,
        frame: Frame,
        joiner: Joiner,
        assumed: State,
        test: Callable[[Value], Abstract] | None,
        body: Callable[[Value], None],
        arrays: Carried,
    ) -> None:
        self.frame, self.joiner, self.assumed, self.test, self.body = frame, joiner, assumed, test, body
        self.arrays = arrays
        self.stable = False
        self.grown = assumed
        self.regions: list[OpenRegion] = []

    def run(self, entry: State, keep: Callable[[str], bool]) -> None:
        frame, joiner = self.frame, self.joiner
        self.arrays.freezes = False
        inside = dataclasses.replace(self.assumed.copy(), returns=FALSE, breaks=FALSE, continues=FALSE)
        leaves = joiner.state_leaves(self.assumed)
        self.counter = Value(I64)
        if self.test is not None:
            frame.state, span = self.assumed.copy(), frame.builder.span
            with frame.builder.region((self.counter, *leaves)) as region:
                going = negated(frame, either(frame, self.assumed.returns, self.assumed.breaks))
                region.yields = (self._condition(going),)
            self._check_test(span)
            self.regions.append(region)
        frame.state = inside
        index = Value(I64)
        with frame.builder.region((index, *leaves)) as region:
            self.body(index)
            end = dataclasses.replace(frame.state, continues=FALSE)
            if not end.dead:
                end = self.arrays.closed(self.assumed, end, region.params)
            joiner.inner = frozenset(region.params) | frozenset(frame.builder.open_values())
            before = _Shape(self.assumed)
            if self.arrays.wanted:
                # Once more, with buffers.
                self.grown = self.assumed
            else:
                self.grown = self.assumed if end.dead else joiner.join_states(self.assumed, end, keep)
                self.stable = before.same(_Shape(self.grown)) and not self.arrays.freezes
            if self.stable:
                region.yields = joiner.state_values(end, self.grown, 1)
        self.regions.append(region)
        frame.state = entry

    def _check_test(self, span: Span | None) -> None:
        """What a test of a loop does to lists would be lost: its region yields nothing but the condition."""
        cells = self.frame.state.cells
        if span and any(_Shape.of(cells[cell]) != _Shape.of(items) for cell, items in self.assumed.cells.items()):
            self.frame.error(span, "the condition of this loop changes a list", "change it in the body of the loop")

    @property
    def poisoned(self) -> bool:
        """Whether something that was refused is carried around the loop."""
        values = [*self.grown.locals.values(), self.grown.result]
        values += [item for items in self.grown.cells.values() for item in items]
        return any(isinstance(value, Poison) for value in values)

    def _condition(self, going: Abstract) -> Value:
        frame = self.frame
        assert self.test is not None
        test = self.test
        if isinstance(going, Num):
            # As an op, where computing the test in vain does no harm.
            tested = valued(frame, lambda: test(self.counter))
            value = value_of(tested)
            if isinstance(value, Num) and effect_free(frame, tested.region.region):
                for instr in tested.region.body:
                    frame.builder.append(instr)
                return frame.emit("and", going.value, value.value)
            value = chosen(frame, going, tested, valued(frame, lambda: FALSE))
        else:
            value = choose(frame, going, lambda: test(self.counter), lambda: FALSE)
        return materialise(frame, value, BOOL) if isinstance(value, (Num, Const)) else frame.const(False)

    def emit(self, entry: State, operands: tuple[Value, ...], step: int | None) -> None:
        frame, joiner = self.frame, self.joiner
        frame.state = entry
        leaves = joiner.state_leaves(self.grown)
        if not self.stable:
            # Only reached with a program that was refused: keep going with what is known.
            assert frame.session.diagnostics, "the carried values of a loop do not settle"
            return
        inits = joiner.state_values(entry, self.grown, 0)
        types, hints = [v.type for v in leaves], [v.hint for v in leaves]
        *tests, body = (r.region for r in self.regions)
        # Both regions were compiled over the same parameters; a value has one definition.
        regions = [*(substitute(test, {}) for test in tests), body]
        if self.test is None:
            results = frame.builder.emit_many("for", (*operands, *inits), {"step": step}, regions, types, hints)
        else:
            results = frame.builder.emit_many("while", inits, {}, regions, [*types, I64], hints)[:-1]
        frame.state = rebuilt_state(self.grown, dict(zip(leaves, results, strict=True)))


class _Shape:
    """A state as comparable data: which parts are carried, with what types, and which are fixed values."""

    def __init__(self, state: State) -> None:
        self.locals = {name: _shape(v) for name, v in state.locals.items()}
        self.cells = {cell: self.of(items) for cell, items in state.cells.items()}
        self.flags = tuple(map(_shape, (state.result, state.returns, state.breaks)))

    @staticmethod
    def of(items: tuple[Abstract, ...]) -> tuple[object, ...]:
        return tuple(map(_shape, items))

    def same(self, other: _Shape) -> bool:
        return (self.locals, self.cells, self.flags) == (other.locals, other.cells, other.flags)


def _shape(value: Abstract) -> object:
    if isinstance(value, Num):
        return ("num", id(value.value), value.kind)
    if isinstance(value, Const):
        return ("const", type(value.value), repr(value.value) if isinstance(value.value, float) else id(value.value))
    if isinstance(value, Items):
        return tuple(map(_shape, value.items))
    if isinstance(value, Record):
        return tuple(_shape(v) for _, v in value.fields)
    if isinstance(value, Maybe):
        return ("maybe", _shape(value.inner), _shape(value.bound))
    if isinstance(value, ListRef):
        return ("list", value.cell)
    if isinstance(value, Array):
        return ("array", id(value.value))
    return type(value).__name__
