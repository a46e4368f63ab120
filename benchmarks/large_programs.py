"""Large programs, written as Python text: what planning and compiling must cope with."""

from __future__ import annotations

import linecache
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Large:
    """A program with its arguments (float arrays, and integer arrays that are not differentiated)."""

    name: str
    source: str
    args: tuple[Any, ...]

    def function(self) -> Callable[..., Any]:
        """The program, whose source can be read back as that of a function in a file can."""
        file = f"<large program {self.name}>"
        linecache.cache[file] = (len(self.source), None, self.source.splitlines(keepends=True), file)
        namespace: dict[str, Any] = {"__name__": "large_program"}
        exec(compile(f"{self.source}", file, "exec"), namespace)
        function: Callable[..., Any] = namespace["f"]
        return function


def large_programs() -> list[Large]:
    """Each with more than 2,000 IR instructions."""
    return [
        unrolled(),
        nests(),
        nests(time_loop=True),
        deep(),
        straight(),
        branches(),
        scattered(),
        pairs(),
        factorisation(),
    ]


HEADER = "from math import sin, cos, exp, sqrt, tanh, log\n\n"


def _function(parameters: str, lines: Iterator[str] | list[str]) -> str:
    return HEADER + f"def f({parameters}):\n" + "".join(f"    {line}\n" for line in lines)


def _grid() -> Any:
    return np.linspace(0.5, 1.5, 144).reshape(12, 12)


def unrolled(statements: int = 240) -> Large:
    """One nest with many stencil statements, each reading what others of the same turn and of earlier turns wrote."""
    draw = random.Random(1)
    lines = ["n = a.shape[0]", "for i in range(2, n - 2):", "    for j in range(2, n - 2):"]
    for _ in range(statements):
        target = draw.choice("abcd")
        terms = (f"{draw.choice('abcd')}[i + {draw.randint(-2, 2)}, j + {draw.randint(-2, 2)}]" for _ in range(3))
        at = draw.choice(["i, j", "i, j", "i, j + 1", "i - 1, j"])
        lines.append(f"        {target}[{at}] = 0.3 * {next(terms)} * {next(terms)} + 0.2 * {next(terms)}")
    source = _function("a, b, c, d", [*lines, "return a[3, 3] + b[4, 4]"])
    return Large("unrolled", source, tuple(_grid() for _ in range(4)))


def nests(count: int = 40, time_loop: bool = False) -> Large:
    """Nests over the same few arrays, one after the other; with `time_loop`, all of them in every time step."""
    draw = random.Random(2)
    lines = ["n = a.shape[0]"]
    indent = "    " if time_loop else ""
    if time_loop:
        lines.append("for t in range(5):")
    for k in range(count):
        triangle = k % 3 == 1
        lines.append(f"{indent}for i in range(1, n - 1):")
        lines.append(f"{indent}    for j in range({'i' if triangle else 1}, n - 1):")
        for _ in range(4):
            target, one, two = draw.choice("abcd"), draw.choice("abcd"), draw.choice("abcd")
            di, dj = draw.randint(-1, 1), draw.randint(-1, 1)
            at = "i, j" if draw.random() < 0.8 else "j, i"
            product = f"{one}[i + {di}, j + {dj}] * sin({two}[j, i])"
            lines.append(f"{indent}        {target}[{at}] = {product} + {one}[i, {draw.randrange(12)}]")
    name = "nests, time loop" if time_loop else "nests"
    source = _function("a, b, c, d", [*lines, "return a[3, 3] + b[4, 4]"])
    return Large(name, source, tuple(_grid() for _ in range(4)))


def deep(count: int = 14, depth: int = 6) -> Large:
    """Nests of many loops, triangular ones among them, with subscripts that mix the loop variables."""
    draw = random.Random(3)
    names = "ijklmp"[:depth]
    lines = ["n = a.shape[0]"]
    for _ in range(count):
        for level, name in enumerate(names):
            stop = f"{names[level - 1]} + 1" if level % 2 else "4"
            lines.append(f"{'    ' * level}for {name} in range({stop}):")
        indent = "    " * depth
        for _ in range(9):
            target, one, two = (draw.choice("ab") for _ in range(3))
            x, y, z, w = (draw.choice(names) for _ in range(4))
            product = f"cos({one}[{w}, {x} + {draw.randrange(3)}]) * {two}[{y}, {z}]"
            lines.append(f"{indent}{target}[{x} + {y}, {z}] = {product} + {one}[{z} + {w}, {y}]")
    return Large("deep", _function("a, b", [*lines, "return a[3, 3] + b[2, 2]"]), (_grid(), _grid()))


