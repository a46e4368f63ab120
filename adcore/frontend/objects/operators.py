"""Operators of objects: `a + b` asks the class of `a`, then that of `b` for the reflected method."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from adcore.frontend.objects.methods import is_not_implemented, is_special_owner, operator_method
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import Abstract, ObjectRef, Record, is_array
from adcore.frontend.values.describe import describe

NAMES: Mapping[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "truediv", ast.FloorDiv: "floordiv", ast.Mod: "mod",
    ast.Pow: "pow", ast.MatMult: "matmul", ast.BitAnd: "and", ast.BitOr: "or", ast.BitXor: "xor",
    ast.LShift: "lshift", ast.RShift: "rshift",
}  # fmt: skip

UNARY: Mapping[type[ast.unaryop], str] = {ast.USub: "__neg__", ast.UAdd: "__pos__", ast.Invert: "__invert__"}


def operation_of_objects(
    scope: FunctionScope, node: ast.AST, kind: type[ast.operator], a: Abstract, b: Abstract
) -> Abstract | None:
    """`a OP b` where one of them is an object; None where none is, or where named tuples are but sequences."""
    if not (is_special_owner(a) or is_special_owner(b)):
        return None
    if is_array(a) and not _leaves_operators(b):
        return scope.error(
            node,
            f"NumPy takes {describe(b)} for a number, item by item, in an operation with an array",
            "write the object first, or set `__array_ufunc__ = None` in its class",
        )
    name = NAMES[kind]
    found = operator_method(scope, node, f"__{name}__", a, b, f"__r{name}__")
    sequences = isinstance(a, Record) and isinstance(b, Record) and issubclass(a.cls, tuple)
    if found is not None or sequences:
        return found
    return scope.error(node, f"this operator does not take {describe(a)} and {describe(b)}")


def _leaves_operators(value: Abstract) -> bool:
    """Whether NumPy's arrays leave operators to the class of `value`."""
    return isinstance(value, (ObjectRef, Record)) and getattr(value.cls, "__array_ufunc__", value) is None


def in_place(
    scope: FunctionScope, node: ast.AST, kind: type[ast.operator], owner: Abstract, value: Abstract
) -> Abstract | None:
    """`owner OP= value` by a method of its own; None where it has none."""
    found = scope.special(node, owner, f"__i{NAMES[kind]}__", value)
    return None if found is None or is_not_implemented(found) else found


def unary_of_object(scope: FunctionScope, node: ast.AST, kind: type[ast.unaryop], value: Abstract) -> Abstract:
    """`-value` and the like."""
    found = scope.special(node, value, UNARY[kind])
    return found if found is not None else scope.error(node, f"this operator does not take {describe(value)}")
