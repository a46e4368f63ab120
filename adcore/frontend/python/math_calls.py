"""Calls of `math` and NumPy functions on numbers."""

from __future__ import annotations

import ast
import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from adcore.frontend.numpy.elements import load
from adcore.frontend.numpy.elementwise import COMPARISONS, apply, cast, operand, where
from adcore.frontend.python.function_table import (
    ARITY,
    MATH,
    NUMPY,
    NUMPY_ANY,
    NUMPY_FORMULAS,
    NUMPY_LOGIC,
    NUMPY_OPERATORS,
    ROUNDING,
    MathFunction,
)
from adcore.frontend.session import Frame
from adcore.frontend.values.abstract import NUMPY as NUMPYS
from adcore.frontend.values.abstract import POISON, Abstract, Array, Const, Num, Poison, is_array, is_scalar
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numbers import kind_of, materialise, scalar_type
from adcore.frontend.values.scalars import (
    binary,
    compare,
    folded,
    one_type,
    promoted,
    python_message,
    to_float,
    to_int,
    truth,
)
from adcore.frontend.values.weak_types import check_numpy, flag
from adcore.ir.core import Value
from adcore.ir.types import BOOL, F32, F64, I64, SCALARS


def scalar(frame: Frame, value: Abstract) -> Abstract:
    """A 0-d array read as the number that it holds."""
    return load(frame, value, ()) if isinstance(value, Array) and value.rank == 0 else value


def scalar_arguments(frame: Frame, node: ast.AST, name: str, arguments: list[Abstract]) -> list[Abstract] | None:
    """The arguments as numbers (0-d arrays loaded); reports what is none."""
    found = [scalar(frame, a) for a in arguments]
    for value in found:
        if isinstance(value, Poison):
            return None
        if isinstance(value, Array) or is_array(value):
            help = f"call {name} on elements, in a loop" + ("" if name[:3] == "np." else "; np.* functions take arrays")
            frame.error(node, f"{name} is called on an array", help)
            return None
        if not is_scalar(value):
            frame.error(node, f"{name} does not take {describe(value)}")
            return None
    return found


def call_math(frame: Frame, node: ast.Call, function: Callable[..., Any], arguments: list[Abstract]) -> Abstract:
    """A function of the `math` module."""
    name = f"math.{function.__name__}"
    values = scalar_arguments(frame, node, name, arguments)
    if values is None:
        return POISON
    if all(isinstance(v, Const) for v in values):
        return folded(frame, node, function, *values)
    special = {math.pow: _pow, math.fmod: _fmod, math.isnan: _isnan, math.isinf: _isinf, math.isfinite: _isfinite,
               math.radians: _radians, math.degrees: _degrees}.get(function)  # fmt: skip
    if function in ROUNDING:
        return _rounded(frame, node, function, values[0]) if len(values) == 1 else _arity(frame, node, name)
    floats = [materialise(frame, v, F64) for v in values]
    if special is not None:
        return special(frame, node, floats) if len(floats) == _operands(function) else _arity(frame, node, name)
    if function is math.log and len(floats) == 2:
        logs = [_checked(frame, MATH[math.log], math.log, [x]) for x in floats]
        frame.check(frame.emit("ne", logs[1], frame.const(0.0)), *python_message(lambda: 1.0 / 0.0))
        return Num(frame.emit("div", *logs))
    if function is math.hypot and len(floats) in (1, 3, 4):
        return _long_hypot(frame, floats)
    entry = MATH[function]
    if len(floats) != ARITY.get(entry.op, 1):
        return _arity(frame, node, name)
    return Num(_checked(frame, entry, function, floats))


def _operands(function: Callable[..., Any]) -> int:
    return 2 if function in (math.pow, math.fmod) else 1


def _arity(frame: Frame, node: ast.Call, name: str) -> Abstract:
    return frame.error(node, f"{name} is called with a number of arguments that it does not take")


def _checked(frame: Frame, entry: MathFunction, function: Callable[..., Any], operands: list[Value]) -> Value:
    if entry.outside is not None:
        assert entry.outside_example is not None
        outside = entry.outside(frame, operands[0])
        frame.check(frame.emit("not", outside), *python_message(function, entry.outside_example))
    result = frame.emit(entry.op, *operands)
    if entry.overflow_example is not None:
        _check_overflow(frame, result, operands, *python_message(function, *entry.overflow_example))
    return result


