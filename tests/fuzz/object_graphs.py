"""Random classes, and random graphs of their instances, with methods that read and assign what is in them.

Plain classes, classes with slots and dataclasses; inheritance, `super()`, properties with setters, `__call__`,
operators, enums; objects in attributes and lists, shared or not; attributes swapped, replaced, and assigned on some
paths only; exceptions in the midst of it.
"""

from __future__ import annotations

import random

HEAD = """
import enum
from dataclasses import dataclass

import numpy as np


class Kind(enum.Enum):
    A = 1
    B = 2

"""

STEPS = (
    "self.a = self.a * x",
    "self.b += x",
    "self.n += 1",
    "self.p = x + self.b",
    "self.a, self.b = self.b, self.a",
    "self.a = self.a + 1.0 if self.kind is Kind.A else self.a * 0.5",
    "for i in range(3):\n            self.a = self.a * 0.5 + x * i\n            self.n += 1",
    "if x > 1.0:\n            self.b = x * x",
    "if self.a > self.b:\n            self.n += 2\n        elif self.n > 0:\n            self.b = self.b - x",
    "if self.b > 50.0:\n            raise ValueError(f'{self.b:.3f} is big')",
)

RESULTS = ("self.a * self.b", "self.p + x", "self.a + self.n * x")

BOX_STEPS = (
    "self.total += self.u.m(x)",
    "self.total = self.total + self.v(x) * 0.5",
    "for one in self.items:\n            self.total += one.m(x * 0.5)",
    "self.w = self.w * x",
    "self.u, self.v = self.v, self.u",
    "self.w[0] += x",
    "t = self.u * x\n        self.total += t.a + t.m(x)",
    "self.u.a += self.v.b",
    "if self.u is self.v:\n            self.total += 1.0",
    "self.v.kind = Kind.B",
    "if x > 1.2:\n            self.total *= 2.0",
    "self.items[0].b = self.total",
    "self.total += float(self.w.sum()) * self.u.p",
)


def program(seed: int) -> str:
    """A module with a class `Box`, whose method `run(x)` returns a float, and `make()` for one."""
    rng = random.Random(seed)
    lines, names = [HEAD], []
    for k in range(2):
        name, style = f"C{k}", rng.choice(("plain", "slots", "dataclass", "dataclass"))
        lines += _class(rng, name, style)
        names.append(name)
        if style != "slots" and rng.random() < 0.4:
            lines += _subclass(name, style)
            names.append(f"{name}S")
    steps = "\n        ".join(rng.choice(BOX_STEPS) for _ in range(rng.randint(2, 5)))
    lines += [
        "class Box:",
        "    def __init__(self, u, v, items):",
        "        self.u, self.v, self.items, self.w, self.total = u, v, items, np.array([1.0, 2.0]), 0.0",
        "    def run(self, x):",
        f"        {steps}",
        "        return float(self.total + self.u.a * self.v.b)",
    ]
    made = [_made(rng, names) for _ in range(4)]
    shared = rng.random()
    second, third = "p" if shared < 0.3 else made[1], "p" if shared > 0.7 else made[2]
    last = made[3] if rng.random() < 0.5 else "r"
    lines += ["def make():", f"    p = {made[0]}", f"    q = {second}", f"    r = {third}"]
    return "\n".join((*lines, f"    return Box(p, q, [r, {last}])", ""))


def _class(rng: random.Random, name: str, style: str) -> list[str]:
    if style == "dataclass":
        head = ["@dataclass", f"class {name}:", "    a: float", "    b: float = 2.0", "    n: int = 0"]
        head += ["    kind: Kind = Kind.A"]
    else:
        slots = ["    __slots__ = ('a', 'b', 'n', 'kind')"] if style == "slots" else []
        head = [f"class {name}:", *slots, "    def __init__(self, a, b=2.0, n=0, kind=Kind.A):"]
        head += ["        self.a, self.b, self.n, self.kind = a, b, n, kind"]
    steps = "\n        ".join(rng.choice(STEPS) for _ in range(rng.randint(1, 4)))
    return [
        *head,
        "    @property",
        "    def p(self):",
        f"        return self.a * {rng.choice(('self.b', '2.0', 'self.a'))}",
        "    @p.setter",
        "    def p(self, value):",
        "        self.a = value / 2.0",
        "    def m(self, x):",
        f"        {steps}",
        f"        return {rng.choice(RESULTS)}",
        "    def __mul__(self, k):",
        f"        return {name}(self.a * k, self.b * k, self.n)",
        "    def __call__(self, x):",
        "        return self.m(x) + self.a",
    ]


def _subclass(name: str, style: str) -> list[str]:
    return [
        *(["@dataclass"] if style == "dataclass" else []),
        f"class {name}S({name}):",
        "    def m(self, x):",
        "        y = super().m(x)",
        "        self.b = self.b + y * 0.1",
        "        return y * self.b",
    ]


def _made(rng: random.Random, names: list[str]) -> str:
    a, b = rng.uniform(0.5, 2.0), rng.uniform(0.5, 2.0)
    return f"{rng.choice(names)}({a:.3f}, {b:.3f}, {rng.randint(0, 3)}, Kind.{rng.choice('AB')})"
