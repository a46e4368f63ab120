"""Programs that are long and not deep: no recursion of the compiler follows their length."""

from __future__ import annotations

import linecache
from typing import Any

import numpy as np
import pytest

import adcore as ad

CONSTANTS = [0.1 + 0.01 * (k % 7) for k in range(300)]


def chain(count: int) -> Any:
    """A loop whose body is a flat chain: each statement reads the one before, all are computed again in reverse."""
    lines = ["def chain(x):", "    s = 0.0", "    for i in range(len(x)):", "        t = x[i]"]
    for c in CONSTANTS[:count]:
        lines += [f"        r = t * {c!r} + 0.5", "        t = r / (1.0 + t * t) + 0.1 * x[i]"]
    text = "\n".join([*lines, "        s += t", "    return s"]) + "\n"
    name = f"<chain {count}>"
    names: dict[str, Any] = {}
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    exec(compile(text, name, "exec"), names)
    return names["chain"]


def derivative(x: float, count: int) -> float:
    """That of one iteration, by the chain rule."""
    t, dt = x, 1.0
    for c in CONSTANTS[:count]:
        r, dr = t * c + 0.5, dt * c
        below = 1.0 + t * t
        t, dt = r / below + 0.1 * x, dr / below - r * 2.0 * t * dt / below**2 + 0.1
    return dt


@pytest.mark.parametrize("count", [40, 150])
def test_a_flat_chain_of_statements(count: int) -> None:
    x = np.linspace(0.1, 0.9, 5)
    np.testing.assert_allclose(ad.grad(chain(count))(x), [derivative(v, count) for v in x], rtol=1e-13)