def _check_overflow(frame: Frame, result: Value, operands: list[Value], error: str, message: str) -> None:
    """Raise if the result is infinite although no operand is."""
    infinite = frame.const(math.inf)
    ok = frame.emit("ne", frame.emit("abs", result), infinite)
    for value in operands:
        ok = frame.emit("or", ok, frame.emit("eq", frame.emit("abs", value), infinite))
    frame.check(ok, error, message)


def _rounded(frame: Frame, node: ast.Call, function: Callable[..., Any], value: Abstract) -> Abstract:
    assert isinstance(value, Num)
    if function is math.trunc and not _truncates(frame, node, value):
        return POISON
    if value.type == I64 and function is not math.trunc and not value.kind.python:
        # NumPy's integers have no `__floor__`: Python takes them for floats.
        through = frame.emit("cast", frame.emit("cast", value.value, type="f64"), type="i64")
        return Num(frame.emit("select", flag(frame, value.kind), value.value, through) if value.kind.mixed else through)
    if value.type.kind != "f":
        return to_int(frame, node, Num(value.value))
    op = ROUNDING[function]
    x = value.value
    return Num(frame.emit("cast", x if op == "trunc" else frame.emit(op, x), type="i64"))


def _truncates(frame: Frame, node: ast.Call, value: Num) -> bool:
    """Whether `math.trunc` goes on: of NumPy's numbers float64 alone says how it is truncated."""
    sample = {BOOL: np.True_, I64: np.int64(1), F32: np.float32(1.0), F64: np.float64(1.0)}[value.type]
    if value.kind.python or hasattr(sample, "__trunc__"):
        return True
    if value.kind.numpy:
        frame.error(node, f"math.trunc does not take {describe(value)}", "write int(...)")
        return False
    check_numpy(frame, value.kind, *python_message(math.trunc, sample))
    return True


def _pow(frame: Frame, node: ast.Call, operands: list[Value]) -> Abstract:
    """math.pow: like `**`, but what is no real number is a ValueError."""
    x, y = operands
    zero = frame.const(0.0)
    pole = frame.emit("and", frame.emit("eq", x, zero), frame.emit("lt", y, zero))
    if sys.version_info >= (3, 11):
        # Since then zero to minus infinity is infinity.
        pole = frame.emit("and", pole, frame.emit("lt", frame.emit("abs", y), frame.const(math.inf)))
    negative = frame.emit("and", frame.emit("lt", x, zero), frame.emit("gt", x, frame.const(-math.inf)))
    fraction = frame.emit("lt", frame.emit("floor", y), y)
    bad = frame.emit("or", pole, frame.emit("and", negative, fraction))
    frame.check(frame.emit("not", bad), *python_message(math.pow, -1.0, 0.5))
    result = frame.emit("pow", x, y)
    _check_overflow(frame, result, operands, *python_message(math.pow, 10.0, 1e3))
    return Num(result)


def _fmod(frame: Frame, node: ast.Call, operands: list[Value]) -> Abstract:
    x, y = operands
    infinite = frame.emit("eq", frame.emit("abs", x), frame.const(math.inf))
    known = frame.emit("eq", y, y)
    bad = frame.emit("or", frame.emit("and", infinite, known), frame.emit("eq", y, frame.const(0.0)))
    # NaN in x passes, even with y = 0.
    bad = frame.emit("and", bad, frame.emit("eq", x, x))
    frame.check(frame.emit("not", bad), *python_message(math.fmod, 1.0, 0.0))
    return Num(frame.emit("fmod", x, y))


def _isnan(frame: Frame, node: ast.Call, operands: list[Value]) -> Abstract:
    return Num(frame.emit("ne", operands[0], operands[0]))


def _isinf(frame: Frame, node: ast.Call, operands: list[Value]) -> Abstract:
    return Num(frame.emit("eq", frame.emit("abs", operands[0]), frame.const(math.inf)))


