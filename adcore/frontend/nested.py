"""Derivatives of functions as values of a program: `ad.grad(f)`, to be called. What such a call becomes is said by
whoever can differentiate (`derivative_rule`), which is not the frontend."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import Abstract, Closure, Constant
from adcore.frontend.values.describe import describe
from adcore.ir.core import Instr, Region, free_values


@dataclass(frozen=True, eq=False)
class Nested:
    """The derivative `kind` of `function` by its arguments `wrt`."""

    kind: str
    function: Abstract
    wrt: Any = 0


NestedRule = Callable[[FunctionScope, ast.Call, Nested, list[Abstract], dict[str, Abstract]], Abstract]
"""Compiles a call of a derivative with these arguments."""

DirectRule = Callable[[FunctionScope, ast.Call, list[Abstract], dict[str, Abstract]], Abstract]

KINDS: dict[Any, str] = {}
"""Functions that make a derivative of a function, and which."""

RULES: dict[str, NestedRule] = {}

DIRECT: dict[Any, DirectRule] = {}
"""Functions that take the function together with its arguments."""


def derivative_rule(function: Any, kind: str, rule: NestedRule) -> None:
    """Enter what makes derivatives of a kind, and what calls of them become."""
    KINDS[function], RULES[kind] = kind, rule


def is_nested(function: Any) -> bool:
    """Whether `function` makes a derivative of another one, is one, or computes one."""
    try:
        return function in KINDS or function in DIRECT or isinstance(function, Nested) or _made_outside(function)
    except TypeError:
        return False


def _made_outside(function: Any) -> bool:
    return getattr(function, "__adcore_derivative__", None) in RULES and hasattr(function, "__adcore_of__")


def call_nested(
    scope: FunctionScope, node: ast.Call, function: Any, given: list[Abstract], named: dict[str, Abstract]
) -> Abstract:
    """A call of what `is_nested`."""
    if function in DIRECT:
        return DIRECT[function](scope, node, given, named)
    if function in KINDS:
        return _make(scope, node, KINDS[function], given, named)
    if not isinstance(function, Nested):
        own, wrt = function.__adcore_of__
        function = Nested(function.__adcore_derivative__, Constant(own), wrt)
    return RULES[function.kind](scope, node, function, given, named)


def _make(
    scope: FunctionScope, node: ast.Call, kind: str, given: list[Abstract], named: dict[str, Abstract]
) -> Abstract:
    """`ad.grad(f, wrt)`."""
    found = {**dict(zip(("f", "wrt"), given, strict=False)), **named}
    own, wrt = found.pop("f", None), found.pop("wrt", Constant(0))
    found.pop("fastmath", None)
    if own is None or found or len(given) > 2:
        return scope.error(node, f"{ast.unparse(node.func)} takes a function and `wrt=` here", "leave the rest out")
    if not isinstance(own, (Closure, Constant)) or (isinstance(own, Constant) and not callable(own.value)):
        if isinstance(own, Constant) and isinstance(own.value, Nested):
            return Constant(Nested(kind, own, _plain(wrt)))
        return scope.error(node, f"{describe(own)} can't be differentiated", "pass a function")
    known = _plain(wrt)
    if known is None:
        return scope.error(node, "`wrt` must be known while compiling", "write numbers or names of arguments")
    return Constant(Nested(kind, own, known))


def _plain(value: Abstract) -> Any:
    if isinstance(value, Constant):
        return value.value
    items = getattr(value, "items", None)
    known = tuple(map(_plain, items)) if isinstance(items, tuple) else (None,)
    return None if None in known else known


def constants_inside(scope: FunctionScope, region: Region) -> list[Instr]:
    """The constants from around that a region uses."""
    found = (scope.builder.definition(value) for value in free_values(region))
    return [instr for instr in found if instr is not None and instr.op == "const"]


__all__ = ["DIRECT", "Nested", "call_nested", "constants_inside", "derivative_rule", "is_nested"]
