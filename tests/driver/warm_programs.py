"""Programs of every kind that a process may find compiled; run as a module it prints what each of them gives.

`python -m tests.driver.warm_programs stages` also prints which stages of the compiler were loaded.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

import adcore as ad

SCALE = 1.5
TABLE = np.array([1.0, 2.0, 3.0])
PAIR = (0.5, [1, 2])
STAGES = ("ops", "frontend", "analysis", "transform", "lower")


@dataclass
class Body:
    mass: float
    place: np.ndarray[Any, Any]


class Both(NamedTuple):
    total: float
    parts: Any


def rosenbrock(x):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(len(x) - 1):
        total += 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2
    return total


def perceptron(x, w, b, y):  # type: ignore[no-untyped-def]
    z = np.tanh(x @ w + b)
    m = np.max(z, axis=1)
    e = np.exp(z - m[:, None])
    return -np.sum(y * np.log(e / np.sum(e, axis=1)[:, None]))


def helper(x, factor=2.0):  # type: ignore[no-untyped-def]
    return math.sin(x) * factor + SCALE


def outside(x, k):  # type: ignore[no-untyped-def]
    return helper(x) * k + TABLE[1] * PAIR[0] + len(TABLE)


def closure(c):  # type: ignore[no-untyped-def]
    def scaled(x):  # type: ignore[no-untyped-def]
        return x * x * c

    return scaled


def body(b):  # type: ignore[no-untyped-def]
    return b.mass * (b.place[0] ** 2 + b.place[1] ** 3)


def many(xs, ks):  # type: ignore[no-untyped-def]
    total = 0.0
    for x, k in zip(xs, ks, strict=True):
        total += k * np.sum(x * x)
    return total


def both(x):  # type: ignore[no-untyped-def]
    return Both(np.sum(x * x), [x[0], x * 2.0])


def writes(x, y):  # type: ignore[no-untyped-def]
    for i in range(len(x)):
        y[i] = x[i] * x[i]
        x[i] = y[i] * 0.5
    return y[0] + x[len(x) - 1]


def divides(x, k):  # type: ignore[no-untyped-def]
    return x[3] / k


def grows(x, n):  # type: ignore[no-untyped-def]
    a = 1.0
    for _ in range(n):
        a = math.sin(a * x) * a
    return a


def stretched(a, b):  # type: ignore[no-untyped-def]
    return np.sum((a + b) ** 2)


def unsupported(x):  # type: ignore[no-untyped-def]
    return {1: x}[1]


def shown(value: Any) -> Any:
    """A value to the last bit."""
    if isinstance(value, np.ndarray):
        return (str(value.dtype), value.shape, value.tobytes().hex())
    if isinstance(value, (np.generic, float)):
        return (type(value).__name__, np.asarray(value).tobytes().hex())
    if isinstance(value, (tuple, list)):
        return (type(value).__name__, [shown(item) for item in value])
    if isinstance(value, Body):
        return ("Body", shown(value.mass), shown(value.place))
    return repr(value)


def in_place(mode: Any, f: Callable[..., Any], *arrays: Any, **options: Any) -> Any:
    shadows = [np.ones_like(a) for a in arrays]
    answer = ad.autodiff(mode, f, *map(ad.Duplicated, arrays, shadows), **options)
    return answer, arrays, shadows


def handle(f: Callable[..., Any], *args: Any, **options: Any) -> Any:
    g = ad.compile(f, *args, **options)
    bound = g.bind(*args)
    return g(*args), bound(), g.certificate.proven, g.workspace_bytes, g.workspace_formula, g.written, g.high_water


def split() -> Any:
    x, dx = np.arange(1.0, 5.0), np.zeros(4)
    g = ad.compile(rosenbrock, ad.Duplicated(x, dx), mode=ad.ReverseSplit)
    step = g.forward(ad.Duplicated(x, dx))
    x[:] = 0.0
    g.reverse(step, 2.0)
    return step.value, dx, g.copied


def calls() -> Iterator[tuple[str, Callable[[], Any]]]:
    x, y = np.linspace(0.1, 0.9, 6), np.zeros(6)
    w = np.linspace(-1.0, 1.0, 12).reshape(3, 4)
    memory = np.arange(8.0)
    yield "rosenbrock", lambda: ad.value_and_grad(rosenbrock)(x)
    yield "strided", lambda: ad.grad(rosenbrock)(x[::2])
    yield "float32", lambda: ad.grad(rosenbrock)(x.astype(np.float32))
    yield "perceptron", lambda: ad.grad(perceptron, (1, 2))(np.ones((5, 3)), w, w[0], np.eye(5, 4))
    yield "outside", lambda: ad.grad(outside, ("x", "k"))(0.5, 2.0)
    yield "closure", lambda: [ad.grad(closure(c))(3.0) for c in (1.0, 2, 3.0, 1.0)]
    yield "record", lambda: ad.grad(body)(Body(2.0, np.array([1.0, 2.0])))
    yield "lists", lambda: ad.grad(many, (0, 1))([x, x[::-1], y + 1.0], [1.0, 2.0, 3.0])
    yield "named tuple", lambda: ad.vjp(both, x)[1](Both(1.0, [2.0, x]))
    yield "jvp", lambda: ad.jvp(both, (x,), (x + 1.0,))
    yield "written", lambda: (ad.grad(writes)(x, y), x, y)
    yield "shared memory", lambda: ad.grad(writes, (0, 1))(memory[:6], memory[1:7])
    yield "shared in place", lambda: in_place(ad.ReverseWithPrimal, writes, x.copy(), y.copy())
    yield "forward", lambda: in_place(ad.ForwardWithPrimal, writes, x.copy(), y.copy())
    yield "stretched", lambda: ad.grad(stretched, (0, 1))(np.ones((3, 1)), np.ones((1, 4)))
    yield "not stretched", lambda: ad.grad(stretched, (0, 1))(np.ones((3, 4)), np.ones((3, 4)))
    yield "handle", lambda: handle(grows, ad.Active(0.7), ad.Const(9))
    yield "primal", lambda: handle(rosenbrock, x, mode=ad.Primal)
    yield "limit", lambda: [ad.autodiff(ad.Reverse, grows, ad.Active(0.7), 40, workspace=n) for n in (10_000, 160, 80)]
    yield "nothing kept", lambda: ad.autodiff(ad.Reverse, grows, ad.Active(0.7), 40, workspace=0)
    yield "heap", lambda: ad.autodiff(ad.Reverse, grows, ad.Active(0.7), 40, workspace="heap")
    yield "fast", lambda: ad.grad(rosenbrock, fastmath=True)(x)
    yield "unchecked", lambda: ad.grad(rosenbrock, boundscheck=False)(x)
    yield "split", split
    yield "hvp", lambda: ad.hvp(rosenbrock)(x, vector=y + 1.0)
    yield "index error", lambda: ad.grad(divides)(np.ones(2), 2.0)
    yield "division", lambda: ad.grad(divides)(np.ones(4), 0.0)
    yield "compile error", lambda: ad.grad(unsupported)(1.0)
    yield "wrong type", lambda: ad.grad(rosenbrock)("no")
    yield "shadow", lambda: ad.autodiff(ad.Reverse, rosenbrock, ad.Duplicated(x, x))


def outcome(call: Callable[[], Any]) -> Any:
    try:
        return shown(call())
    except Exception as error:
        where = error.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        last = (where.tb_frame.f_code.co_name, where.tb_lineno) if where is not None and call is not None else ()
        users = last if last and where is not None and where.tb_frame.f_code.co_filename == __file__ else ()
        return (type(error).__name__, str(error), users)


if __name__ == "__main__":
    for name, call in calls():
        print(name, outcome(call))
    if "stages" in sys.argv:
        loaded = {m.split(".")[1] for m in sys.modules if m.startswith("adcore.") and m.split(".")[1] in STAGES}
        print(sorted(loaded), "llvmlite" in sys.modules)
