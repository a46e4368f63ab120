"""Numbers that may be None, as only a run tells: `best = None` before a loop, a number after it.

Such a value is a number and a flag (`PossiblyNone`). `is None` asks the flag; whatever needs a number takes it, and
raises TypeError at run time where there is none. Behind a test of the flag the value is one of the two (`refined`).
"""

from __future__ import annotations

from collections.abc import Iterable

from adcore.frontend.session import FunctionScope, State
from adcore.frontend.values.abstract import NONE, Abstract, Num, PossiblyNone
from adcore.frontend.values.numeric.numbers import materialise
from adcore.ir.core import Value
from adcore.ir.types import BOOL

TEXT = "unsupported operand type(s): 'NoneType'"


def present(scope: FunctionScope, value: Abstract) -> Abstract:
    """A value that is needed as a number."""
    if not isinstance(value, PossiblyNone):
        return value
    scope.check(materialise(scope, value.bound, BOOL), "TypeError", TEXT)
    return value.inner


def refined(scope: FunctionScope, condition: Value, holds: bool) -> None:
    """On one side of a branch by `condition`: what it says about values that may be None."""
    state = scope.state
    if not any(_has_any(items) for items in (state.locals.values(), *state.cells.values())):
        return
    known: dict[Value, bool] = {}
    todo = [(condition, holds)]
    while todo:
        value, truth = todo.pop()
        known[value] = truth
        instr = scope.builder.definition(value)
        if instr is not None and instr.op == "not":
            todo.append((instr.operands[0], not truth))
        elif instr is not None and instr.op == ("and" if truth else "or"):
            todo += [(operand, truth) for operand in instr.operands]
    _refine(state, known)


def _has_any(values: Iterable[Abstract]) -> bool:
    return any(isinstance(value, PossiblyNone) for value in values)


def _refine(state: State, known: dict[Value, bool]) -> None:
    def better(value: Abstract) -> Abstract:
        if isinstance(value, PossiblyNone) and isinstance(value.bound, Num) and value.bound.value in known:
            return value.inner if known[value.bound.value] else NONE
        return value

    state.locals = {name: better(value) for name, value in state.locals.items()}
    state.cells = {cell: tuple(map(better, items)) if _has_any(items) else items for cell, items in state.cells.items()}


__all__ = ["present", "refined"]
