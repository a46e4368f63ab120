"""The frontend's work grows as the program does: counted in calls of functions, which no machine changes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adcore.frontend import compile_function
from tests.frontend.support import signature, written


def program(lines: list[str], before: str = "") -> str:
    return f"import numpy as np\n\n\n{before}def f(x, y):\n" + "".join(f"    {line}\n" for line in lines)


def scalars(n: int) -> str:
    return program(
        ["a, b = x[0], x[1]", *(f"{'ab'[k % 2]} = a * 0.5 + b * x[{k % 3}]" for k in range(n)), "return a + b"]
    )


def names(n: int) -> str:
    """Each statement binds a name that is read at the end."""
    return program(
        [*(f"v{k} = x[{k % 3}] * {k}.5" for k in range(n)), "return " + " + ".join(f"v{k}" for k in range(n))]
    )


def loops(n: int) -> str:
    lines = [f"for i in range(1, len(x)):\n        x[i] = y[i - 1] * 0.5 + x[i] * {k}.25" for k in range(n)]
    return program([*lines, "return x[0]"])


def branches(n: int) -> str:
    lines = [f"if x[{k % 3}] > {k}.5:\n        a = a * 0.5\n    else:\n        a = a + {k}.0" for k in range(n)]
    return program(["a = x[0]", *lines, "return a"])


def arrays(n: int) -> str:
    return program(["u = x * 1.0", *(f"u = u * 0.5 + y * {k}.5" for k in range(n)), "return np.sum(u)"])


def calls(n: int) -> str:
    before = "def g(a, b):\n    c = a * b\n    return c + 0.5\n\n\n"
    return program(["a = x[0]", *(f"a = g(a, {k}.5)" for k in range(n)), "return a"], before)


PROGRAMS = (scalars, names, loops, branches, arrays, calls)


def work(function: Callable[..., Any]) -> int:
    """How many functions are called while `function` is compiled."""
    count = 0

    def on_call(*event: object) -> None:
        nonlocal count
        count += event[1] == "call"

    types = signature(function, np.ones(4), np.ones(4))
    before = sys.getprofile()
    sys.setprofile(on_call)
    try:
        compile_function(function, types)
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.slow
@pytest.mark.parametrize("make", PROGRAMS)
def test_work_is_linear(make: Callable[[int], str], tmp_path: Path) -> None:
    # The first time some tables are filled.
    _, small, large = (work(written(tmp_path, make(n))) for n in (10, 60, 240))
    assert large < 4.4 * small
