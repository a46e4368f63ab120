"""Programs that are long and flat: how many statements, terms or exits they have is no depth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adcore.ir.core import Region, walk
from tests.frontend.support import agrees, check, compiled, written

SIZES = (10, 100)
LONGEST = 2000


def program(lines: list[str]) -> str:
    return "import numpy as np\n\n\ndef f(x):\n" + "".join(f"    {line}\n" for line in lines)


def statements(n: int) -> str:
    return program(["a = x[0]", *(f"a = a * 0.5 + x[{k % 5}]" for k in range(n)), "return a"])


def early_returns(n: int) -> str:
    lines = ["s = 0.0"]
    for k in range(n):
        lines += [f"if x[{k % 5}] > {k % 11 + n // 2}.0:", "    return s", f"s = s + {k}.5 * x[{k % 5}]"]
    return program([*lines, "return s"])


def exits_of_a_loop(n: int) -> str:
    lines = ["s = 0.0", "for k in range(len(x)):"]
    for k in range(n):
        lines += [
            f"    if x[k] > {k % 11 + n // 2}.0:",
            f"        {'continue' if k % 2 else 'break'}",
            f"    s += {k}.5",
        ]
    return program([*lines, "return s"])


def elifs(n: int) -> str:
    lines = ["s, t = 0.0, 1.0"]
    for k in range(n):
        lines += [f"{'el' if k else ''}if x[0] > {n - k}.0:", f"    s = {k}.5 * x[{k % 5}]"]
    return program([*lines, "else:", "    s = x[1] * x[1]", "return s + t"])


def elifs_that_return(n: int) -> str:
    lines = ["s = 0.0"]
    for k in range(n):
        lines += [f"{'el' if k else ''}if x[0] > {n - k}.0:", f"    return {k}.5 * x[{k % 5}]"]
    return program([*lines, "else:", "    return x[1] * x[1]"])


def elifs_that_raise(n: int) -> str:
    lines = ["s = 0.0"]
    for k in range(n):
        lines += [f"{'el' if k else ''}if x[0] > {n - k + 10}.0:", f"    raise ValueError('{k}')"]
    return program([*lines, "else:", "    s = x[1]", "return s"])


def elifs_of_constants(n: int) -> str:
    lines = [f"mode = {n // 2}"]
    for k in range(n):
        lines += [f"{'el' if k else ''}if mode == {k}:", f"    s = {k}.5 * x[{k % 5}]"]
    return program([*lines, "else:", "    s = x[1] * x[1]", "return s"])


def terms(n: int) -> str:
    return program(["return " + " + ".join(f"x[{k % 5}]" for k in range(n))])


def factors(n: int) -> str:
    return program(["a = x[0] / x[0]", "return " + " * ".join(["a"] * n)])


def conjunction(n: int) -> str:
    tests = " and ".join(f"x[{k % 5}] > -{k + 1}.0" for k in range(n))
    return program([f"if {tests}:", "    return x[0] * x[0]", "return x[1]"])


def disjunction(n: int) -> str:
    tests = " or ".join(f"x[{k % 5}] > {n - k}.0" for k in range(n))
    return program([f"if {tests}:", "    return x[0] * x[0]", "return x[1]"])


def array_terms(n: int) -> str:
    return program(["return np.sum(" + " + ".join(f"x * {k}.5" for k in range(n)) + ")"])


def unrolled_exits(n: int) -> str:
    items = ", ".join(f"{n - k}.0" for k in range(min(n, 256)))
    return program(
        ["s = 0.0", f"for limit in ({items},):", "    if x[0] > limit:", "        break", "    s += limit", "return s"]
    )


PROGRAMS = (
    statements, early_returns, exits_of_a_loop, elifs, elifs_that_return, elifs_that_raise, elifs_of_constants, terms,
    factors, conjunction, disjunction, array_terms, unrolled_exits,
)  # fmt: skip


def depth(region: Region) -> int:
    return 1 + max((depth(inner) for instr in region.body for inner in instr.regions), default=0)


CASES = [
    *(pytest.param(make, size, id=f"{make.__name__}-{size}") for make in PROGRAMS for size in SIZES),
    *(pytest.param(make, LONGEST, id=make.__name__, marks=pytest.mark.slow) for make in PROGRAMS),
]


@pytest.mark.parametrize(("make", "size"), CASES)
def test_long_programs(make: Callable[[int], str], size: int, tmp_path: Path) -> None:
    function = written(tmp_path, make(size))
    program = compiled(function, np.zeros(5))
    for first in (0.5, 5.0, size / 2 + 3.0, size + 100.0):
        check(program, function, np.array([first, 0.25, 0.5, 0.75, 2.0]))
    assert depth(program.module.main.region) < 75


def arrays_between(x: Any) -> Any:
    if x[0] > 9.0:
        return 1.0
    u = x * 2.0
    if u[0] > 9.0:
        return 2.0
    v = u[1:]
    return v[0]


def test_arrays_outlive_exits() -> None:
    """What can't outlive a branch stays inside of it, however deep."""
    agrees(arrays_between, np.array([1.0, 2.0]))


def test_arrays_outlive_many_exits(tmp_path: Path) -> None:
    lines = ["u = x"]
    for k in range(90):
        lines += [f"if u[0] > {k + 5}.0:", f"    return u[{k % 2}]", f"u = {'u[:]' if k % 3 else 'u + 0.5'}"]
    function = written(tmp_path, program([*lines, "return u[1]"]))
    program_of_it = compiled(function, np.zeros(2))
    for first in (0.5, 6.0, 100.0):
        check(program_of_it, function, np.array([first, 2.0]))


def test_conditions_are_compiled_once_each(tmp_path: Path) -> None:
    """Each operand of `and` would be compiled twice for each one before it, if a trial were thrown away."""
    sizes = []
    for n in (20, 40):
        program = compiled(written(tmp_path, conjunction(n)), np.zeros(5))
        sizes.append(sum(1 for _ in walk(program.module.main.region)))
    assert sizes[1] <= 2.2 * sizes[0]


@pytest.mark.parametrize("size", [5, 40])
def test_types_that_travel_through_a_loop(size: int, tmp_path: Path) -> None:
    """A line of delays: each iteration hands a float one name further, to names that were ints."""
    lines = [*(f"a{k} = 0" for k in range(size)), "for i in range(len(x)):"]
    lines += [*(f"    a{k} = a{k + 1}" for k in range(size - 1)), f"    a{size - 1} = x[i]", "return a0"]
    agrees(written(tmp_path, program(lines)), np.linspace(0.5, 1.5, size + 3))
