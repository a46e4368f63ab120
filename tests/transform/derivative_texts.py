"""Tests of derivatives by texts: the program before, the derivative after, and what both compute held together.

The texts of `tests.transform.texts` compare programs that do the same. A tangent program is held to differences of the
program instead, a gradient to the tangent: <seeds, tangents out> = <adjoints in, tangents in> for random directions.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from adcore.ir import Function, Region, interpret
from adcore.ir.types import ArrayType, ListType, is_float
from adcore.ops import TABLE
from adcore.transform.canonical.simplify import simplify
from adcore.transform.diff.forward import forward
from adcore.transform.diff.reverse import Derivative, reverse
from adcore.transform.diff.selection import lower_attach
from tests.transform.texts import Pass, check_text, docstring_texts, parse

SIZE, INTEGER = 6, 4
"""The length of every axis, and the value of every integer, of the arguments that derivatives are compared for."""


def kinds_of(function: Function) -> tuple[str, ...]:
    """Everything that can be differentiated is."""
    return tuple(
        "active" if is_float(p.type) else "duplicated" if isinstance(p.type, (ArrayType, ListType)) else "const"
        for p in function.params
    )


def derivative(function: Function, limit: int | None = None) -> Derivative:
    """The gradient of all results by all parameters; `limit`: bytes that it may keep for the arguments of the tests."""
    arguments = _arguments(function, np.random.default_rng(0)) if limit else None
    return reverse(
        function, kinds_of(function), [True] * len(function.results), TABLE, limit=limit, arguments=arguments
    )


def gradient(function: Function) -> Function:
    """The gradient with what nobody needs removed."""
    return simplify(lower_attach(derivative(function).function, TABLE), TABLE)


def gradient_that_keeps_nothing(function: Function) -> Function:
    return simplify(lower_attach(derivative(function, limit=0).function, TABLE), TABLE)


def forward_sweep(function: Function) -> Function:
    """The first half of the gradient: the program with what it keeps for the second one."""
    made = derivative(function)
    first = made.function.region.body[: made.cut]
    results = made.function.results[: len(function.results)]
    region = Region(function.params, first, results)
    return simplify(Function(function.name, region), TABLE)


def check_tangent(run: Pass, before: str, after: str) -> None:
    """`run` makes the tangent program `after` of `before`."""
    function = parse(before)
    tangent = run(function)
    check_text(tangent, after)
    _holds_to_differences(function, tangent)


def check_gradient(run: Pass, before: str, after: str) -> None:
    """`run` makes the gradient `after` of `before`."""
    function = parse(before)
    adjoint = run(function)
    check_text(adjoint, after)
    _holds_to_tangent(function, adjoint)


def check_docstring_of_gradient(module: ModuleType, run: Pass) -> None:
    """`run` makes the gradient that the head of `module` shows."""
    check_gradient(run, *docstring_texts(module))


def _arguments(function: Function, random: np.random.Generator) -> list[Any]:
    return [_argument(p.type, random) for p in function.params]


def _argument(type_: Any, random: np.random.Generator) -> Any:
    if isinstance(type_, ArrayType):
        return random.uniform(0.5, 1.5, (SIZE,) * type_.rank)
    return float(random.uniform(0.5, 1.5)) if is_float(type_) else INTEGER


def _call(function: Function, arguments: list[Any]) -> tuple[list[float], list[Any]]:
    """Results, and the arguments as they are afterwards."""
    copies = [v.copy() if isinstance(v, np.ndarray) else v for v in arguments]
    return [float(r) for r in interpret(function, TABLE, copies)], copies


def _direction(function: Function, random: np.random.Generator) -> list[Any]:
    """A tangent for each parameter that has one."""
    varied = (p for p, kind in zip(function.params, kinds_of(function), strict=True) if kind != "const")
    return [_argument(p.type, random) for p in varied]


def _flat(values: list[Any]) -> np.ndarray:
    return np.concatenate([np.ravel(v) for v in values]) if values else np.zeros(0)


def _tangents(function: Function, tangent: Function, given: list[Any], direction: list[Any]) -> np.ndarray:
    """Tangents of the results, then of what the arrays hold afterwards."""
    results, after = _call(tangent, [*given, *direction])
    shadows = [v for v in after[len(given) :] if isinstance(v, np.ndarray)]
    return _flat([*results[len(function.results) :], *shadows])


def _holds_to_differences(function: Function, tangent: Function, step: float = 1e-6) -> None:
    random = np.random.default_rng(1)
    given, direction = _arguments(function, random), _direction(function, random)
    sides = []
    for sign in (1.0, -1.0):
        along = iter(direction)
        kinds = zip(given, kinds_of(function), strict=True)
        moved = [v if kind == "const" else v + sign * step * next(along) for v, kind in kinds]
        results, after = _call(function, moved)
        sides.append(_flat([*results, *(v for v in after if isinstance(v, np.ndarray))]))
    np.testing.assert_allclose(
        _tangents(function, tangent, given, direction), (sides[0] - sides[1]) / (2 * step), rtol=1e-6, atol=1e-8
    )


def _holds_to_tangent(function: Function, adjoint: Function) -> None:
    random = np.random.default_rng(2)
    tangent = forward(function, kinds_of(function), TABLE)
    given, direction = _arguments(function, random), _direction(function, random)
    out = _tangents(function, tangent, given, direction)
    seeds = [float(s) for s in random.uniform(0.5, 1.5, len(function.results))]
    shadows = [np.copy(v) for v in _direction(function, random) if isinstance(v, np.ndarray)]
    weights = _flat([*seeds, *shadows])
    results, after = _call(adjoint, [*given, *shadows, *seeds])
    scalars, arrays = iter(results[len(function.results) :]), iter(after[len(given) :])
    kinds = [kind for kind in kinds_of(function) if kind != "const"]
    found = _flat([next(scalars) if kind == "active" else next(arrays) for kind in kinds])
    np.testing.assert_allclose(found @ _flat(direction), weights @ out, rtol=1e-12)
    expected, left = _call(function, given)
    assert results[: len(expected)] == expected
    for ours, theirs in zip(after[: len(given)], left, strict=True):
        np.testing.assert_array_equal(ours, theirs)