def _isfinite(frame: Frame, node: ast.Call, operands: list[Value]) -> Abstract:
    return Num(frame.emit("lt", frame.emit("abs", operands[0]), frame.const(math.inf)))


def _radians(frame: Frame, node: ast.Call, operands: list[Value]) -> Abstract:
    return Num(frame.emit("mul", operands[0], frame.const(math.pi / 180.0)))


def _degrees(frame: Frame, node: ast.Call, operands: list[Value]) -> Abstract:
    return Num(frame.emit("mul", operands[0], frame.const(180.0 / math.pi)))


def _long_hypot(frame: Frame, operands: list[Value]) -> Abstract:
    result = frame.emit("abs", operands[0])
    for value in operands[1:]:
        result = frame.emit("hypot", result, value)
    return Num(result)


def call_numpy(frame: Frame, node: ast.Call, function: Callable[..., Any], arguments: list[Abstract]) -> Abstract:
    """A NumPy function of numbers; the result is a NumPy scalar."""
    name = f"np.{function.__name__}"
    arguments = [scalar(frame, a) for a in arguments]
    if any(map(is_array, arguments)):
        assert isinstance(function, np.ufunc)
        if len(arguments) != function.nin:
            return _arity(frame, node, name)
        return apply(frame, node, function, arguments, lambda v: call_numpy(frame, node, function, v))
    values = scalar_arguments(frame, node, name, arguments)
    if values is None:
        return POISON
    if all(isinstance(v, Const) for v in values):
        return folded(frame, node, function, *values)
    if function in NUMPY_OPERATORS:
        if len(values) != 2:
            return _arity(frame, node, name)
        one_type(frame, *values)
        type_ = F32 if promoted(*values)[0] == F32 else None
        first = Num(materialise(frame, values[0], type_), NUMPYS)
        return binary(frame, node, getattr(ast, NUMPY_OPERATORS[function]), first, values[1])
    op = NUMPY.get(function) or NUMPY_ANY[function]
    if len(values) != ARITY.get(op, 1):
        return _arity(frame, node, name)
    one_type(frame, *values)
    type_ = scalar_type(values[0]) if len(values) == 1 else promoted(values[0], values[1])[0]
    if function in NUMPY and type_.kind != "f":
        type_ = F64
    if type_ == BOOL or (op == "sign" and type_ == I64):
        return frame.error(node, f"{name} of {type_.name} is not supported", "convert the argument to float first")
    return Num(frame.emit(op, *(materialise(frame, v, type_) for v in values)), NUMPYS)


def call_formula(frame: Frame, node: ast.Call, function: Callable[..., Any], arguments: list[Abstract]) -> Abstract:
    """NumPy functions of numbers that have no op of their own."""
    name = f"np.{function.__name__}"
    arguments = [scalar(frame, a) for a in arguments]
    if any(map(is_array, arguments)):
        return _array_formula(frame, node, function, arguments)
    values = scalar_arguments(frame, node, name, arguments)
    if values is None:
        return POISON
    if len(values) != NUMPY_FORMULAS[function]:
        return _arity(frame, node, name)
    if all(isinstance(v, Const) for v in values):
        return folded(frame, node, function, *values)
    one_type(frame, *(values[1:] if function is np.where else values[:1]))
    if function is np.square:
        return binary(frame, node, ast.Mult, *[_strong(frame, values[0])] * 2)
    if function is np.where:
        return _where(frame, node, values)
    if function is np.clip:
        return call_numpy(frame, node, np.minimum, [call_numpy(frame, node, np.maximum, values[:2]), values[2]])
    if function is np.positive:
        return _strong(frame, values[0])
    if function is np.round:
        return values[0] if scalar_type(values[0]).kind != "f" else call_numpy(frame, node, np.rint, values)
    if function is np.reciprocal:
        return _reciprocal(frame, node, values[0])
    factor = math.pi / 180.0 if function is np.deg2rad else 180.0 / math.pi
    return binary(frame, node, ast.Mult, _strong(frame, to_float_kind(frame, values[0])), Const(factor))


