"""Generated from the ops table: native code computes what `evaluate` says, and derivatives are derivatives."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from adcore.ir import BOOL, F32, F64, I64, Builder, Function, Scalar, Value, interpret
from adcore.ir.types import I8, I16, I32, U8, U16, U32, U64
from adcore.lower import lower
from adcore.ops import TABLE, Op
from adcore.ops.rules import adjoint, tangent
from tests.lower.native import Native

SCALAR_OPS = [op for op in TABLE.values() if op.lower is not None and op.name not in ("const", "cast")]
ATTRIBUTES: dict[str, dict[str, Any]] = {"polygamma": {"order": 1}, "round_decimal": {"places": 2}}
SIGNATURES = [(F64,), (F64, F64), (F32,), (F32, F32), (I64,), (I64, I64), (BOOL,), (BOOL, BOOL), (BOOL, F64, F64),
              (BOOL, I64, I64)]  # fmt: skip

FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 1e-300, -1e300, 7.25, 1e18, math.inf, -math.inf, math.nan)
INTEGERS = (0, 1, -1, 2, 3, -7, 10, 63, 64, 100, 2**31, -(2**31), 3037000500, 2**62, 2**63 - 1, -(2**63), -(2**63) + 1)

EXACT = frozenset({"add", "sub", "mul", "div", "neg", "abs", "minimum", "maximum", "floor", "ceil", "trunc", "rint",
                   "sign", "fmod", "copysign", "sqrt", "mod", "round_decimal"})  # fmt: skip
"""Float ops that IEEE 754 (or exact arithmetic) determines to the last bit."""


def accepted() -> Iterator[tuple[Op, tuple[Scalar, ...]]]:
    for op, types in itertools.product(SCALAR_OPS, SIGNATURES):
        try:
            op.type_rule(types, ATTRIBUTES.get(op.name, {}))
        except TypeError:
            continue
        yield op, types


def applied(op: Op, types: tuple[Scalar, ...]) -> Function:
    builder = Builder(TABLE)
    params = [Value(t) for t in types]
    result = builder.emit(op.name, *params, **ATTRIBUTES.get(op.name, {}))
    return Function(op.name, builder.finish(params, [result]))


def values(type_: Scalar) -> tuple[Any, ...]:
    if type_ == F32:
        with np.errstate(over="ignore"):
            return tuple(np.float32(v) for v in FLOATS)
    return FLOATS if type_ == F64 else INTEGERS if type_ == I64 else (False, True)


def outcome(run: Any) -> Any:
    try:
        return run()[0]
    except (ArithmeticError, ValueError) as error:
        return type(error), str(error)


def agrees(op: Op, type_: Scalar, actual: Any, expected: Any, operands: tuple[Any, ...]) -> bool:
    if isinstance(expected, tuple) or isinstance(actual, tuple) or type_.kind != "f":
        return type(actual) is type(expected) and bool(actual == expected)
    if math.isnan(expected) or math.isnan(actual):
        return math.isnan(expected) and math.isnan(actual)
    if op.name in ("minimum", "maximum") and expected == actual == 0:
        return True  # NumPy returns either zero, LLVM orders -0.0 below 0.0
    if op.name in EXACT or expected == 0 or math.isinf(expected):
        return bool(actual == expected) and math.copysign(1, actual) == math.copysign(1, expected)
    rounding = 2.0**-52 if type_ == F64 else 2.0**-23
    # lgamma has zeros that the rounding of its terms moves.
    scale = max(abs(expected), 1.0) if op.name == "lgamma" else abs(expected)
    return bool(abs(actual - expected) <= 8 * rounding * scale)


@pytest.mark.parametrize(
    ("op", "types"), list(accepted()), ids=lambda p: p.name if isinstance(p, Op) else "-".join(map(str, p))
)
def test_native_code_evaluates(op: Op, types: tuple[Scalar, ...]) -> None:
    function = applied(op, types)
    native = Native(function)
    samples = [s for s in op.samples if types[0].kind == "f" and len(s) == len(types)]
    cases = [*samples, *itertools.product(*(values(t) for t in types))]
    result = function.results[0].type
    assert isinstance(result, Scalar)
    wrong = []
    for operands in cases:
        if types[0] == F32:
            operands = tuple(np.float32(v) for v in operands)
        actual = outcome(lambda given=operands: native(*given))
        expected = outcome(lambda given=operands: interpret(function, TABLE, given))
        if not agrees(op, result, actual, expected, operands):
            wrong.append(f"{op.name}{operands}: native {actual!r}, interpreter {expected!r}")
    assert not wrong, f"{len(wrong)} of {len(cases)}:\n" + "\n".join(wrong[:12])
    assert native.artifact.certificate.proven, native.artifact.certificate


SCALARS = (F64, F32, I64, I32, I16, I8, U64, U32, U16, U8, BOOL)


@pytest.mark.parametrize("source", SCALARS, ids=str)
def test_casts(source: Scalar) -> None:
    """Every target at once: one function per source type."""
    builder = Builder(TABLE)
    param = Value(source)
    targets = [t for t in SCALARS if not (source.kind == "f" and t.kind in "iu" and t != I64)]
    results = [builder.emit("cast", param, type=t.name) for t in targets]
    function = Function("cast", builder.finish([param], results))
    native = Native(function)
    fitting = [v for v in INTEGERS if source.kind in "iu" and _fits(v, source)]
    given = {"f": (0.0, -0.0, 1.5, -1.5, 2.0**30, -1e-30, 0.999), "b": (False, True)}.get(source.kind, fitting)
    for value in given:
        value = np.float32(value) if source == F32 else value
        actual, expected = native(value), interpret(function, TABLE, (value,))
        assert repr(actual) == repr(expected), (value, targets)


def _fits(value: int, type_: Scalar) -> bool:
    bits = 8 * type_.bytes
    return -(2 ** (bits - 1)) <= value < 2 ** (bits - 1) if type_.kind == "i" else 0 <= value < 2**bits


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 2.0**63, -(2.0**63), 1e300, 9.2e18])
def test_float_to_integer_casts_that_do_not_fit(value: float) -> None:
    builder = Builder(TABLE)
    param = Value(F64)
    function = Function("cast", builder.finish([param], [builder.emit("cast", param, type="i64")]))
    actual = outcome(lambda: Native(function)(value))
    expected = outcome(lambda: interpret(function, TABLE, (value,)))
    if isinstance(expected, tuple):
        assert actual[0] is expected[0]
    else:
        assert actual == expected


DIFFERENTIABLE = [
    op for op in SCALAR_OPS if op.differentiable and op.name not in ("select", "attach", "sloped", "native")
]


def derivative_function(op: Op, operand_count: int, reverse: bool) -> Function:
    """(operands..., direction or cotangent...) -> (result, derivative...)."""
    builder, attrs = Builder(TABLE), ATTRIBUTES.get(op.name, {})
    params = [Value(F64) for _ in range(operand_count)]
    result = builder.emit(op.name, *params, **attrs)
    if reverse:
        seeds = [Value(F64)]
        terms = adjoint(builder, op, params, result, seeds[0], attrs, [True] * operand_count)
        out = [builder.const(0.0) if t is None else t for t in terms]
    else:
        seeds = [Value(F64) for _ in params]
        out = [tangent(builder, op, params, result, seeds, attrs)]
    return Function(op.name, builder.finish([*params, *seeds], [result, *out]))


@pytest.mark.parametrize("op", DIFFERENTIABLE, ids=lambda op: op.name)
def test_derivatives(op: Op) -> None:
    """The tangent is the slope of `evaluate`; the adjoint is the transpose of the tangent."""
    assert op.samples, "a differentiable op needs samples"
    count = len(op.samples[0])
    forwards = Native(derivative_function(op, count, reverse=False))
    backwards = Native(derivative_function(op, count, reverse=True))
    rng = np.random.default_rng(7)
    primal = applied(op, (F64,) * count)
    for sample in op.samples:
        direction = rng.normal(size=count)
        cotangent = float(rng.normal())
        _, slope = forwards(*sample, *direction)
        _, *gradient = backwards(*sample, cotangent)
        assert np.dot(gradient, direction) == pytest.approx(cotangent * slope, rel=1e-12, abs=1e-14)
        assert slope == pytest.approx(_central(primal, sample, direction), rel=2e-7, abs=1e-8)


def test_an_attached_derivative_is_that_of_the_second_operand() -> None:
    """The value is that of the first, so no difference of `evaluate` says anything."""
    op = TABLE["attach"]
    assert Native(derivative_function(op, 2, reverse=False))(3.0, 4.0, 5.0, 7.0) == (3.0, 7.0)
    assert Native(derivative_function(op, 2, reverse=True))(3.0, 4.0, 5.0) == (3.0, 0.0, 5.0)


def test_given_slopes_are_those_by_each_operand() -> None:
    op = TABLE["sloped"]
    operands = (3.0, 4.0, 0.5, 5.0, -2.0)
    assert Native(derivative_function(op, 5, reverse=False))(*operands, 9.0, 10.0, 9.0, 100.0, 9.0) == (3.0, -195.0)
    assert Native(derivative_function(op, 5, reverse=True))(*operands, 7.0) == (3.0, 0.0, 3.5, 0.0, -14.0, 0.0)


@pytest.mark.parametrize("partial", [math.inf, -math.inf, math.nan, 2.0])
@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_a_strong_product_with_zero_is_zero(partial: float, zero: float) -> None:
    """So are its derivatives in the direction of zero; the one by the factor is the partial itself."""
    op = TABLE["mulz"]
    assert repr(Native(applied(op, (F64, F64)))(partial, zero)) == repr((zero,))
    assert repr(interpret(applied(op, (F64, F64)), TABLE, (partial, zero))) == repr((zero,))
    assert Native(derivative_function(op, 2, reverse=False))(partial, zero, 3.0, 0.0) == (0.0, 0.0)
    assert Native(derivative_function(op, 2, reverse=True))(partial, zero, 0.0) == (0.0, 0.0, 0.0)
    assert repr(Native(derivative_function(op, 2, reverse=True))(partial, zero, 1.0)[2]) == repr(partial)


def _central(function: Function, at: tuple[float, ...], direction: Any) -> float:
    """Richardson-extrapolated central difference along `direction`."""

    def difference(h: float) -> float:
        above, below = (interpret(function, TABLE, [float(a) for a in np.add(at, s * direction)])[0] for s in (h, -h))
        return float(above - below) / (2 * h)

    return (4 * difference(5e-4) - difference(1e-3)) / 3


def test_every_op_with_a_meaning_for_scalars_can_be_lowered() -> None:
    """What has neither a rule nor an expansion is a memory or control op, which the lowering itself knows."""
    native = {"load", "store", "accumulate", "dim", "view", "transpose", "alloc", "item", "count", "index", "check",
              "push", "pop", "message", "pack", "unpack", "for", "while", "if"}  # fmt: skip
    assert {op.name for op in TABLE.values() if op.lower is None and op.expand is None} - native <= {"call", "rule"}


def conversions() -> Iterator[Function]:
    for source, target in itertools.product((BOOL, I64, I32, F32, F64), repeat=2):
        builder, param = Builder(TABLE), Value(source)
        result = builder.emit("cast", param, type=target.name)
        yield Function(f"{source}_{target}", builder.finish([param], [result]))


@pytest.mark.parametrize(
    "function", [*(applied(op, types) for op, types in accepted()), *conversions()], ids=lambda f: f.name
)
def test_what_stops_a_kernel_is_declared(function: Function) -> None:
    """Dead code elimination drops what cannot raise, and loops let go of it: a fault must be one that they know of."""
    (instr,) = [i for i in function.region.body if i.results == function.results]
    assert TABLE[instr.op].can_raise(instr) == bool(lower(function).faults)
    exact = replace(instr, attrs={**instr.attrs, "exact": True})
    assert not TABLE.effects[instr.op].may_raise(exact)
