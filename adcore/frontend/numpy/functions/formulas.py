"""NumPy's functions of numbers, and of arrays element by element, that are short formulas of ops."""

from __future__ import annotations

import ast
import math
from typing import Any

import numpy as np

from adcore.frontend.numpy.elementwise import apply, where
from adcore.frontend.numpy.functions.ufuncs import call_numpy
from adcore.frontend.registry import number_function, wrong_number
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import POISON, STRONG, Abstract, Constant, Num
from adcore.frontend.values.numeric.number_arguments import by_elements, scalar, scalar_arguments, strong
from adcore.frontend.values.numeric.numbers import materialise, scalar_type, weak_type_of
from adcore.frontend.values.numeric.scalars import binary, folded, one_type, promoted, truth
from adcore.ir.types import BOOL, F64

FORMULAS: dict[Any, tuple[int, str, tuple[str, ...]]] = {
    np.square: (1, "`x * x`", ("x", "a")),
    np.deg2rad: (1, "degrees as radians", ("x", "a")),
    np.rad2deg: (1, "radians as degrees", ("x", "a")),
    np.radians: (1, "degrees as radians", ("x", "a")),
    np.degrees: (1, "radians as degrees", ("x", "a")),
    np.clip: (
        3,
        "inside two bounds, of which one may be None for arrays",
        ("x, 0.3, 0.7", "x, None, 0.7", "a, 0.1, 0.2"),
    ),
    np.where: (3, "one of two values by a condition; both are computed", ("m, x, y", "x > 0.3, 1.0, a")),
    np.positive: (1, "`+x`", ("x",)),
    np.reciprocal: (1, "`1 / x` of floats", ("x",)),
}
"""How many numbers each takes, what it gives, samples."""


def call_formula(scope: FunctionScope, node: ast.Call, function: Any, arguments: list[Abstract]) -> Abstract:
    """NumPy functions of numbers that have no op of their own."""
    name = f"np.{function.__name__}"
    arguments = [scalar(scope, a) for a in arguments]
    if by_elements(arguments):
        return _array_formula(scope, node, function, arguments)
    values = scalar_arguments(scope, node, name, arguments)
    if values is None:
        return POISON
    if len(values) != FORMULAS[function][0]:
        return wrong_number(scope, node, name)
    if all(isinstance(v, Constant) for v in values):
        return folded(scope, node, function, *values)
    one_type(scope, *(values[1:] if function is np.where else values[:1]))
    if function is np.square:
        return binary(scope, node, ast.Mult, *[strong(scope, values[0])] * 2)
    if function is np.where:
        return _where(scope, node, values)
    if function is np.clip:
        return call_numpy(scope, node, np.minimum, [call_numpy(scope, node, np.maximum, values[:2]), values[2]])
    if function is np.positive:
        return strong(scope, values[0])
    if function is np.reciprocal:
        return _reciprocal(scope, node, values[0])
    factor = math.pi / 180.0 if function in (np.deg2rad, np.radians) else 180.0 / math.pi
    return binary(scope, node, ast.Mult, strong(scope, to_float_kind(scope, values[0])), Constant(factor))


def _array_formula(scope: FunctionScope, node: ast.Call, function: Any, values: list[Abstract]) -> Abstract:
    """The same of arrays."""
    if len(values) != FORMULAS[function][0]:
        return wrong_number(scope, node, f"np.{function.__name__}")
    if function is np.where:
        return where(scope, node, values)
    if function is np.clip:
        for bound, limit in ((np.maximum, values[1]), (np.minimum, values[2])):
            if not (isinstance(limit, Constant) and limit.value is None):
                values = [call_numpy(scope, node, bound, [values[0], limit]), *values[1:]]
        return values[0]
    return apply(scope, node, function, values, lambda v: call_formula(scope, node, function, v))


def _reciprocal(scope: FunctionScope, node: ast.Call, value: Abstract) -> Abstract:
    if scalar_type(value).kind != "f":
        return scope.error(node, "np.reciprocal of integers is not supported", "write 1.0 / x")
    return binary(scope, node, ast.Div, Constant(1.0), strong(scope, value))


def to_float_kind(scope: FunctionScope, value: Abstract) -> Abstract:
    """Floats as they are, everything else as float64."""
    return value if scalar_type(value).kind == "f" else Num(materialise(scope, value, F64), weak_type_of(value))


def _where(scope: FunctionScope, node: ast.Call, values: list[Abstract]) -> Abstract:
    """np.where of numbers: both choices are computed, as NumPy does."""
    condition = materialise(scope, truth(scope, values[0]), BOOL)
    type_, _ = promoted(values[1], values[2])
    x, y = (materialise(scope, v, type_) for v in values[1:])
    return Num(scope.emit("select", condition, x, y), STRONG)


for _function, (_numbers, _about, _samples) in FORMULAS.items():
    number_function(_function, call_formula, _numbers, _about, _samples)