def _array_formula(frame: Frame, node: ast.Call, function: Any, values: list[Abstract]) -> Abstract:
    """The same of arrays."""
    if len(values) != NUMPY_FORMULAS[function]:
        return _arity(frame, node, f"np.{function.__name__}")
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
    return binary(frame, node, ast.Div, Const(1.0), _strong(frame, value))


def call_logic(frame: Frame, node: ast.Call, function: np.ufunc, arguments: list[Abstract]) -> Abstract:
    """Comparisons and logical functions of NumPy."""
    name = f"np.{function.__name__}"
    arguments = [scalar(frame, a) for a in arguments]
    if len(arguments) != NUMPY_LOGIC[function]:
        return _arity(frame, node, name)
    if any(map(is_array, arguments)):
        return apply(frame, node, function, arguments, lambda v: call_logic(frame, node, function, v))
    values = scalar_arguments(frame, node, name, arguments)
    if values is None:
        return POISON
    if all(isinstance(v, Const) for v in values):
        return folded(frame, node, function, *values)
    if function in COMPARED:
        return compare(frame, node, COMPARED[function], _strong(frame, values[0]), values[1])
    truths = [materialise(frame, truth(frame, v), BOOL) for v in values]
    op = {np.logical_and: "and", np.logical_or: "or", np.logical_xor: "ne", np.logical_not: "not"}[function]
    return Num(frame.emit(op, *truths), NUMPYS)


COMPARED = {function: kind for kind, function in COMPARISONS.items()}


def to_float_kind(frame: Frame, value: Abstract) -> Abstract:
    """Floats as they are, everything else as float64."""
    return value if scalar_type(value).kind == "f" else Num(materialise(frame, value, F64), kind_of(value))


def _where(frame: Frame, node: ast.Call, values: list[Abstract]) -> Abstract:
    """np.where of numbers: both choices are computed, as NumPy does."""
    condition = materialise(frame, truth(frame, values[0]), BOOL)
    type_, _ = promoted(values[1], values[2])
    x, y = (materialise(frame, v, type_) for v in values[1:])
    return Num(frame.emit("select", condition, x, y), NUMPYS)


def _strong(frame: Frame, value: Abstract) -> Abstract:
    return Num(materialise(frame, value), NUMPYS)


CLASSIFY: dict[Callable[..., Any], Callable[[Frame, ast.Call, list[Value]], Abstract]] = {
    np.isnan: _isnan, np.isinf: _isinf, np.isfinite: _isfinite,
}  # fmt: skip

SCALAR_TYPES: dict[Any, str] = {np.float64: "f64", np.float32: "f32", np.int64: "i64", np.bool_: "bool"}


def classify(frame: Frame, node: ast.Call, function: Callable[..., Any], arguments: list[Abstract]) -> Abstract:
    """np.isnan and the like."""
    arguments = [scalar(frame, a) for a in arguments]
    if any(map(is_array, arguments)):
        return apply(frame, node, function, arguments, lambda v: classify(frame, node, function, v))  # type: ignore[arg-type]
    values = scalar_arguments(frame, node, f"np.{function.__name__}", arguments)
    if values is None:
        return POISON
    if all(isinstance(v, Const) for v in values):
        return folded(frame, node, function, *values)
    type_ = F32 if scalar_type(values[0]) == F32 else F64
    if type_ == F32:
        values = [to_float(frame, node, values[0])]
    result = CLASSIFY[function](frame, node, [materialise(frame, values[0], F64)])
    assert isinstance(result, Num)
    return Num(result.value, NUMPYS)


def convert(frame: Frame, node: ast.Call, function: Any, arguments: list[Abstract]) -> Abstract:
    """np.float64(x) and the like."""
    if len(arguments) == 1 and is_array(arguments[0]):
        element = SCALARS[SCALAR_TYPES[function]]
        return cast(frame, arguments[0], element) or POISON
    values = scalar_arguments(frame, node, f"np.{function.__name__}", arguments)
    if values is None or len(values) != 1:
        return POISON if values is None else _arity(frame, node, f"np.{function.__name__}")
    if isinstance(values[0], Const):
        return folded(frame, node, function, values[0])
    return Num(frame.emit("cast", materialise(frame, values[0]), type=SCALAR_TYPES[function]), NUMPYS)
