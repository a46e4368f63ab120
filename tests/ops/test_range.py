"""Values, first and second derivatives over the whole range of floats, against 60 digits, in forward and reverse mode.

What is asked of a number: twelve digits, where the true one is a normal number. What is smaller than that may be zero,
what is larger infinite.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from adcore.ir import F32, F64, Builder, Function, Scalar, Value, verify
from adcore.ops import TABLE
from adcore.transform.canonical.simplify import simplify
from adcore.transform.diff.forward import forward
from adcore.transform.diff.reverse import reverse
from adcore.transform.diff.selection import lower_attach
from tests.lower.native import Native

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mpmath
    from mpmath import mp

Number = Any
Formula = Callable[..., Number]

SIZES = (
    *(1e-300, 3e-200, 7e-160, 2e-154, 5e-110, 1e-60, 1e-20, 3e-9, 1e-4, 0.03, 0.3, 0.7, 1.0, 1.3, 2.0, 5.0, 11.0, 19.0),
    *(26.0, 40.0, 90.0, 300.0, 700.0, 1e4, 3e9, 1e20, 1e60, 5e110, 2e154, 7e160, 3e200, 1e300),
)
EVERY = (*SIZES, *(-x for x in SIZES))
INSIDE = tuple(x for x in EVERY if abs(x) < 1)
NEAR_ONE = tuple(s * (1 - h) for s in (1, -1) for h in (1e-15, 1e-9, 1e-3))


def sech(x: Number) -> Number:
    return 2 / (mp.exp(x) + mp.exp(-x))


def digamma(x: Number) -> Number:
    return mp.psi(0, x)


HALF_ROOT_PI = 2 / mp.sqrt(mp.pi)

ONE_OPERAND: dict[str, tuple[Sequence[float], Formula, Formula, Formula]] = {
    "sqrt": (SIZES, mp.sqrt, lambda x: 1 / (2 * mp.sqrt(x)), lambda x: -1 / (4 * x * mp.sqrt(x))),
    "cbrt": (
        EVERY,
        lambda x: mp.sign(x) * mp.cbrt(abs(x)),
        lambda x: 1 / (3 * mp.cbrt(abs(x)) ** 2),
        lambda x: -2 / (9 * x * mp.cbrt(abs(x)) ** 2),
    ),
    "exp": (EVERY, mp.exp, mp.exp, mp.exp),
    "exp2": (EVERY, lambda x: 2**x, lambda x: mp.ln2 * 2**x, lambda x: mp.ln2**2 * 2**x),
    "expm1": (EVERY, mp.expm1, mp.exp, mp.exp),
    "log": (SIZES, mp.log, lambda x: 1 / x, lambda x: -1 / x**2),
    "log1p": (
        (*SIZES, *(x for x in INSIDE if x < 0), *(x for x in NEAR_ONE if x < 0)),
        mp.log1p,
        lambda x: 1 / (1 + x),
        lambda x: -1 / (1 + x) ** 2,
    ),
    "log2": (SIZES, lambda x: mp.log(x) / mp.ln2, lambda x: 1 / (x * mp.ln2), lambda x: -1 / (x**2 * mp.ln2)),
    "log10": (SIZES, mp.log10, lambda x: 1 / (x * mp.ln10), lambda x: -1 / (x**2 * mp.ln10)),
    "sin": (EVERY, mp.sin, mp.cos, lambda x: -mp.sin(x)),
    "cos": (EVERY, mp.cos, lambda x: -mp.sin(x), lambda x: -mp.cos(x)),
    "tan": (EVERY, mp.tan, lambda x: 1 + mp.tan(x) ** 2, lambda x: 2 * mp.tan(x) * (1 + mp.tan(x) ** 2)),
    "asin": ((*INSIDE, *NEAR_ONE), mp.asin, lambda x: (1 - x**2) ** -0.5, lambda x: x * (1 - x**2) ** -1.5),
    "acos": ((*INSIDE, *NEAR_ONE), mp.acos, lambda x: -((1 - x**2) ** -0.5), lambda x: -x * (1 - x**2) ** -1.5),
    "atan": (EVERY, mp.atan, lambda x: 1 / (1 + x**2), lambda x: -2 * x / (1 + x**2) ** 2),
    "sinh": (EVERY, mp.sinh, mp.cosh, mp.sinh),
    "cosh": (EVERY, mp.cosh, mp.sinh, mp.cosh),
    "tanh": (EVERY, mp.tanh, lambda x: sech(x) ** 2, lambda x: -2 * mp.tanh(x) * sech(x) ** 2),
    "asinh": (EVERY, mp.asinh, lambda x: (1 + x**2) ** -0.5, lambda x: -x * (1 + x**2) ** -1.5),
    "acosh": (
        (*(x for x in SIZES if x > 1), 1 + 1e-15, 1 + 1e-9),
        mp.acosh,
        lambda x: (x**2 - 1) ** -0.5,
        lambda x: -x * (x**2 - 1) ** -1.5,
    ),
    "atanh": ((*INSIDE, *NEAR_ONE), mp.atanh, lambda x: 1 / (1 - x**2), lambda x: 2 * x / (1 - x**2) ** 2),
    "erf": (EVERY, mp.erf, lambda x: HALF_ROOT_PI * mp.exp(-(x**2)), lambda x: -2 * x * HALF_ROOT_PI * mp.exp(-(x**2))),
    "erfc": (
        tuple(x for x in EVERY if x < 1e4),
        mp.erfc,
        lambda x: -HALF_ROOT_PI * mp.exp(-(x**2)),
        lambda x: 2 * x * HALF_ROOT_PI * mp.exp(-(x**2)),
    ),
    "gamma": (
        (*(x for x in SIZES if 1e-305 < x < 171), -0.3, -1e-20, -1e-160, -2.5, -20.5),
        mp.gamma,
        lambda x: mp.gamma(x) * digamma(x),
        lambda x: mp.gamma(x) * (digamma(x) ** 2 + mp.psi(1, x)),
    ),
    "lgamma": (
        (*SIZES, -0.3, -1e-20, -1e-160, -2.25, -20.5, -1000.75),
        lambda x: mp.re(mp.loggamma(x)),
        digamma,
        lambda x: mp.psi(1, x),
    ),
    "abs": (EVERY, abs, mp.sign, lambda x: mp.mpf(0)),
    "neg": (EVERY, lambda x: -x, lambda x: mp.mpf(-1), lambda x: mp.mpf(0)),
}


def points(*more: tuple[float, float]) -> list[tuple[float, float]]:
    """Pairs of numbers of the same size and of quite different ones, of all signs."""
    sizes = (1e-300, 1e-170, 3e-155, 1e-20, 0.7, 1.0, 1e9, 2e154, 1e170, 3e300)
    signs = ((1.0, 1.0), (-1.0, 1.0), (1.0, -1.0), (-1.0, -1.0))
    near = [(x, x * factor) for x in sizes for factor in (1.0, 1 + 1e-12, 0.37)]
    return [(s * x, t * y) for x, y in (*itertools.product(sizes, sizes), *near, *more) for s, t in signs]


POWERS = [(x, y) for x in SIZES for y in (-2.5, -1.0, -1e-3, 1e-20, 0.5, 1.0, 1.5, 2.0, 3.0, 40.0)]


def remainder_of(x: Number, y: Number) -> Number:
    return x - y * mp.floor(x / y)


# By x, by y; by x twice, by both, by y twice.
TWO_OPERANDS: dict[str, tuple[list[tuple[float, float]], Formula, tuple[Formula, ...]]] = {
    "add": (points(), lambda x, y: x + y, (lambda x, y: 1, lambda x, y: 1, *(lambda x, y: 0,) * 3)),
    "mul": (
        points(),
        lambda x, y: x * y,
        (lambda x, y: y, lambda x, y: x, lambda x, y: 0, lambda x, y: 1, lambda x, y: 0),
    ),
    "div": (
        points(),
        lambda x, y: x / y,
        (lambda x, y: 1 / y, lambda x, y: -x / y**2, lambda x, y: 0, lambda x, y: -1 / y**2, lambda x, y: 2 * x / y**3),
    ),
    "pow": (
        POWERS,
        lambda x, y: x**y,
        (
            lambda x, y: y * x ** (y - 1),
            lambda x, y: x**y * mp.log(x),
            lambda x, y: y * (y - 1) * x ** (y - 2),
            lambda x, y: x ** (y - 1) * (1 + y * mp.log(x)),
            lambda x, y: x**y * mp.log(x) ** 2,
        ),
    ),
    "atan2": (
        points(),
        mp.atan2,
        (
            lambda y, x: x / (x**2 + y**2),
            lambda y, x: -y / (x**2 + y**2),
            lambda y, x: -2 * x * y / (x**2 + y**2) ** 2,
            lambda y, x: (y**2 - x**2) / (x**2 + y**2) ** 2,
            lambda y, x: 2 * x * y / (x**2 + y**2) ** 2,
        ),
    ),
    "hypot": (
        points(),
        mp.hypot,
        (
            lambda x, y: x / mp.hypot(x, y),
            lambda x, y: y / mp.hypot(x, y),
            lambda x, y: y**2 / mp.hypot(x, y) ** 3,
            lambda x, y: -x * y / mp.hypot(x, y) ** 3,
            lambda x, y: x**2 / mp.hypot(x, y) ** 3,
        ),
    ),
    "logaddexp": (
        points((300.0, 1.0), (1e10, 1e10 + 1), (20.0, 700.0), (-1e10, 1e10)),
        lambda x, y: max(x, y) + mp.log1p(mp.exp(-abs(x - y))),
        (
            lambda x, y: 1 / (1 + mp.exp(y - x)),
            lambda x, y: 1 / (1 + mp.exp(x - y)),
            lambda x, y: 1 / (2 + mp.exp(y - x) + mp.exp(x - y)),
            lambda x, y: -1 / (2 + mp.exp(y - x) + mp.exp(x - y)),
            lambda x, y: 1 / (2 + mp.exp(y - x) + mp.exp(x - y)),
        ),
    ),
    "copysign": (
        points(),
        lambda x, y: abs(x) * mp.sign(y),
        (lambda x, y: mp.sign(x) * mp.sign(y), *(lambda x, y: 0,) * 4),
    ),
    "fmod": (
        [(x, y) for x, y in points() if abs(x) < 1e14 * abs(y) and abs(x) != abs(y)],
        lambda x, y: mp.sign(x) * remainder_of(abs(x), abs(y)),
        (lambda x, y: 1, lambda x, y: -mp.sign(x * y) * mp.floor(abs(x / y)), *(lambda x, y: 0,) * 3),
    ),
}

SMALLEST_NORMAL = 2.0**-1022
DIGITS = 1e-12


def agrees(found: float, true: Number, smallest: float = SMALLEST_NORMAL, digits: float = DIGITS) -> bool:
    """Twelve digits of a normal number; at either end the next best thing."""
    if true == 0:
        return abs(found) <= smallest
    largest = float(np.finfo(np.float64).max) if smallest == SMALLEST_NORMAL else float(np.finfo(np.float32).max)
    if abs(true) > largest * (1 - digits):
        return (found > 0) == (true > 0) and abs(found) > largest / 2
    return bool(abs(mp.mpf(found) - true) <= digits * abs(true) + smallest)


def program(op: str, count: int, type_: Scalar = F64) -> Function:
    builder = Builder(TABLE)
    params = [Value(type_) for _ in range(count)]
    return Function(op, builder.finish(params, [builder.emit(op, *params)]))


def native(function: Function) -> Native:
    return Native(verify(lower_attach(function, TABLE), TABLE))


def modes(op: str, count: int, type_: Scalar = F64) -> Iterator[tuple[str, Callable[..., tuple[list[float], ...]]]]:
    """(mode, operands -> value and derivatives: by each operand, then by each pair of them)."""
    plain, active = program(op, count, type_), ("active",) * count
    units = [tuple(float(k == j) for j in range(count)) for k in range(count)]
    pairs = [(k, j) for k in range(count) for j in range(k, count)]
    once = verify(forward(plain, active, TABLE), TABLE)
    twice = native(forward(simplify(once, TABLE), (*active, *("const",) * count), TABLE))
    backwards = native(reverse(plain, active, [True], TABLE).function)
    # The tangent alone is differentiated: its value has a derivative as well, which the other sweep shows.
    mixed = native(reverse(simplify(once, TABLE), (*active, *("const",) * count), [False, True], TABLE).function)

    def forward_twice(*operands: float) -> tuple[list[float], ...]:
        first = [twice(*operands, *unit, *units[0])[1] for unit in units]
        second = [twice(*operands, *units[k], *units[j])[-1] for k, j in pairs]
        return [twice(*operands, *units[0], *units[0])[0]], first, second

    def reverse_after_forward(*operands: float) -> tuple[list[float], ...]:
        value, *first = backwards(*operands, 1.0)
        second = [mixed(*operands, *units[k], 1.0)[2 + j] for k, j in pairs]
        return [value], first, second

    yield "forward over forward", forward_twice
    yield "reverse, and reverse over forward", reverse_after_forward


def check(op: str, cases: Sequence[tuple[float, ...]], true: Sequence[Formula], type_: Scalar = F64) -> None:
    wrong = []
    smallest, digits = (SMALLEST_NORMAL, DIGITS) if type_ == F64 else (2.0**-126, 3e-6)
    count = len(cases[0])
    with mp.workdps(60), np.errstate(all="ignore"):
        wanted = [[f(*(mp.mpf(float(x)) for x in operands)) for f in true] for operands in cases]
        for mode, run in modes(op, count, type_):
            for operands, numbers in zip(cases, wanted, strict=True):
                found = [n for group in run(*operands) for n in group]
                for name, got, number in zip(names(count), found, numbers, strict=True):
                    # What a value that is too large does is the program's own doing.
                    too_large = abs(numbers[0]) > (1e308 if type_ == F64 else 1e38)
                    if not too_large and not agrees(float(got), number, smallest, digits):
                        wrong.append(f"{mode}: {name} of {op}{operands} is {got}, not {mpmath.nstr(number, 15)}")
    assert not wrong, f"{len(wrong)} of {2 * len(cases)}:\n" + "\n".join(wrong[:40])


def names(count: int) -> tuple[str, ...]:
    return ("value", "f'", "f''") if count == 1 else ("value", "f_x", "f_y", "f_xx", "f_xy", "f_yy")


@pytest.mark.parametrize("op", ONE_OPERAND)
def test_functions_of_one_number(op: str) -> None:
    cases, *true = ONE_OPERAND[op]
    check(op, [(x,) for x in cases], true)


@pytest.mark.parametrize("op", TWO_OPERANDS)
def test_functions_of_two_numbers(op: str) -> None:
    cases, value, derivatives = TWO_OPERANDS[op]
    check(op, cases, (value, *derivatives))


def single(x: float) -> float:
    return float(np.float32(x))


@pytest.mark.parametrize("op", ["tanh", "expm1", "asinh", "atan", "acosh", "cbrt", "log2"])
def test_single_precision(op: str) -> None:
    cases, *true = ONE_OPERAND[op]
    sizes = {single(math.copysign(min(max(abs(x), 1e-30), 1e30), x)) for x in cases}
    check(op, [(np.float32(x),) for x in sorted(sizes) if op != "acosh" or x > 1], true, F32)


def test_every_function_of_floats_is_here() -> None:
    """What has a derivative and takes floats only; arithmetic that is exact or piecewise constant is left out."""
    plain = {
        "sub",
        "mod",
        "floordiv",
        "minimum",
        "maximum",
        "select",
        "attach",
        "sloped",
        "mulz",
        "cast",
        "native",
        "polygamma",
    }
    smooth = {op.name for op in TABLE.values() if op.differentiable and op.lower is not None}
    assert smooth - plain == {*ONE_OPERAND, *TWO_OPERANDS}
