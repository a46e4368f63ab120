"""Comparisons of objects: identity, equality, order, and `in`."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable, Mapping

from adcore.frontend.objects.attributes import class_of, object_attribute
from adcore.frontend.objects.methods import is_not_implemented, operator_method, special_method
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import FALSE, POISON, Abstract, Constant, Num, ObjectRef, Poison, Record
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.conditions import condition
from adcore.frontend.values.numeric.numbers import materialise
from adcore.ir.types import BOOL

ORDERS: Mapping[type[ast.cmpop], tuple[str, str]] = {
    ast.Lt: ("__lt__", "__gt__"), ast.LtE: ("__le__", "__ge__"), ast.Gt: ("__gt__", "__lt__"),
    ast.GtE: ("__ge__", "__le__"), ast.Eq: ("__eq__", "__eq__"), ast.NotEq: ("__ne__", "__ne__"),
}  # fmt: skip
"""The method that is asked, and that of the other operand."""


def same_object(scope: FunctionScope, a: ObjectRef, b: ObjectRef) -> bool | None:
    """Whether two references mean one object; None where only a run can tell: one was chosen there."""
    if a.cell == b.cell:
        return True
    return None if {a.cell, b.cell} & scope.session.shared else False


def compare_objects(
    scope: FunctionScope,
    node: ast.AST,
    kind: type[ast.cmpop],
    a: Abstract,
    b: Abstract,
    equal_fields: Callable[[Abstract, Abstract], Abstract],
) -> Abstract:
    """`a OP b` where one of them is an object or a record; `equal_fields` compares those of two of one class."""
    name, reflected = ORDERS[kind]
    found = operator_method(scope, node, name, a, b, reflected)
    if found is not None:
        return found
    if kind is ast.NotEq:
        same = compare_objects(scope, node, ast.Eq, a, b, equal_fields)
        return POISON if isinstance(same, Poison) else _negated(scope, condition(scope, node, same))
    if kind is ast.Eq and (a is b or (isinstance(a, ObjectRef) and isinstance(b, ObjectRef) and a.cell == b.cell)):
        return Constant(True) if not _compares_fields(scope, a) else equal_fields(a, b)
    if kind is ast.Eq and _compares_fields(scope, a) and _compares_fields(scope, b):
        return equal_fields(a, b) if _one_class(a, b) else FALSE
    if kind is ast.Eq and not (isinstance(a, ObjectRef) and isinstance(b, ObjectRef)):
        return FALSE
    if kind is ast.Eq and isinstance(a, ObjectRef) and isinstance(b, ObjectRef):
        same_one = same_object(scope, a, b)
        if same_one is not None:
            return Constant(same_one)
    return scope.error(node, f"{describe(a)} and {describe(b)} can't be compared")


def _negated(scope: FunctionScope, flag: Constant | Num) -> Abstract:
    if isinstance(flag, Constant):
        return Constant(not flag.value)
    return Num(scope.emit("not", materialise(scope, flag, BOOL)))


def _one_class(a: Abstract, b: Abstract) -> bool:
    """Whether fields of two are compared: dataclasses want one class, named tuples are tuples."""
    left, right = class_of(a), class_of(b)
    return left is right or (issubclass(left, tuple) and issubclass(right, tuple))


def _compares_fields(scope: FunctionScope, value: Abstract) -> bool:
    """Whether equality of a value is that of its fields: named tuples, and what `dataclass` writes."""
    if not isinstance(value, (ObjectRef, Record)):
        return False
    if issubclass(value.cls, tuple):
        return True
    function = special_method(scope, value, "__eq__")
    return function is not None and dataclasses.is_dataclass(value.cls)


def field_values(scope: FunctionScope, node: ast.AST, value: Abstract) -> tuple[Abstract, ...]:
    """The fields that equality compares."""
    if isinstance(value, Record) and issubclass(value.cls, tuple):
        return tuple(item for _, item in value.fields)
    compared = [field.name for field in dataclasses.fields(class_of(value)) if field.compare]
    if isinstance(value, Record):
        return tuple(item for name, item in value.fields if name in compared)
    return tuple(object_attribute(scope, node, value, name) for name in compared)


def contained(scope: FunctionScope, node: ast.AST, kind: type[ast.cmpop], item: Abstract, owner: ObjectRef) -> Abstract:
    """`item in owner`, by `__contains__`."""
    found = scope.special(node, owner, "__contains__", item)
    if found is None or is_not_implemented(found):
        return scope.error(node, f"`in` of {describe(owner)} is not supported", "give its class a `__contains__`")
    flag = condition(scope, node, found)
    return flag if kind is ast.In else _negated(scope, flag)


__all__ = ["compare_objects", "contained", "field_values", "same_object"]
