"""Programs that compute something with an infinite or undefined slope and discard it, in all ways to discard."""

from __future__ import annotations

import linecache
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from mpmath import mp

Program = Callable[[Any], Any]


@dataclass(frozen=True)
class Singular:
    """`text`: a function of `v`; used where `holds` (in `v`), of which `good` are numbers, `bad` are not. `true` is the
    same function for differences in many digits."""

    text: str
    holds: str
    good: tuple[float, float]
    bad: tuple[float, float]
    true: Callable[[Any], Any]


FUNCTIONS = {
    "root": Singular("np.sqrt(v)", "v > 0.0", (0.6, 1.9), (0.0, -1.5), mp.sqrt),
    "logarithm": Singular("np.log(v)", "v > 0.0", (0.6, 1.9), (0.0, -1.5), mp.log),
    "reciprocal": Singular("1.0 / v", "v != 0.0", (0.6, -1.9), (0.0, 0.0), lambda v: 1 / v),
    "power": Singular("v ** 0.5", "v > 0.0", (0.6, 1.9), (0.0, 0.0), mp.sqrt),
    "negative power": Singular("v ** -1.5", "v > 0.0", (0.6, 1.9), (0.0, 0.0), lambda v: v ** mp.mpf(-1.5)),
    "exponential": Singular("np.exp(v)", "v < 650.0", (0.6, 1.9), (760.0, 900.0), mp.exp),
    "arc cosine": Singular("np.arccos(v)", "v < 1.0", (0.2, -0.7), (1.0, 1.5), mp.acos),
    "cube root": Singular("np.cbrt(v)", "v != 0.0", (0.6, 1.9), (0.0, 0.0), mp.cbrt),
    "length": Singular("np.hypot(v, 3.0 * v)", "v != 0.0", (0.6, 1.9), (0.0, 0.0), lambda v: abs(v) * mp.sqrt(10)),
    "angle": Singular(
        "np.arctan2(v, 2.0 * v * v)", "v != 0.0", (0.6, 1.9), (0.0, 0.0), lambda v: mp.atan2(v, 2 * v**2)
    ),
    "entropy": Singular("v * np.log(v)", "v > 0.0", (0.6, 1.9), (0.0, 0.0), lambda v: v * mp.log(v)),
    "chain": Singular(
        "np.cos(np.log(v)) * np.sqrt(v + 2.0 * np.sqrt(v)) ** 3",
        "v > 0.0",
        (0.6, 1.9),
        (0.0, -1.5),
        lambda v: mp.cos(mp.log(v)) * mp.sqrt(v + 2 * mp.sqrt(v)) ** 3,
    ),
    "cardinal sine": Singular("np.sin(v) / v", "v != 0.0", (0.6, 1.9), (0.0, 0.0), lambda v: mp.sin(v) / v),
}

WAYS: dict[str, tuple[str, Callable[[list[Any]], Any], Callable[[Any], Any]]] = {
    # text; what the terms of all elements come to; the term of an element whose function is discarded
    "where": ("return np.sum(np.where({holds}, {text}, 2.0 * v))", sum, lambda v: 2 * v),
    "if": (
        """
    total = 0.0
    for v in x:
        r = {text}
        if {holds}:
            total += r
        else:
            total += 2.0 * v
    return total""",
        sum,
        lambda v: 2 * v,
    ),
    "continue": (
        """
    total = 0.0
    for v in x:
        total += 2.0 * v
        r = {text} - 2.0 * v
        if not ({holds}):
            continue
        total += r
    return total""",
        sum,
        lambda v: 2 * v,
    ),
    "mask store": (
        """
    t = {text}
    unused = ~({holds})
    t[unused] = 0.25
    return np.sum(t)""",
        sum,
        lambda v: mp.mpf(0.25),
    ),
    "nested": (
        """
    u = np.where({holds}, {text}, 2.0 * v)
    return np.sum(u * np.sin(u))""",
        lambda terms: sum(u * mp.sin(u) for u in terms),
        lambda v: 2 * v,
    ),
}

CARRIED = """
    s = 1.0
    for v in x:
        t = s * ({text})
        s = t if {holds} else s + 2.0 * v
    return s"""


def compiled(name: str, text: str) -> Program:
    """A function of `x` with this body, whose source can be found."""
    source = f"import math\nimport numpy as np\n\n\ndef f(x):\n    v = x\n    {text.strip()}\n"
    file = f"<discarding {name}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    names: dict[str, Any] = {"np": np, "math": math, "__name__": "discarding"}
    exec(compile(source, file, "exec"), names)
    program: Program = names["f"]
    return program


@dataclass(frozen=True)
class Case:
    name: str
    program: Program
    x: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray


def cases() -> Iterator[Case]:
    for name, function in FUNCTIONS.items():
        x = np.array([n for pair in zip(function.good, function.bad, strict=True) for n in pair])
        for way, (text, combined, otherwise) in WAYS.items():
            body = text.format(text=function.text, holds=function.holds)

            def terms(values: list[Any], f: Singular = function, other: Any = otherwise) -> list[Any]:
                return [f.true(v) if k % 2 == 0 else other(v) for k, v in enumerate(values)]

            yield case(f"{way} of {name}", body, x, lambda values, c=combined, t=terms: c(t(values)))
        yield case(f"carried {name}", CARRIED.format(text=function.text, holds=function.holds), x, carried(function))


def carried(function: Singular) -> Callable[[list[Any]], Any]:
    def total(values: list[Any]) -> Any:
        s = mp.mpf(1)
        for k, v in enumerate(values):
            s = s * function.true(v) if k % 2 == 0 else s + 2 * v
        return s

    return total


def case(name: str, body: str, x: np.ndarray, true: Callable[[list[Any]], Any]) -> Case:
    gradient, hessian = exact(true, x)
    return Case(name, compiled(name, body), x, gradient, hessian)


def exact(f: Callable[[list[Any]], Any], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Differences in so many digits that their error does not show."""
    with mp.workdps(60):
        h, n = mp.mpf(10) ** -15, len(x)
        at = [mp.mpf(float(v)) for v in x]

        def moved(*steps: tuple[int, int]) -> Any:
            point = list(at)
            for k, sign in steps:
                point[k] += sign * h
            return f(point)

        gradient = [float((moved((k, 1)) - moved((k, -1))) / (2 * h)) for k in range(n)]
        hessian = [[float(sum(a * b * moved((k, a), (j, b)) for a in (1, -1) for b in (1, -1)) / (4 * h * h))
                    for j in range(n)] for k in range(n)]  # fmt: skip
    return np.array(gradient), np.array(hessian)
