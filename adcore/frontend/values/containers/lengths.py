"""Lengths of arguments that a program needs while it is compiled.

    def settle(gains):                     The class takes as many arguments as `gains` has elements, so the program
        controller = PID(*gains)           differs from length to length.

Whoever needs such a length asks `needed_length`. Where it is the length of an argument, that is noted and the
compilation goes on, to find others; then whoever asked for the compilation looks at the arguments and compiles again,
with `Signature.lengths` (`adcore.errors.LengthsNeeded`). Another length is another program.
"""

from __future__ import annotations

import ast

from adcore.frontend.session import FunctionScope, as_static_int
from adcore.frontend.values.abstract import Abstract, Constant, IterableValue, Num
from adcore.ir.core import Value

MOST_ITEMS = 64
"""Longer arguments are not taken apart: each item would be a part of the program."""


def needed_length(scope: FunctionScope, node: ast.AST, length: Abstract, title: str, help: str) -> int | None:
    """A length that must be known; None where it is not, which is reported."""
    known = as_static_int(length)
    if known is None and isinstance(length, Num) and length.value in scope.session.measured:
        array, axis = scope.session.measured[length.value]
        known = scope.session.known_lengths.get((array.hint, axis))
        _, parameter = scope.session.instances.parameters.get(array.hint, (None, None))
        if known is None and parameter is array:
            scope.session.wanted.add((array.hint, axis))
            title = f"the length of `{array.hint}` has to be known here"
    if known is not None and known <= MOST_ITEMS:
        return known
    if known is not None:
        title = f"{known} items are too many to be taken one by one here (at most {MOST_ITEMS})"
    scope.error(node, title, help)
    return None


def static_argument_length(scope: FunctionScope, array: Value, axis: int) -> int | None:
    """The length of an argument that the program is compiled for, if it is short enough to be of use."""
    known = scope.session.known_lengths.get((array.hint, axis))
    return known if known is not None and known <= MOST_ITEMS else None


def items_of(
    scope: FunctionScope, node: ast.AST, iterable: IterableValue | None, title: str, help: str = ""
) -> list[Abstract] | None:
    """The items of what has to have a known length; None where it has none, which is reported."""
    length = None if iterable is None else needed_length(scope, node, iterable.length, title, help)
    return None if iterable is None or length is None else [iterable.item(Constant(k)) for k in range(length)]


__all__ = ["MOST_ITEMS", "items_of", "needed_length", "static_argument_length"]
