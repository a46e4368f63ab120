"""NumPy's functions of numbers, and of arrays element by element: one op each, an operator, or a comparison."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from adcore.frontend.numpy.elementwise import COMPARISONS, apply, cast
from adcore.frontend.registry import number_function, wrong_number
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import POISON, STRONG, Abstract, Constant, Num, is_array
from adcore.frontend.values.numeric.narrow import check_bounds, wrapped
from adcore.frontend.values.numeric.number_arguments import by_elements, scalar, scalar_arguments, strong
from adcore.frontend.values.numeric.numbers import materialise, scalar_type, weak_type_of
from adcore.frontend.values.numeric.scalars import binary, compare, folded, one_type, promoted, to_float, truth
from adcore.frontend.values.numeric.ties import TiedMean
from adcore.ir.core import Value
from adcore.ir.types import BOOL, F32, F64, I64, SCALARS, Scalar

OF_FLOATS: dict[np.ufunc, tuple[str, str]] = {
    np.sqrt: ("sqrt", "square root"),
    np.cbrt: ("cbrt", "cube root"),
    np.exp: ("exp", "e to a power"),
    np.exp2: ("exp2", "2 to a power"),
    np.expm1: ("expm1", "exp(x) - 1, exact near 0"),
    np.log: ("log", "natural logarithm"),
    np.log1p: ("log1p", "log(1 + x), exact near 0"),
    np.log2: ("log2", "logarithm to the base 2"),
    np.log10: ("log10", "logarithm to the base 10"),
    np.sin: ("sin", "sine"),
    np.cos: ("cos", "cosine"),
    np.tan: ("tan", "tangent"),
    np.arcsin: ("asin", "inverse sine"),
    np.arccos: ("acos", "inverse cosine"),
    np.arctan: ("atan", "inverse tangent"),
    np.sinh: ("sinh", "hyperbolic sine"),
    np.cosh: ("cosh", "hyperbolic cosine"),
    np.tanh: ("tanh", "hyperbolic tangent"),
    np.arcsinh: ("asinh", "inverse hyperbolic sine"),
    np.arccosh: ("acosh", "inverse hyperbolic cosine"),
    np.arctanh: ("atanh", "inverse hyperbolic tangent"),
    np.floor: ("floor", "the next whole number below"),
    np.ceil: ("ceil", "the next whole number above"),
    np.trunc: ("trunc", "the next whole number towards 0"),
    np.rint: ("rint", "the nearest whole number, halves to even"),
    np.fabs: ("abs", "magnitude, as a float"),
    np.arctan2: ("atan2", "the angle of a point"),
    np.hypot: ("hypot", "the length of a vector of two"),
    np.copysign: ("copysign", "a magnitude with the sign of another number"),
    np.fmod: ("fmod", "remainder with the sign of the first number"),
    np.logaddexp: ("logaddexp", "log(exp(x) + exp(y)), without overflow"),
}
"""NumPy functions of floats, their ops; integers become float64 first."""

OF_ANY: dict[np.ufunc, tuple[str, str]] = {
    np.absolute: ("abs", "magnitude"),
    np.negative: ("neg", "`-x`"),
    np.minimum: ("minimum", "the smaller of two; NaN wins"),
    np.maximum: ("maximum", "the larger of two; NaN wins"),
    np.add: ("add", "`x + y`"),
    np.subtract: ("sub", "`x - y`"),
    np.multiply: ("mul", "`x * y`"),
    np.sign: ("sign", "-1, 0 or 1"),
}
"""NumPy functions that keep integers integers, their ops."""

TIED = frozenset({np.minimum, np.maximum})
"""Functions whose operands share the derivative where they are equal."""

OPERATORS: dict[np.ufunc, tuple[type[ast.operator], str]] = {
    np.divide: (ast.Div, "`x / y`"),
    np.power: (ast.Pow, "`x ** y`"),
    np.floor_divide: (ast.FloorDiv, "`x // y`"),
    np.remainder: (ast.Mod, "`x % y`"),
}
"""NumPy functions that are an operator on NumPy scalars."""

COMPARED = {function: kind for kind, function in COMPARISONS.items()}

LOGIC: dict[np.ufunc, tuple[str, str]] = {
    np.equal: ("eq", "`x == y`"),
    np.not_equal: ("ne", "`x != y`"),
    np.less: ("lt", "`x < y`"),
    np.less_equal: ("le", "`x <= y`"),
    np.greater: ("gt", "`x > y`"),
    np.greater_equal: ("ge", "`x >= y`"),
    np.logical_and: ("and", "whether both are true"),
    np.logical_or: ("or", "whether one is true"),
    np.logical_xor: ("ne", "whether exactly one is true"),
    np.logical_not: ("not", "whether it is false"),
}
"""NumPy functions that give truths."""

INSIDE: dict[np.ufunc, str] = {np.arccosh: "1.0 + x"}
"""Samples where those of other functions are outside the domain."""


def call_numpy(scope: FunctionScope, node: ast.Call, function: np.ufunc, arguments: list[Abstract]) -> Abstract:
    """A NumPy function of numbers; the result is a NumPy scalar."""
    name = f"np.{function.__name__}"
    arguments = [scalar(scope, a) for a in arguments]
    if by_elements(arguments):
        if len(arguments) != function.nin:
            return wrong_number(scope, node, name)
        return apply(scope, node, function, arguments, lambda v: call_numpy(scope, node, function, v))
    values = scalar_arguments(scope, node, name, arguments)
    if values is None:
        return POISON
    if all(isinstance(v, Constant) for v in values):
        return folded(scope, node, function, *values)
    if function in OPERATORS:
        if len(values) != 2:
            return wrong_number(scope, node, name)
        one_type(scope, *values)
        type_ = F32 if promoted(*values)[0] == F32 else None
        first = Num(materialise(scope, values[0], type_), STRONG)
        return binary(scope, node, OPERATORS[function][0], first, values[1])
    op, _ = OF_FLOATS.get(function) or OF_ANY[function]
    if len(values) != function.nin:
        return wrong_number(scope, node, name)
    one_type(scope, *values)
    type_ = scalar_type(values[0]) if len(values) == 1 else promoted(values[0], values[1])[0]
    if function in OF_FLOATS and type_.kind != "f":
        type_ = F64
    if type_ == BOOL or (op == "sign" and type_ == I64):
        return scope.error(node, f"{name} of {type_.name} is not supported", "convert the argument to float first")
    operands = [materialise(scope, v, type_) for v in values]
    result = scope.emit(op, *operands)
    return Num(TiedMean(scope).shared(result, *operands) if function in TIED else result, STRONG)


def call_logic(scope: FunctionScope, node: ast.Call, function: np.ufunc, arguments: list[Abstract]) -> Abstract:
    """Comparisons and logical functions of NumPy."""
    name = f"np.{function.__name__}"
    arguments = [scalar(scope, a) for a in arguments]
    if len(arguments) != function.nin:
        return wrong_number(scope, node, name)
    if by_elements(arguments):
        return apply(scope, node, function, arguments, lambda v: call_logic(scope, node, function, v))
    values = scalar_arguments(scope, node, name, arguments)
    if values is None:
        return POISON
    if all(isinstance(v, Constant) for v in values):
        return folded(scope, node, function, *values)
    if function in COMPARED:
        return compare(scope, node, COMPARED[function], strong(scope, values[0]), values[1])
    truths = [materialise(scope, truth(scope, v), BOOL) for v in values]
    return Num(scope.emit(LOGIC[function][0], *truths), STRONG)


def is_nan(scope: FunctionScope, x: Value) -> Value:
    return scope.emit("ne", x, x)


def is_infinite(scope: FunctionScope, x: Value) -> Value:
    return scope.emit("eq", scope.emit("abs", x), scope.const(math.inf))


def is_finite(scope: FunctionScope, x: Value) -> Value:
    return scope.emit("lt", scope.emit("abs", x), scope.const(math.inf))


CLASSIFY: dict[np.ufunc, tuple[Callable[[FunctionScope, Value], Value], str]] = {
    np.isnan: (is_nan, "whether it is not a number"),
    np.isinf: (is_infinite, "whether it is infinite"),
    np.isfinite: (is_finite, "whether it is a finite number"),
}

SCALAR_TYPES: dict[Any, tuple[str, str]] = {
    np.float64: ("f64", "as a float64"),
    np.float32: ("f32", "as a float32"),
    np.int64: ("i64", "as an int64"),
    np.bool_: ("bool", "as a bool"),
    np.int8: ("i8", "as an int8"),
    np.int16: ("i16", "as an int16"),
    np.int32: ("i32", "as an int32"),
    np.uint8: ("u8", "as a uint8"),
    np.uint16: ("u16", "as a uint16"),
    np.uint32: ("u32", "as a uint32"),
}


def classify(scope: FunctionScope, node: ast.Call, function: np.ufunc, arguments: list[Abstract]) -> Abstract:
    """np.isnan and the like."""
    arguments = [scalar(scope, a) for a in arguments]
    if by_elements(arguments):
        return apply(scope, node, function, arguments, lambda v: classify(scope, node, function, v))
    values = scalar_arguments(scope, node, f"np.{function.__name__}", arguments)
    if values is None:
        return POISON
    if all(isinstance(v, Constant) for v in values):
        return folded(scope, node, function, *values)
    type_ = F32 if scalar_type(values[0]) == F32 else F64
    if type_ == F32:
        values = [to_float(scope, node, values[0])]
    return Num(CLASSIFY[function][0](scope, materialise(scope, values[0], F64)), STRONG)


def convert(scope: FunctionScope, node: ast.Call, function: Any, arguments: list[Abstract]) -> Abstract:
    """np.float64(x) and the like."""
    if len(arguments) == 1 and is_array(arguments[0]):
        element = SCALARS[SCALAR_TYPES[function][0]]
        return cast(scope, arguments[0], element) or POISON
    values = scalar_arguments(scope, node, f"np.{function.__name__}", arguments)
    if values is None or len(values) != 1:
        return POISON if values is None else wrong_number(scope, node, f"np.{function.__name__}")
    if isinstance(values[0], Constant):
        return folded(scope, node, function, values[0])
    type_ = SCALARS[SCALAR_TYPES[function][0]]
    if type_.kind in "iu" and type_ != I64:
        return _narrowed(scope, values[0], type_)
    return Num(scope.emit("cast", materialise(scope, values[0]), type=type_.name), STRONG)


def _narrowed(scope: FunctionScope, value: Abstract, type_: Scalar) -> Num:
    """A number as one of NumPy's narrow integers: Python's have to fit, NumPy's wrap around."""
    whole = materialise(scope, value, I64)
    if scalar_type(value).kind == "i":
        check_bounds(scope, whole, type_, weak_type_of(value))
    return Num(wrapped(scope, whole, type_), STRONG, type_)


def _register() -> None:
    for table in (OF_FLOATS, OF_ANY, OPERATORS, LOGIC, CLASSIFY):
        apply_to = {id(LOGIC): call_logic, id(CLASSIFY): classify}.get(id(table), call_numpy)
        for function, (_, about) in table.items():
            samples = ("x, y", "x, a") if function.nin == 2 else (INSIDE.get(function, "x"),)
            number_function(function, apply_to, function.nin, about, samples)
    for type_, (_, about) in SCALAR_TYPES.items():
        number_function(type_, convert, 1, about, ("x", "a"))


_register()
