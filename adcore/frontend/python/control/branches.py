"""Branches of abstract execution: the IR's `if` around what callers compile, and flags of jumps."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable

from adcore.frontend.python.control.growth import Room, add_growth, make_room, parted
from adcore.frontend.session import FunctionScope, State
from adcore.frontend.values.abstract import (
    Abstract,
    Conflict,
    Constant,
    Num,
)
from adcore.frontend.values.joining.joins import Joiner
from adcore.frontend.values.joining.phis import defined_in, rebuilt_state
from adcore.frontend.values.joining.rebinding import merged, with_known_slots
from adcore.frontend.values.numeric.numbers import materialise
from adcore.frontend.values.numeric.optional import refined
from adcore.ir.builder import OpenRegion
from adcore.ir.core import Instr, Region, Value
from adcore.ir.types import BOOL, is_float
from adcore.ops import Table

SCRATCH = "$value"
"""Where an expression that branches keeps its value: no Python name looks like this."""


def negated(scope: FunctionScope, flag: Abstract) -> Abstract:
    if isinstance(flag, Constant):
        return Constant(not flag.value)
    return Num(scope.emit("not", materialise(scope, flag, BOOL)))


def both(scope: FunctionScope, a: Abstract, b: Abstract) -> Abstract:
    """`a and b` of flags whose evaluation has no effect."""
    if isinstance(a, Constant):
        return b if a.value else a
    if isinstance(b, Constant):
        return a if b.value else b
    return Num(scope.emit("and", materialise(scope, a, BOOL), materialise(scope, b, BOOL)))


def either(scope: FunctionScope, a: Abstract, b: Abstract) -> Abstract:
    if isinstance(a, Constant):
        return a if a.value else b
    if isinstance(b, Constant):
        return b if b.value else a
    return Num(scope.emit("or", materialise(scope, a, BOOL), materialise(scope, b, BOOL)))


def exit_flag(scope: FunctionScope) -> Abstract:
    """Whether control has left the straight line."""
    state = scope.state
    return either(scope, either(scope, state.returns, state.breaks), state.continues)


def keep_all(name: str) -> bool:
    return True


def keeping(scope: FunctionScope, stmt: ast.stmt) -> Callable[[str], bool]:
    """Which names matter after `stmt`."""
    after = scope.liveness.after.get(stmt)
    if after is None:
        return keep_all
    wanted = after | scope.liveness.always
    return lambda name: name in wanted or name.startswith("$")


def wanted_before(scope: FunctionScope, stmt: ast.stmt) -> Callable[[str], bool]:
    """Which names `stmt` and what follows it may read."""
    wanted = scope.liveness.before.get(stmt, frozenset()) | scope.liveness.always
    return lambda name: name in wanted or name.startswith("$")


@dataclasses.dataclass(frozen=True)
class BranchSide:
    """One side of a branch, compiled: its instructions, and what it leaves behind."""

    region: OpenRegion
    end: State


def side(
    scope: FunctionScope, body: Callable[[], None], condition: Value | None = None, holds: bool = True
) -> BranchSide:
    """What `body` compiles, apart: the scope stays as it was. `condition`: is known to hold, or not to."""
    span, base = scope.builder.span, scope.state
    scope.state = base.copy()
    if condition is not None:
        refined(scope, condition, holds)
    with scope.builder.region() as region:
        body()
    found = BranchSide(region, scope.state)
    scope.state, scope.builder.span = base, span
    return found


def branch(
    scope: FunctionScope,
    condition: Value,
    then: Callable[[], None],
    otherwise: Callable[[], None],
    keep: Callable[[str], bool] = keep_all,
) -> None:
    """`if condition: then() else: otherwise()`; of the names that differ afterwards only those in `keep` survive."""
    appended, scope.session.growth = scope.session.growth, {}
    reserved, scope.session.reserved = scope.session.reserved, set(scope.session.reserved)
    sides = side(scope, then, condition), side(scope, otherwise, condition, False)
    if apart := parted(scope.state, [s.end for s in sides], scope.session.growth):
        reported = len(scope.session.diagnostics)
        room = Room(scope, [s.region.region for s in sides])
        if make_room(scope, apart, scope.session.growth, room):
            # Once more, into the room that there is now.
            scope.session.growth = {}
            sides = side(scope, then, condition), side(scope, otherwise, condition, False)
        else:
            # An error only if the list is used afterwards.
            del scope.session.diagnostics[reported:]
    growths, scope.session.growth = scope.session.growth, appended
    scope.session.reserved = reserved
    add_growth(scope, growths)
    joined(scope, condition, *sides, keep)


def joined(
    scope: FunctionScope,
    condition: Value,
    then: BranchSide,
    otherwise: BranchSide,
    keep: Callable[[str], bool] = keep_all,
) -> None:
    """An `if` of two sides, and the state after it."""
    base, ends, regions = scope.state, [then.end, otherwise.end], [then.region, otherwise.region]
    inner = frozenset().union(*(defined_in(r.region) for r in regions))
    ends = [with_known_slots(scope, ends[0], ends[1]), with_known_slots(scope, ends[1], ends[0])]
    arrays = merged(scope, (ends[0], ends[1]), inner, keep)
    for k in (0, 1):
        scope.state = ends[k]
        regions[k] = scope.extend(regions[k], lambda k=k: _nothing(arrays.finished(k)))  # type: ignore[misc]
    ends = [arrays.renamed(k) for k in (0, 1)]
    joiner = Joiner(scope, inner)
    phi = joiner.join_states(ends[0], ends[1], keep)
    leaves = joiner.state_leaves(phi)
    finished = []
    for k in (0, 1):
        scope.state = ends[k]
        finished.append(_finish(scope, regions[k], joiner, ends[k], phi, k))
    scope.state = base
    results = _merged(scope, condition, leaves, [r.region for r in finished])
    scope.state = rebuilt_state(phi, dict(zip(leaves, results, strict=True)))


def _nothing(state: State) -> tuple[Value, ...]:
    """Only what making `state` emits is wanted."""
    return ()


def _merged(scope: FunctionScope, condition: Value, leaves: list[Value], regions: list[Region]) -> tuple[Value, ...]:
    """The leaves after an `if`; choices between values that exist anyway need no branch."""
    if all(_costs_nothing(instr) for region in regions for instr in region.body):
        for region in regions:
            for instr in region.body:
                scope.builder.append(instr)
        return tuple(
            scope.emit("select", condition, x, y, hint=leaf.hint)
            for leaf, x, y in zip(leaves, regions[0].yields, regions[1].yields, strict=True)
        )
    types, hints = [v.type for v in leaves], [v.hint for v in leaves]
    return scope.builder.emit_many("if", (condition,), {}, regions, types, hints)


def _costs_nothing(instr: Instr) -> bool:
    """A constant, or a conversion that can't raise (as float to integer can)."""
    return instr.op == "const" or (instr.op == "cast" and is_float(instr.result.type))


