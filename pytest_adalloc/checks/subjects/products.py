"""Products with the Jacobian as gradients, so that one judge serves them all.

A jvp along three random tangents is the gradient of `w . f(x + s0 t0 + s1 t1 + s2 t2)` in s at 0, a vjp that of
`w . f(x)`, for random weights w on all outputs. Both are held against plain Python.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_adalloc.checks.differences.directions import natural_scale
from pytest_adalloc.checks.inputs.arguments import Point, Vector, names_of, rebuilt, walk
from pytest_adalloc.checks.inputs.drawn import moved_to
from pytest_adalloc.checks.subjects.subject import Unmet

TANGENTS = 3

Jvp = Callable[[Sequence[Any], Sequence[Any]], tuple[Any, Any]]
Vjp = Callable[[Sequence[Any], Any], Sequence[Any]]


@dataclass(frozen=True)
class ScalarProblem:
    """A function of one value, and the gradient to be judged, as `check_gradient` takes them."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    gradient: Callable[..., Any]


def along_tangents(f: Callable[..., Any], args: tuple[Any, ...], jvp: Jvp | None, wrt: Any, seed: int) -> ScalarProblem:
    """`jvp(primals, tangents) -> (outputs, output tangents)` as a gradient; None: the compiler's."""
    point = Point(names_of(f, len(args)), args, wrt)
    random = np.random.default_rng(seed)
    vectors = [point.consistent(_direction(point, random))[0] for _ in range(TANGENTS)]
    weights = _weights(f(*point.fresh()), random)
    pushed = jvp or _compiled_jvp(f)

    def value(along: Any) -> float:
        shift = sum(s * vector for s, vector in zip(along, vectors, strict=True))
        return _weighted(f(*moved_to(point, point.vector + shift)), weights)

    def gradient(along: Any) -> Any:
        del along  # it is asked for at 0 alone
        found = []
        for vector in vectors:
            parts = dict(zip(point.wrt, point.split(vector), strict=True))
            tangents = tuple(parts.get(k) for k in range(len(args)))
            found.append(_weighted(pushed(point.fresh(), tangents)[1], weights))
        return np.array(found)

    value.__name__ = f"{_name(f)} along random tangents"
    return ScalarProblem(value, (np.zeros(TANGENTS),), gradient)


def of_cotangent(f: Callable[..., Any], args: tuple[Any, ...], vjp: Vjp | None, wrt: Any, seed: int) -> ScalarProblem:
    """`vjp(primals, cotangent) -> cotangents of the arguments` as a gradient; None: the compiler's."""
    point = Point(names_of(f, len(args)), args, wrt)
    outputs = f(*point.fresh())
    weights = _weights(outputs, np.random.default_rng(seed))
    cotangent = rebuilt(outputs, iter(weights))
    pulled = vjp or _compiled_vjp(f)

    def value(*given: Any) -> float:
        return _weighted(f(*given), weights)

    def gradient(*given: Any) -> tuple[Any, ...]:
        found = pulled(given, cotangent)
        if len(found) != len(args):
            text = (
                f"gradient wrong: a vjp gives one cotangent for each of {len(args)} arguments, this gave {len(found)}"
            )
            raise Unmet("gradient wrong", text)
        return tuple(found[k] for k in point.wrt)

    value.__name__ = f"{_name(f)} with random cotangents"
    with contextlib.suppress(TypeError, ValueError):  # its arguments keep their names where they can be read
        value.__signature__ = inspect.signature(f)  # type: ignore[attr-defined]
    return ScalarProblem(value, args, gradient)


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


def _compiled_jvp(f: Callable[..., Any]) -> Jvp:
    import adcore as ad

    return lambda primals, tangents: ad.jvp(f, primals, tangents)


def _compiled_vjp(f: Callable[..., Any]) -> Vjp:
    import adcore as ad

    return lambda primals, cotangent: ad.vjp(f, *primals)[1](cotangent)


def _name(f: Callable[..., Any]) -> str:
    return str(getattr(f, "__name__", type(f).__name__))
