"""Builtins that ask a method of an object: `len(a)`, `abs(a)`, `float(a)`, `bool(a)`, and the like."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import Abstract, Constant, ObjectRef, Record
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.conditions import condition

METHODS_OF: Mapping[Any, str] = {
    len: "__len__", abs: "__abs__", float: "__float__", int: "__int__", round: "__round__", divmod: "__divmod__",
    pow: "__pow__", iter: "__iter__", reversed: "__reversed__",
}  # fmt: skip


def special_call(scope: FunctionScope, node: ast.AST, function: Any, args: list[Abstract]) -> Abstract | None:
    """`function(object, ...)` by the method that it asks; None where it is no such call."""
    if not args or not isinstance(args[0], (ObjectRef, Record)):
        return None
    owner = args[0]
    if function is type and len(args) == 1:
        return Constant(owner.cls)
    if function is bool:
        return condition(scope, node, owner)
    if function not in METHODS_OF or (isinstance(owner, Record) and issubclass(owner.cls, tuple)):
        return None
    name = METHODS_OF[function]
    found = scope.special(node, owner, name, *args[1:])
    return found if found is not None else scope.error(node, f"{describe(owner)} has no method `{name}`")
