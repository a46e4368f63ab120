"""Products with the Jacobian as gradients, so that one judge serves them all.

A jvp along three random tangents is the gradient of `w . f(x + s0 t0 + s1 t1 + s2 t2)` in s at 0, a vjp that of
`w . f(x)`, for random weights w on all outputs. Both are held against plain Python.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pytest_adalloc.checks.differences.directions import natural_scale
from pytest_adalloc.checks.inputs.arguments import Point, Vector, rebuilt, walk
from pytest_adalloc.checks.inputs.drawn import moved_to
from pytest_adalloc.checks.inputs.flat import FlatFunction
from pytest_adalloc.checks.subjects.subject import Unmet

TANGENTS = 3

Jvp = Callable[[Sequence[Any], Sequence[Any]], tuple[Any, Any]]
Vjp = Callable[[Sequence[Any], Any], Sequence[Any]]


@dataclass(frozen=True)
class ScalarProblem:
    """A function of one value, and the gradient to be judged, as `check_gradient` takes them."""

    function: FlatFunction
    args: tuple[Any, ...]
    gradient: Callable[..., Any]


def along_tangents(f: FlatFunction, args: tuple[Any, ...], jvp: Jvp | None, wrt: Any, seed: int) -> ScalarProblem:
    """`jvp(primals, tangents) -> (outputs, output tangents)` as a gradient; None: the compiler's."""
    point = Point(f.names, args, wrt)
    random = np.random.default_rng(seed)
    vectors = [point.consistent(_direction(point, random))[0] for _ in range(TANGENTS)]
    weights = _weights(f(*point.fresh()), random)
    pushed = jvp or _compiled_jvp(f, point)

    def value(along: Any) -> float:
        shift = sum(s * vector for s, vector in zip(along, vectors, strict=True))
        return _weighted(f(*moved_to(point, point.vector + shift)), weights)

    def gradient(along: Any) -> Any:
        del along  # it is asked for at 0 alone
        found = []
        for vector in vectors:
            primals, tangents = point.fresh(), point.tangents(vector)
            given = [primals[k] for k in f.given], [tangents[k] for k in f.given]
            found.append(_weighted(pushed(*map(tuple, given))[1], weights))
        return np.array(found)

    value.__name__ = f"{f.name} along random tangents"
    value.__wrapped__ = f.function  # type: ignore[attr-defined]  # where diagnostics point to
    return ScalarProblem(FlatFunction(value, ("along",), placed=1), (np.zeros(TANGENTS),), gradient)


def of_cotangent(f: FlatFunction, args: tuple[Any, ...], vjp: Vjp | None, wrt: Any, seed: int) -> ScalarProblem:
    """`vjp(primals, cotangent) -> cotangents of the arguments` as a gradient; None: the compiler's."""
    point = Point(f.names, args, wrt)
    if point.paths != tuple(f.names[k] for k in point.wrt):
        raise TypeError("check_vjp: wrt names whole arguments, as cotangents are of whole arguments")
    outputs = f(*point.fresh())
    weights = _weights(outputs, np.random.default_rng(seed))
    cotangent = rebuilt(outputs, iter(weights))
    pulled = vjp or _compiled_vjp(f)

    def value(*given: Any, **named: Any) -> float:
        return _weighted(f.function(*given, **named), weights)

    def gradient(*given: Any, **named: Any) -> tuple[Any, ...]:
        found = pulled((*given, *named.values()), cotangent)
        if len(found) != len(f.given):
            told = f"one cotangent for each of {len(f.given)} arguments, this gave {len(found)}"
            raise Unmet("gradient wrong", f"gradient wrong: a vjp gives {told}")
        return tuple(found[f.given.index(k)] for k in point.wrt)

    value.__name__ = f"{f.name} with random cotangents"
    value.__wrapped__ = f.function  # type: ignore[attr-defined]
    return ScalarProblem(replace(f, function=value), args, gradient)


def _direction(point: Point, random: np.random.Generator) -> Vector:
    return np.asarray(random.uniform(0.5, 1.5, point.size) * random.choice([-1.0, 1.0], point.size)) * natural_scale(
        point
    )


def _weights(outputs: Any, random: np.random.Generator) -> list[Any]:
    """A weight for each number of the outputs. Raises TypeError where there is none."""
    leaves = [np.asarray(leaf) for _, leaf in walk(outputs, "") if leaf is not None]
    if not any(leaf.dtype.kind == "f" for leaf in leaves):
        raise TypeError("the function returns no floating-point number: there is nothing to differentiate")
    drawn = [random.uniform(0.5, 1.5, leaf.shape) * random.choice([-1.0, 1.0], leaf.shape) for leaf in leaves]
    return [float(weight) if weight.ndim == 0 else weight for weight in drawn]


def _weighted(outputs: Any, weights: Sequence[Any]) -> float:
    leaves = [leaf for _, leaf in walk(outputs, "")]
    pairs = zip(leaves, weights, strict=True)
    return float(sum(float(np.sum(np.asarray(leaf, float) * w)) for leaf, w in pairs if leaf is not None))


def _compiled_jvp(f: FlatFunction, point: Point) -> Jvp:
    """`ad.jvp` takes its primals in a row: what only a name reaches is constant there."""
    import adcore as ad

    front = next((k for k in range(len(f.names)) if k not in f.given or f.names[k] in f.keywords), len(f.names))
    moved = [f.names[k] for k in point.wrt if k >= front]
    if moved:
        raise TypeError(f"check_jvp: the compiler's jvp can't move {moved[0]!r}, which can be given by name alone")

    def pushed(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        value, tangent = (dict(zip(f.given, each, strict=True)) for each in (primals, tangents))
        named = {f.names[k]: value[k] for k in f.given if k >= front}
        places = range(front)
        return ad.jvp(functools.partial(f.function, **named), [value[k] for k in places], [tangent[k] for k in places])

    return pushed


def _compiled_vjp(f: FlatFunction) -> Vjp:
    import adcore as ad

    def pulled(primals: Sequence[Any], cotangent: Any) -> Sequence[Any]:
        named = dict(zip(f.named, primals[f.placed :], strict=True))
        found = ad.vjp(f.function, *primals[: f.placed], **named)[1](cotangent)
        return [found[k] for k in f.given]

    return pulled
