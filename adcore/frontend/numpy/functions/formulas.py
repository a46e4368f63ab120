"""NumPy's functions of numbers, and of arrays element by element, that are short formulas of ops."""

from __future__ import annotations

import ast
import math
from typing import Any

import numpy as np

from adcore.frontend.numpy.elementwise import apply, operand, where
from adcore.frontend.numpy.functions.ufuncs import call_numpy
from adcore.frontend.registry import number_function, wrong_number
from adcore.frontend.session import Frame
from adcore.frontend.values.abstract import NUMPY, POISON, Abstract, Const, Num, is_array
from adcore.frontend.values.number_arguments import scalar, scalar_arguments, strong
from adcore.frontend.values.numbers import kind_of, materialise, scalar_type
from adcore.frontend.values.scalars import binary, folded, one_type, promoted, truth
from adcore.ir.types import BOOL, F64

FORMULAS: dict[Any, tuple[int, str, tuple[str, ...]]] = {
    np.square: (1, "`x * x`", ("x", "a")),
    np.deg2rad: (1, "degrees as radians", ("x", "a")),
    np.rad2deg: (1, "radians as degrees", ("x", "a")),
    np.clip: (
        3,
        "inside two bounds, of which one may be None for arrays",
        ("x, 0.3, 0.7", "x, None, 0.7", "a, 0.1, 0.2"),
    ),
    np.where: (3, "one of two values by a condition; both are computed", ("m, x, y", "x > 0.3, 1.0, a")),
    np.positive: (1, "`+x`", ("x",)),
    np.reciprocal: (1, "`1 / x` of floats", ("x",)),
    np.round: (1, "to the nearest whole number, halves to even", ("10.0 * x",)),
}
"""How many numbers each takes, what it gives, samples."""


def call_formula(frame: Frame, node: ast.Call, function: Any, arguments: list[Abstract]) -> Abstract:
    """NumPy functions of numbers that have no op of their own."""
    name = f"np.{function.__name__}"
    arguments = [scalar(frame, a) for a in arguments]
    if any(map(is_array, arguments)):
        return _array_formula(frame, node, function, arguments)
    values = scalar_arguments(frame, node, name, arguments)
    if values is None:
        return POISON
    if len(values) != FORMULAS[function][0]:
        return wrong_number(frame, node, name)
    if all(isinstance(v, Const) for v in values):
        return folded(frame, node, function, *values)
    one_type(frame, *(values[1:] if function is np.where else values[:1]))
    if function is np.square:
        return binary(frame, node, ast.Mult, *[strong(frame, values[0])] * 2)
    if function is np.where:
        return _where(frame, node, values)
    if function is np.clip:
        return call_numpy(frame, node, np.minimum, [call_numpy(frame, node, np.maximum, values[:2]), values[2]])
    if function is np.positive:
        return strong(frame, values[0])
    if function is np.round:
        return values[0] if scalar_type(values[0]).kind != "f" else call_numpy(frame, node, np.rint, values)
    if function is np.reciprocal:
        return _reciprocal(frame, node, values[0])
    factor = math.pi / 180.0 if function is np.deg2rad else 180.0 / math.pi
    return binary(frame, node, ast.Mult, strong(frame, to_float_kind(frame, values[0])), Const(factor))


def _array_formula(frame: Frame, node: ast.Call, function: Any, values: list[Abstract]) -> Abstract:
    """The same of arrays."""
    if len(values) != FORMULAS[function][0]:
        return wrong_number(frame, node, f"np.{function.__name__}")
    if function is np.where:
        return where(frame, node, values)
    if function is np.clip:
        for bound, limit in ((np.maximum, values[1]), (np.minimum, values[2])):
            if not (isinstance(limit, Const) and limit.value is None):
                values = [call_numpy(frame, node, bound, [values[0], limit]), *values[1:]]
        return values[0]
    if function is np.round:
        function = np.rint
        if (part := operand(frame, values[0])) is not None and part.element.kind != "f":
            return values[0]
        return apply(frame, node, np.rint, values, lambda v: call_numpy(frame, node, np.rint, v))
    return apply(frame, node, function, values, lambda v: call_formula(frame, node, function, v))


def _reciprocal(frame: Frame, node: ast.Call, value: Abstract) -> Abstract:
    if scalar_type(value).kind != "f":
        return frame.error(node, "np.reciprocal of integers is not supported", "write 1.0 / x")
    return binary(frame, node, ast.Div, Const(1.0), strong(frame, value))


def to_float_kind(frame: Frame, value: Abstract) -> Abstract:
    """Floats as they are, everything else as float64."""
    return value if scalar_type(value).kind == "f" else Num(materialise(frame, value, F64), kind_of(value))


def _where(frame: Frame, node: ast.Call, values: list[Abstract]) -> Abstract:
    """np.where of numbers: both choices are computed, as NumPy does."""
    condition = materialise(frame, truth(frame, values[0]), BOOL)
    type_, _ = promoted(values[1], values[2])
    x, y = (materialise(frame, v, type_) for v in values[1:])
    return Num(frame.emit("select", condition, x, y), NUMPY)


for _function, (_numbers, _about, _samples) in FORMULAS.items():
    number_function(_function, call_formula, _numbers, _about, _samples)
