"""NumPy's functions that take numbers apart or compare them within a tolerance: np.round, np.modf, np.isclose."""

from __future__ import annotations

import ast
import math

import numpy as np

from adcore.frontend.numpy.elementwise import apply, operand
from adcore.frontend.numpy.functions.dtypes import constant
from adcore.frontend.numpy.functions.formulas import call_formula
from adcore.frontend.numpy.functions.ufuncs import call_logic, call_numpy, classify, is_infinite
from adcore.frontend.numpy.materialise import in_memory
from adcore.frontend.numpy.reductions import reduced
from adcore.frontend.registry import BoundArguments, numpy_function
from adcore.frontend.session import FunctionScope
from adcore.frontend.values.abstract import NONE, POISON, STRONG, Abstract, Constant, Items, Num, Poison, is_scalar
from adcore.frontend.values.describe import describe
from adcore.frontend.values.numeric.number_arguments import scalar
from adcore.frontend.values.numeric.numbers import materialise
from adcore.frontend.values.numeric.scalars import truth
from adcore.ir.types import BOOL, NUMPY_NAMES


@numpy_function(
    np.round,
    np.around,
    takes="a decimals",
    samples=("10.0 * x", "x, 2", "100.0 * x, -1", "i"),
    about="to so many decimals, halves to even",
    method="round",
)
def _round(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    value = scalar(scope, found["a"])
    decimals = constant(scope, node, found.get("decimals"), 0, "decimals")
    part = operand(scope, value)
    if decimals is None or part is None:
        return POISON if part is not None else scope.error(node, f"np.round does not take {describe(value)}")
    if part.element.kind != "f":
        return value if decimals >= 0 else scope.error(node, "np.round of integers to tens is not supported")
    return round_floats(scope, node, value, decimals)


def round_floats(scope: FunctionScope, node: ast.Call, value: Abstract, decimals: int) -> Abstract:
    """`np.round` of floats, also Python's `round` of NumPy's."""
    if not decimals:
        return call_numpy(scope, node, np.rint, [value])
    # As NumPy does it, in two roundings.
    power = Constant(10.0 ** abs(decimals))
    there, back = (np.multiply, np.divide) if decimals > 0 else (np.divide, np.multiply)
    scaled = call_numpy(scope, node, there, [value, power])
    return call_numpy(scope, node, back, [call_numpy(scope, node, np.rint, [scaled]), power])


@numpy_function(np.modf, takes="x", samples=("10.0 * x", "-a"), about="fraction and whole part, both with the sign")
def _modf(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    value = in_memory(scope, node, scalar(scope, found["x"]))
    if operand(scope, value) is None:
        return scope.error(node, f"np.modf does not take {describe(value)}")
    whole = call_numpy(scope, node, np.trunc, [value])

    def fraction(v: list[Abstract]) -> Abstract:
        x = materialise(scope, v[0])
        left = scope.emit("sub", x, scope.emit("trunc", x))
        zero = materialise(scope, Constant(0.0), left.type)  # type: ignore[arg-type]
        # Of an infinity nothing is left.
        left = scope.emit("select", is_infinite(scope, x), zero, left)
        return Num(scope.emit("copysign", left, x), STRONG)

    rest = apply(scope, node, np.trunc, [value], fraction)
    if is_scalar(value) and not isinstance(rest, Poison):
        rest = rest.at([])  # type: ignore[union-attr]
    return Items((in_memory(scope, node, rest), in_memory(scope, node, whole)))


@numpy_function(
    np.nan_to_num,
    takes="x copy nan posinf neginf",
    samples=("np.log(x - 0.3)", "a", "np.log(x - 0.3), nan=1.0, neginf=2.0"),
    about="numbers in place of NaN and infinities",
)
def _nan_to_num(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    value = in_memory(scope, node, scalar(scope, found["x"]))
    part = operand(scope, value)
    if part is None:
        return scope.error(node, f"np.nan_to_num does not take {describe(value)}")
    if "copy" in found and not (isinstance(found["copy"], Constant) and found["copy"].value):
        return scope.error(node, "np.nan_to_num makes a copy", "leave `copy=` out, and assign the result")
    if part.element.kind != "f":
        return value
    largest = float(np.finfo(NUMPY_NAMES[part.element.name]).max)
    defaults = {"nan": 0.0, "posinf": largest, "neginf": -largest}
    given = {key: found.get(key, NONE) for key in defaults}
    chosen = {k: Constant(defaults[k]) if _is_none(v) else v for k, v in given.items()}
    result = call_formula(scope, node, np.where, [classify(scope, node, np.isnan, [value]), chosen["nan"], value])
    for key, infinity in (("posinf", math.inf), ("neginf", -math.inf)):
        there = call_logic(scope, node, np.equal, [value, Constant(infinity)])
        result = call_formula(scope, node, np.where, [there, chosen[key], result])
    return result


def _is_none(value: Abstract) -> bool:
    return isinstance(value, Constant) and value.value is None


TOLERANCES = "a b rtol atol equal_nan"


def _close(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    """|a - b| <= atol + rtol * |b| where b is finite, a == b elsewhere."""
    a, b = (in_memory(scope, node, scalar(scope, found[k])) for k in "ab")
    relative, absolute = found.get("rtol", Constant(1e-5)), found.get("atol", Constant(1e-8))
    equal_nan = found.get("equal_nan", Constant(False))
    if not isinstance(equal_nan, Constant):
        return scope.error(node, "`equal_nan` must be known while compiling", "write True or False")
    if is_scalar(a) and is_scalar(b):
        a, b = (Num(materialise(scope, v), STRONG) for v in (a, b))
    size = call_numpy(scope, node, np.absolute, [b])
    allowed = call_numpy(scope, node, np.add, [absolute, call_numpy(scope, node, np.multiply, [relative, size])])
    distance = call_numpy(scope, node, np.absolute, [call_numpy(scope, node, np.subtract, [a, b])])
    near = call_logic(scope, node, np.less_equal, [distance, allowed])
    result = call_logic(scope, node, np.logical_and, [near, classify(scope, node, np.isfinite, [b])])
    result = call_logic(scope, node, np.logical_or, [result, call_logic(scope, node, np.equal, [a, b])])
    if equal_nan.value:
        nans = [classify(scope, node, np.isnan, [v]) for v in (a, b)]
        result = call_logic(scope, node, np.logical_or, [result, call_logic(scope, node, np.logical_and, nans)])
    return result


numpy_function(
    np.isclose, takes=TOLERANCES, least=2, samples=("x, y", "a, 0.45", "x, a, atol=0.3"), about="whether equal, almost"
)(_close)


@numpy_function(
    np.allclose,
    takes=TOLERANCES,
    least=2,
    samples=("x, y", "x, x + 1e-9", "a, 0.45"),
    about="whether all are equal, almost",
)
def _all_close(scope: FunctionScope, node: ast.Call, found: BoundArguments) -> Abstract:
    close = _close(scope, node, found)
    if isinstance(close, Poison):
        return close
    every = close if is_scalar(close) else reduced(scope, node, "all", close, {}, "np.allclose")
    return every if isinstance(every, Poison) else Num(materialise(scope, truth(scope, every), BOOL))
