"""`nonlocal`: while a function runs that changes names of one around it, these names are its own.

They are handed over when the function is called, and handed back when it returns. A function that it calls may read or
change them, too, so each call hands them back first and fetches them again.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from adcore.frontend.liveness import nonlocals
from adcore.frontend.python.dispatch import statement
from adcore.frontend.session import FunctionScope, body_of
from adcore.frontend.values.abstract import UNBOUND


@statement(ast.Nonlocal)
def _nonlocal(scope: FunctionScope, stmt: ast.Nonlocal) -> None:
    for name in stmt.names:
        if _holder(scope, name) is None:
            scope.error(
                stmt,
                f"`{name}` belongs to a function that has returned, and `nonlocal` would change it",
                "return the new value, or keep it in an array",
            )


def _holder(scope: FunctionScope, name: str) -> FunctionScope | None:
    """The function that is being compiled to which a name of `scope` belongs."""
    holder = scope.parent
    while holder is not None and (name not in holder.names or name in nonlocals(body_of(holder.node))):
        holder = holder.parent
    return holder


def _shared(scope: FunctionScope) -> Iterator[tuple[str, FunctionScope]]:
    for name in sorted(nonlocals(body_of(scope.node))):
        holder = _holder(scope, name)
        if holder is not None:
            yield name, holder


def fetch(scope: FunctionScope) -> None:
    """Take the names over from where they belong."""
    for name, holder in _shared(scope):
        scope.state.locals[name] = holder.state.locals.get(name, UNBOUND)


def hand_back(scope: FunctionScope) -> None:
    """Give the names back to where they belong."""
    for name, holder in _shared(scope):
        holder.state.locals[name] = scope.state.locals.get(name, UNBOUND)
