"""How often a program is compiled: as often for 160 lists, or operations on numbers of either kind, as for 10."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adcore.frontend import compile as compiler
from tests.frontend.support import agrees, written

SIZES = (1, 10, 40, 160)


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Grows by one element for each compilation."""
    seen: list[object] = []
    original = compiler._Compilation.program

    def counted(self: Any) -> Any:
        seen.append(self)
        return original(self)

    monkeypatch.setattr(compiler._Compilation, "program", counted)
    return seen


def program(lines: list[str]) -> str:
    return "def f(x, n):\n" + "".join(f"    {line}\n" for line in [*lines, "return s"])


def lists(count: int) -> str:
    """Lists of known length that are read at subscripts that are not."""
    made = [f"l{i} = [x[k % 2] + {i}.0 for k in range(12)]" for i in range(count)]
    return program([*made, "s = 0.0", "for k in range(n):", *(f"    s += l{i}[k % 12]" for i in range(count))])


def stored(count: int) -> str:
    """Lists that are written at such subscripts, first with ints and then with floats."""
    made = [f"l{i} = [0] * 12" for i in range(count)]
    stores = [line for i in range(count) for line in (f"    l{i}[k % 12] = k", f"    l{i}[k % 5] = x[0]")]
    return program([*made, "for k in range(n):", *stores, "s = 0.0", *(f"s += l{i}[0]" for i in range(count))])


def derived(count: int) -> str:
    """Lists whose elements have the types of another list's."""
    made = [f"l{i} = [0] * 12" for i in range(count)]
    stores = ["    l0[k] = x[0]", *(f"    l{i}[k] = l{i - 1}[k]" for i in range(1, count))]
    return program([*made, "for k in range(n):", *stores, "s = 0.0", *(f"s += l{i}[1]" for i in range(count))])


def of_unknown_length(count: int) -> str:
    made = [f"l{i} = [x[k % 2] * {i}.0 for k in range(n)]" for i in range(count)]
    return program([*made, "s = 0.0", *(f"s += l{i}[0]" for i in range(count))])


def widened(count: int) -> str:
    """Lists of ints of a length that is not known, which get floats later."""
    made = [f"l{i} = [k for k in range(n)]" for i in range(count)]
    return program(
        [*made, *(f"l{i}[1] = x[0]" for i in range(count)), "s = 0.0", *(f"s += l{i}[1]" for i in range(count))]
    )


def mixed(count: int) -> str:
    """Lists that hold numbers of Python and of NumPy, of which it matters which an item is."""
    made = [f"l{i} = [0.5] * (n + 2)" for i in range(count)]
    stores = [f"l{i}[1] = x[{i % 2}]" for i in range(count)]
    return program([*made, *stores, "s = 0.0", *(f"s += 1.0 / l{i}[n % 2]" for i in range(count))])


def kinds(count: int) -> str:
    """Divisions by numbers of which only a run tells whether they are Python's."""
    return program(["s = 0.0", *(f"s = s + 1.0 / max(x[{i % 2}], {i}.5)" for i in range(count))])


def rebound(count: int) -> str:
    """Names that stand for another array after each iteration."""
    made = [f"u{i} = x + {i}.0" for i in range(count)]
    steps = [f"    u{i} = u{i} * 0.5" for i in range(count)]
    return program([*made, "for k in range(n):", *steps, "s = 0.0", *(f"s += u{i}[0]" for i in range(count))])


PROGRAMS = (lists, stored, derived, of_unknown_length, widened, mixed, kinds, rebound)


@pytest.mark.slow
@pytest.mark.parametrize("make", PROGRAMS)
def test_compilations_do_not_grow_with_the_program(
    make: Callable[[int], str], compilations: list[object], tmp_path: Path
) -> None:
    needed: list[int] = []
    for size in SIZES:
        compilations.clear()
        agrees(written(tmp_path, make(size)), np.array([1.0, 2.0]), 4)
        needed.append(len(compilations))
    assert len(set(needed)) == 1
    assert needed[0] <= 3


def test_a_list_of_unknown_length_is_compiled_once(compilations: list[object], tmp_path: Path) -> None:
    agrees(written(tmp_path, of_unknown_length(3)), np.array([1.0, 2.0]), 4)
    assert len(compilations) == 1


def test_types_against_the_order_of_the_program(compilations: list[object], tmp_path: Path) -> None:
    """A loop that hands floats from list to list, the last one first: that takes one compilation for each at most."""
    made = [f"l{i} = [0] * 12" for i in range(5)]
    moves = [*(f"    l{i}[k] = l{i + 1}[k]" for i in range(4)), "    l4[k] = x[0]"]
    text = program([*made, "for k in range(n):", *moves, "s = l0[0] + l4[1]"])
    agrees(written(tmp_path, text), np.array([1.5, 2.0]), 4)
    assert len(compilations) <= 7


def one_of_ten(a: Any, k: int) -> Any:
    items = [a, a, a, a, a, a, a, a, a, a]
    return items[k]


def one_literal_of_two_types(x: Any, n: int) -> Any:
    s = 0.0
    for k in range(n):
        s += one_of_ten(1, k) + one_of_ten(0.5, k) * x[0]
    return s


def test_one_literal_holds_ints_in_one_call_and_floats_in_another() -> None:
    agrees(one_literal_of_two_types, np.array([1.0, 2.0]), 3)


def refused_late(x: Any, n: int) -> Any:
    items = [x[0] for k in range(12)]
    s = items[n % 12]
    return s + undefined_name  # type: ignore[name-defined]  # noqa: F821


def test_what_is_refused_is_said_once() -> None:
    from adcore.errors import CompileError

    with pytest.raises(CompileError) as caught:
        agrees(refused_late, np.array([1.0, 2.0]), 3)
    assert [d.title for d in caught.value.diagnostics] == ["`undefined_name` is not defined"]