def straight(count: int = 700) -> Large:
    """Scalar code without loops, with elements of arrays by constant subscripts."""
    draw = random.Random(4)
    lines = [f"v{k} = x[{k}]" for k in range(20)]
    for k in range(20, count):
        a, b, c = (f"v{draw.randrange(max(0, k - 25), k)}" for _ in range(3))
        forms = (f"sin({a} * {b}) + {c}", f"{a} / (1.5 + {b} * {b}) - {c}", f"exp(-{a} * {a}) * {b} + {c}")
        lines.append(f"v{k} = {draw.choice(forms)}")
        if k % 7 == 0:
            lines.append(f"x[{draw.randrange(20)}] = v{k}")
        if k % 11 == 0:
            lines.append(f"v{k} = v{k} + x[{draw.randrange(20)}]")
    return Large("straight", _function("x", [*lines, f"return v{count - 1}"]), (np.linspace(0.1, 1.0, 20),))


def branches(count: int = 200) -> Large:
    """A chain of `elif` in a loop, each branch with work of its own and a store."""
    draw = random.Random(5)
    lines = ["s = 0.0", "for i in range(len(x)):", "    v = x[i]"]
    for k in range(count):
        lines.append(f"    {'if' if k == 0 else 'elif'} v < {(k + 1) / count}:")
        lines.append(f"        s = s + sin(v * {k + 1}.0) * x[i]")
        lines.append(f"        {draw.choice('xy')}[i] = cos(v) * y[{k % 4}] + {k}.0")
    return Large("branches", _function("x, y", [*lines, "return s"]), (np.linspace(0.0, 0.99, 16), np.ones(16)))


def scattered(count: int = 600) -> Large:
    """Stores and loads through integer arrays: subscripts of which nothing is known."""
    draw = random.Random(6)
    lines = ["for i in range(len(p)):"]
    for k in range(count):
        target, source, at = draw.choice("xy"), draw.choice("xy"), draw.choice(["p[i]", "q[i]", f"(i * i + {k}) % 16"])
        lines.append(f"    {target}[{at}] = sin({source}[{draw.choice(['p[i]', 'q[i]'])}]) * 0.5")
    order = np.random.default_rng(0)
    args = (np.ones(16), np.ones(16), order.permutation(16), order.permutation(16))
    return Large("scattered", _function("x, y, p, q", [*lines, "return x[0] + y[1]"]), args)


def pairs(count: int = 61) -> Large:
    """Five stores and three loads a nest, all over the same arrays: every load meets every store."""
    draw = random.Random(7)
    lines = ["n = len(x)"]
    for _ in range(count):
        lines.append("for i in range(2, n - 2):")
        for k in range(5):
            target, one, two = (draw.choice("xyzw") for _ in range(3))
            at = draw.choice(["i", "i + 1", "i - 1", "n - 1 - i", str(k)])
            other = draw.choice(["i", "n - 2 - i", str(k)])
            lines.append(f"    {target}[{at}] = {one}[i + {draw.randint(-2, 2)}] * cos({two}[{other}])")
    source = _function("x, y, z, w", [*lines, "return x[2] + y[3]"])
    return Large("pairs", source, tuple(np.ones(12) for _ in range(4)))


def factorisation(count: int = 25) -> Large:
    """LU, triangular solves and a product, in place, again and again over the same matrices."""
    body = """for k in range(n):
    for i in range(k + 1, n):
        a[i, k] = a[i, k] / a[k, k]
        for j in range(k + 1, n):
            a[i, j] = a[i, j] - a[i, k] * a[k, j]
for i in range(n):
    for k in range(i):
        x[i] = x[i] - a[i, k] * x[k]
for r in range(n):
    i = n - 1 - r
    for k in range(i + 1, n):
        x[i] = x[i] - a[i, k] * x[k]
    x[i] = x[i] / a[i, i]
for i in range(n):
    for j in range(n):
        s = b[i, j] + 1.0
        for k in range(n):
            s = s + a[i, k] * b[k, j]
        a[i, j] = tanh(s)
""".splitlines()
    lines = ["n = a.shape[0]", *(line for _ in range(count) for line in body), "return x[0]"]
    return Large("factorisation", _function("a, b, x", lines), (_grid() + 12 * np.eye(12), _grid(), np.ones(12)))