def _finish(scope: FunctionScope, region: OpenRegion, joiner: Joiner, end: State, phi: State, side: int) -> OpenRegion:
    return scope.extend(region, lambda: joiner.state_values(end, phi, side))


def choose(
    scope: FunctionScope, condition: Abstract, then: Callable[[], Abstract], otherwise: Callable[[], Abstract]
) -> Abstract:
    """`then() if condition else otherwise()`, evaluating one of them."""
    if isinstance(condition, Constant):
        return then() if condition.value else otherwise()

    tested = materialise(scope, condition, BOOL)
    return chosen(scope, Num(tested), valued(scope, then, tested), valued(scope, otherwise, tested, False))


def valued(
    scope: FunctionScope, value: Callable[[], Abstract], condition: Value | None = None, holds: bool = True
) -> BranchSide:
    """An expression, compiled apart."""

    def body() -> None:
        scope.state.locals[SCRATCH] = value()

    return side(scope, body, condition, holds)


def value_of(valued: BranchSide) -> Abstract:
    return valued.end.locals[SCRATCH]


def chosen(scope: FunctionScope, condition: Abstract, then: BranchSide, otherwise: BranchSide) -> Abstract:
    """The value of one of two expressions."""
    outer = scope.state.locals.get(SCRATCH)
    joined(scope, materialise(scope, condition, BOOL), then, otherwise)
    result = scope.state.locals.pop(SCRATCH)
    if outer is not None:
        scope.state.locals[SCRATCH] = outer
    if isinstance(result, Conflict) and scope.builder.span is not None:
        title = result.title.replace(f"`{SCRATCH}`", "this expression")
        return scope.error(scope.builder.span, title, result.help, notes=result.notes)
    return result


def effect_free(scope: FunctionScope, region: Region, limit: int = 4) -> bool:
    """Whether a region may run although its result is not wanted: nothing raises, nothing is written, it is short."""
    ops = scope.builder.ops
    return len(region.body) <= limit and all(_harmless(ops, instr) for instr in region.body)


def _harmless(ops: object, instr: Instr) -> bool:
    assert isinstance(ops, Table)
    op = ops[instr.op]
    return op.pure and not instr.regions and not op.can_raise(instr) and op.cost < 4
