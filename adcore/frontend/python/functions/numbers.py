"""Builtins that take numbers: conversions, rounding, `isinstance`."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np

from adcore.frontend.numpy.elementwise import absolute
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
    Num,
    ObjectRef,
    OutsideDict,
    Poison,
    Range,
    Record,
    Uniform,
    is_array,
    is_scalar,
)
from adcore.frontend.values.containers.dicts import keys_of
from adcore.frontend.values.containers.sequences import is_sequence, sequence_length
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.narrow import narrow_unary
from adcore.frontend.values.numeric.numbers import materialise, scalar_type, weak_type_of
from adcore.frontend.values.numeric.scalars import binary, compare, folded, refused_bool, to_float, to_int, truth
from adcore.frontend.values.numeric.weak_types import flag
from adcore.ir.types import BOOL, F32, I64, NUMPY_NAMES


def is_bool(value: Abstract) -> bool:
    return isinstance(value, Num) and value.type == BOOL


@builtin(abs, samples=("a", "-x"), about="magnitude", lazy=True)
def _abs(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    (value,) = args
    if is_array(value):
        return absolute(scope, node, value)
    if not is_scalar(value):
        return not_a_number(scope, node, value)
    if isinstance(value, Constant):
        return folded(scope, node, abs, value)
    type_ = scalar_type(value)
    if isinstance(value, Num) and value.narrow is not None:
        return narrow_unary(scope, node, "abs", "abs", value)
    if (refused := refused_bool(scope, node, "abs of", value)) is not None:
        return refused
    return Num(scope.emit("abs", materialise(scope, value, I64 if type_ == BOOL else type_)), weak_type_of(value))


def not_a_number(scope: FunctionScope, node: ast.Call, value: Abstract) -> Abstract:
    if isinstance(value, Poison):
        return value
    return scope.error(node, f"{ast.unparse(node.func)} does not take {describe(value)}")


@builtin(float, 0, 1, samples=("a", "k"), about="as a float")
def _float(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    if not args:
        return Constant(0.0)
    if isinstance(args[0], Constant) and isinstance(args[0].value, str):
        return folded(scope, node, float, args[0])
    return to_float(scope, node, args[0]) if is_scalar(args[0]) else _one_element(scope, node, args[0], to_float)


@builtin(int, 0, 1, samples=("a", "10.0 * a"), about="as an int, towards 0")
def _int(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    if not args:
        return Constant(0)
    return to_int(scope, node, args[0]) if is_scalar(args[0]) else _one_element(scope, node, args[0], to_int)


def _one_element(scope: FunctionScope, node: ast.Call, value: Abstract, rule: Any) -> Abstract:
    if isinstance(value, ArrayRef):
        return scope.error(node, "only 0-d arrays can be converted to a number", "index the element: x[0]")
    return not_a_number(scope, node, value)


@builtin(bool, 0, 1, samples=("a",), about="whether it is true")
def _bool(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    if not args:
        return Constant(False)
    value = args[0]
    if is_scalar(value):
        flag = truth(scope, value)
        return Num(materialise(scope, flag)) if isinstance(flag, Num) else flag
    if is_sequence(value):
        return compare(scope, node, ast.NotEq, sequence_length(scope, value), Constant(0))
    if isinstance(value, Constant):
        return Constant(bool(value.value))
    if isinstance(value, (DictRef, OutsideDict)):
        return Constant(bool(keys_of(scope, value)))
    return not_a_number(scope, node, value)


@builtin(isinstance, 2, 2, samples=("a, float", "x, np.ndarray"), about="whether it is of one of these classes")
def _isinstance(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    """Known while compiling: types are part of what a program is compiled for."""
    value, classes = args
    wanted = [c.value for c in classes.items if isinstance(c, Constant)] if isinstance(classes, Items) else []
    if isinstance(classes, Constant):
        wanted = [classes.value]
    if not wanted or not all(isinstance(c, type) for c in wanted):
        return scope.error(node, "isinstance needs classes that are known while compiling")
    own: Any
    if isinstance(value, Constant):
        return Constant(isinstance(value.value, tuple(wanted)))
    if isinstance(value, Num):
        return _isinstance_of_number(scope, value, tuple(wanted))
    elif isinstance(value, ArrayRef):
        own = list if value.literal is not None else np.ndarray
    elif isinstance(value, (Record, ObjectRef)):
        own = value.cls
    elif isinstance(value, Uniform):
        own = list if value.kind == "list" else tuple
    else:
        own = {
            Items: tuple,
            ListRef: list,
            DictRef: dict,
            OutsideDict: dict,
            Range: range,
            Closure: type(lambda: None),
        }.get(type(value))
    if own is None:
        return scope.error(node, f"isinstance of {describe(value)} is not supported")
    return Constant(issubclass(own, tuple(wanted)))


def _isinstance_of_number(scope: FunctionScope, value: Num, classes: tuple[type, ...]) -> Abstract:
    """Told by a flag where it depends on whether the number is Python's."""
    own: tuple[type, type] = {"f": (float, np.float64), "i": (int, np.int64), "b": (bool, np.bool_)}[value.type.kind]
    if value.narrow is not None:
        own = own[0], getattr(np, NUMPY_NAMES[value.narrow.name])
    python, numpy = (issubclass(c, classes) for c in (own[0], np.float32 if value.type == F32 else own[1]))
    if value.weak.mixed and python != numpy:
        weak = flag(scope, value.weak)
        return Num(weak if python else scope.emit("not", weak))
    return Constant(numpy if value.weak.never else python)


@builtin(divmod, 2, 2, samples=("a, 0.3", "7, k"), about="quotient and remainder")
def _divmod(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    return Items((binary(scope, node, ast.FloorDiv, *args), binary(scope, node, ast.Mod, *args)))


@builtin(pow, 2, 3, samples=("a, 2", "a, 0.5"), about="`x ** y`")
def _pow(scope: FunctionScope, node: ast.Call, args: list[Abstract], named: dict[str, Abstract]) -> Abstract:
    if len(args) == 3:
        return scope.error(node, "pow with a modulus is not supported", "write (x ** n) % m")
    return binary(scope, node, ast.Pow, args[0], args[1])


# Registered for its refusal, which says more than that of an unknown function.
