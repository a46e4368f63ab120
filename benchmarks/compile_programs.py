"""Programs whose compile time is measured: small kernels, NumPy code, and families that grow to any size."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Any

import numpy as np

from benchmarks import kernels
from benchmarks.large_programs import Large


@dataclass(frozen=True)
class Program:
    """A function with arguments, and which of them are differentiated."""

    f: Callable[..., Any]
    args: tuple[Any, ...]
    active: tuple[int, ...] = (0,)


def perceptron(x, w1, b1, w2, b2, w3, b3, y):
    """Two hidden layers, a softmax and the cross entropy."""
    h1 = np.tanh(x @ w1 + b1)
    h2 = np.tanh(h1 @ w2 + b2)
    z = h2 @ w3 + b3
    e = np.exp(z - np.max(z, axis=1)[:, None])
    p = e / np.sum(e, axis=1)[:, None]
    return -np.sum(y * np.log(p))


def projection(u, v, mask, weights):
    """Makes a velocity field free of divergence by Jacobi sweeps for the pressure, on a torus."""
    p = np.zeros(u.shape)
    div = -0.5 * (np.roll(u, -1, axis=1) - np.roll(u, 1, axis=1) + np.roll(v, -1, axis=0) - np.roll(v, 1, axis=0))
    div = div * mask
    for _ in range(10):
        p = (div + np.roll(p, 1, axis=1) + np.roll(p, -1, axis=1) + np.roll(p, 1, axis=0) + np.roll(p, -1, axis=0)) / 4
        p = p * mask
    u = u - 0.5 * (np.roll(p, -1, axis=1) - np.roll(p, 1, axis=1))
    v = v - 0.5 * (np.roll(p, -1, axis=0) - np.roll(p, 1, axis=0))
    return np.sum(u * weights) + np.sum(v)


def mixture(alphas, means, factors, x):
    """The log likelihood of a Gaussian mixture whose components have triangular factors of their precisions."""
    n, d = x.shape
    k = len(alphas)
    total = 0.0
    for i in range(n):
        largest = -1e300
        terms = np.zeros(k)
        for a in range(k):
            square = 0.0
            for j in range(d):
                t = exp(factors[a, j]) * (x[i, j] - means[a, j])
                for m in range(j):
                    t += factors[a, d + j * (j - 1) // 2 + m] * (x[i, m] - means[a, m])
                square += t * t
            v = alphas[a] - 0.5 * square
            for j in range(d):
                v += factors[a, j]
            terms[a] = v
            largest = max(largest, v)
        likelihood = 0.0
        for a in range(k):
            likelihood += exp(terms[a] - largest)
        total += largest + log(likelihood)
    return total


def warm_up(x):
    """Compiled before anything is measured: LLVM and the compiler's own tables come to life."""
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[i]
    return total


def program(name: str) -> Program:
    """The program `name`; of a family, `family_size`: the one with that many statements."""
    if name in FIXED:
        return FIXED[name]()
    family, size = name.rsplit("_", 1)
    return FAMILIES[family](int(size))


def _draw() -> np.random.Generator:
    return np.random.default_rng(0)


def _perceptron() -> Program:
    normal, labels = _draw().normal, np.eye(10)[_draw().integers(0, 10, 32)]
    layers = [(normal(size=(n, m)) * 0.2, normal(size=m) * 0.1) for n, m in ((20, 32), (32, 32), (32, 10))]
    args = (normal(size=(32, 20)), *(a for layer in layers for a in layer), labels)
    return Program(perceptron, args, (1, 2, 3, 4, 5, 6))


def _mixture() -> Program:
    normal = _draw().normal
    args = (normal(size=8), normal(size=(8, 6)), 0.3 * normal(size=(8, 21)), normal(size=(100, 6)))
    return Program(mixture, args, (0, 1, 2))


FIXED: dict[str, Callable[[], Program]] = {
    "sum of squares": lambda: Program(kernels.sum_of_squares, (_draw().normal(size=1000),)),
    "Rosenbrock": lambda: Program(kernels.rosenbrock, (_draw().normal(size=1000),)),
    "x'Ax": lambda: Program(kernels.quadratic_form, (_draw().normal(size=64), _draw().normal(size=(64, 64)))),
    "logsumexp": lambda: Program(kernels.logsumexp, (_draw().normal(size=1000),)),
    "n-body": lambda: Program(kernels.bodies, (_draw().normal(size=(20, 3)),)),
    "Runge-Kutta": lambda: Program(kernels.lorenz, (np.array([1.0, 2.0, 20.0]), 1000)),
    "Burgers": lambda: Program(kernels.burgers, (np.linspace(0.5, 1.5, 64), np.linspace(0.5, 1.5, 64), 100), (0, 1)),
    "mixture": _mixture,
    "perceptron": _perceptron,
    "projection": lambda: Program(projection, tuple(_draw().random((4, 4)) for _ in range(4))),
    "warm-up": lambda: Program(warm_up, (np.ones(4),)),
}


