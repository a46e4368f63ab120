"""What a program asks about its values: `hasattr`, `getattr`, `callable`, `type`. Known while compiling."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np

from adcore.captures import unwrap
from adcore.frontend.python.functions.builtin import builtin
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import (
    Abstract,
    ArrayRef,
    Closure,
    Constant,
    DictRef,
    Items,
    ListRef,
    Method,
    Num,
    OutsideDict,
    Range,
    Record,
    Uniform,
    is_array,
)
from adcore.frontend.values.describe import describe
from adcore.ir.types import F32

CONTAINERS: dict[type[Any], type] = {
    Items: tuple, ListRef: list, DictRef: dict, OutsideDict: dict, Range: range, Closure: type(unwrap)
}  # fmt: skip


def class_of(value: Abstract) -> type | None:
    """The class that a value has in Python, where it is known."""
    if isinstance(value, Constant):
        return type(value.value)
    if isinstance(value, Num):
        if value.weak.mixed:
            return None
        own = {"f": (float, np.float64), "i": (int, np.int64), "b": (bool, np.bool_)}.get(value.type.kind)
        if own is None:
            return None
        return own[0] if value.weak.always else np.float32 if value.type == F32 else own[1]
    if isinstance(value, ArrayRef):
        return list if value.literal is not None else np.ndarray
    if is_array(value):
        return np.ndarray
    if isinstance(value, Record):
        return value.cls
    if isinstance(value, Uniform):
        return list if value.kind == "list" else tuple
    return CONTAINERS.get(type(value))


@builtin(type, 1, 1, samples=(), about="", lazy=True)
def _type(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    found = class_of(args[0])
    if found is None:
        return scope.error(node, f"the type of {describe(args[0])} is not known while compiling", "use isinstance")
    return Constant(found)


@builtin(callable, samples=(), about="")
def _callable(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    (value,) = args
    if isinstance(value, Constant):
        return Constant(callable(value.value))
    return Constant(isinstance(value, (Closure, Method)))


@builtin(hasattr, 2, 2, samples=('x, "shape"', 'a, "shape"'), about="whether it has this attribute", lazy=True)
def _hasattr(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    value, name = args
    if not isinstance(name, Constant) or not isinstance(name.value, str):
        return scope.error(node, "the name of an attribute must be known while compiling")
    return _has(scope, node, value, name.value)


def _has(scope: FunctionScope, node: ast.Call, value: Abstract, name: str) -> Abstract:
    if isinstance(value, Constant):
        return Constant(hasattr(value.value, name))
    if isinstance(value, Record) and any(field == name for field, _ in value.fields):
        return Constant(True)
    found = class_of(value)
    if found is None:
        return scope.error(node, f"hasattr of {describe(value)} is not known while compiling", "use isinstance")
    return Constant(hasattr(found, name))


@builtin(getattr, 2, 3, samples=('x, "size"', 'a, "shape", 0'), about="an attribute by its name", lazy=True)
def _getattr(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    from adcore.frontend.python.attributes import attribute

    value, name, *default = args
    if not isinstance(name, Constant) or not isinstance(name.value, str):
        return scope.error(node, "the name of an attribute must be known while compiling")
    if default:
        has = _has(scope, node, value, name.value)
        if not isinstance(has, Constant) or not has.value:
            return default[0] if isinstance(has, Constant) else has
    read = ast.copy_location(ast.Attribute(node.args[0], name.value, ast.Load()), node)
    return attribute(scope, read, value, name.value)
