"""Derivatives of functions as values of a program: `ad.grad(f)`, to be called. What such a call becomes is said by
whoever can differentiate (`derivative_rule`), which is not the frontend."""

from __future__ import annotations

import ast
import types
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

RULES: dict[str, NestedRule] = {}
"""By kind of derivative. A function that makes them says so: `__adcore_makes__` is the kind."""

DIRECT: dict[str, DirectRule] = {}
"""The same for functions that take the function together with its arguments."""


def derivative_rule(kind: str, rule: NestedRule) -> None:
    """Enter what calls of derivatives of a kind become."""
    RULES[kind] = rule


def is_nested(function: Any) -> bool:
    """Whether `function` makes a derivative of another one, is one, or computes one."""
    return isinstance(function, Nested) or _makes(function) in {*RULES, *DIRECT} or _made_outside(function)


def _makes(function: Any) -> str:
    return str(getattr(function, "__adcore_makes__", "")) if isinstance(function, types.FunctionType) else ""


def _made_outside(function: Any) -> bool:
    known = vars(function) if hasattr(function, "__dict__") and not isinstance(function, type) else {}
    return known.get("__adcore_derivative__") in RULES and "__adcore_of__" in known


def call_nested(
    scope: FunctionScope, node: ast.Call, function: Any, given: list[Abstract], named: dict[str, Abstract]
) -> Abstract:
    """A call of what `is_nested`."""
    made = _makes(function)
    if made in DIRECT:
        return DIRECT[made](scope, node, given, named)
    if made:
        return _make(scope, node, made, given, named)
    if not isinstance(function, Nested):
        if getattr(function, "__adcore_has_out__", False):
            call = ast.unparse(node)
            return scope.error(
                node,
                f"`{ast.unparse(node.func)}` was made with out=, and its buffer is not written by compiled code",
                f"make it without out=, and store what it returns: out[:] = {call}",
            )
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