def scalars(statements: int) -> Program:
    """Straight code over eight scalars."""
    draw = random.Random(1)
    forms = ("{a} = {b} * {c} + 0.5", "{a} = sin({b}) + {c}", "{a} = {b} - 0.3 * {c}", "{a} = {b} / (1.5 + {c} * {c})")
    body = [f"v{i} = x[{i}]" for i in range(8)]
    for k in range(statements):
        a, b, c = (f"v{draw.randrange(8)}" for _ in range(3))
        body.append(forms[k % 4].format(a=a, b=b, c=c))
    body.append("return " + " + ".join(f"v{i}" for i in range(8)))
    return _written("scalars", statements, "x", body, (np.linspace(0.1, 0.9, 8),))


def loops(statements: int) -> Program:
    """Loops of five statements each, over the same four arrays."""
    draw = random.Random(2)
    forms = (
        "{p}[i] = {q}[i] * 0.5 + 0.25 * {r}[i - 1]",
        "{p}[i] = {q}[i + 1] * {r}[i] * 0.1",
        "{p}[i] += 0.1 * sin({q}[i])",
        "{p}[i] = 0.5 * ({q}[i - 1] + {r}[i + 1])",
    )
    body = ["n = len(a)"]
    for k in range(statements):
        if k % 5 == 0:
            body.append("for i in range(1, n - 1):")
        p, q, r = (draw.choice("abcd") for _ in range(3))
        body.append("    " + forms[k % 4].format(p=p, q=q, r=r))
    body += ["s = 0.0", "for i in range(n):", "    s += a[i] + b[i] * c[i] + d[i]", "return s"]
    return _written("loops", statements, "a, b, c, d", body, _vectors())


def calls(statements: int) -> Program:
    """One call a statement, of four small functions, each of three statements."""
    draw = random.Random(3)
    body = [f"v{i} = x[{i}]" for i in range(8)]
    for _ in range(statements):
        a, b, c = (f"v{draw.randrange(8)}" for _ in range(3))
        body.append(f"{a} = g{draw.randrange(4)}({b}, {c})")
    body.append("return " + " + ".join(f"v{i}" for i in range(8)))
    inside = "    w = w / (1.5 + w * w)\n    return w - u * v\n\n"
    functions = "".join(f"def g{k}(u, v):\n    w = u * 0.{k + 1} + sin(v)\n{inside}" for k in range(4))
    return _written("calls", statements, "x", body, (np.linspace(0.1, 0.9, 8),), functions)


def arrays(statements: int) -> Program:
    """NumPy statements over four whole arrays."""
    draw = random.Random(4)
    forms = (
        "{p} = {q} * 0.5 + 0.25 * {r}",
        "{p} = np.sin({q}) * {r}",
        "{p} = 0.5 * ({q} - {r})",
        "{p} = {q} / (1.5 + {r} * {r})",
    )
    body = []
    for k in range(statements):
        p, q, r = (draw.choice("abcd") for _ in range(3))
        body.append(forms[k % 4].format(p=p, q=q, r=r))
    body.append("return np.sum(a + b * c + d)")
    return _written("arrays", statements, "a, b, c, d", body, _vectors())


def _vectors() -> tuple[Any, ...]:
    return tuple(np.linspace(0.1, 0.9, 50) + 0.01 * k for k in range(4))


def _written(
    family: str, size: int, parameters: str, body: Sequence[str], args: tuple[Any, ...], functions: str = ""
) -> Program:
    lines = "".join(f"    {line}\n" for line in body)
    source = f"from math import sin\n\nimport numpy as np\n\n{functions}def f({parameters}):\n{lines}"
    large = Large(f"{family} {size}", source, args)
    return Program(large.function(), args, tuple(range(len(args))))


FAMILIES: dict[str, Callable[[int], Program]] = {"scalars": scalars, "loops": loops, "calls": calls, "arrays": arrays}
