"""Globals and closure variables: what is baked in, what becomes a parameter, how a change is noticed."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from adcore import captures
from adcore.errors import CompileError
from tests.frontend.support import agrees, compiled, run

FACTOR = 2.0
WEIGHTS = np.array([1.0, 10.0])
NESTED = (1.0, (2, WEIGHTS), [3.0, 4.0])


@dataclasses.dataclass
class Options:
    step: float
    table: np.ndarray


OPTIONS = Options(0.5, WEIGHTS)


def helper(x):
    return x * FACTOR


def uses_number(x):
    return helper(x) + FACTOR


def uses_arrays(x):
    WEIGHTS[0] = 5.0
    return x * WEIGHTS[1] + NESTED[1][1][0] + NESTED[0] + NESTED[2][1] + OPTIONS.step * OPTIONS.table[1]


def test_numbers_are_baked_in_once():
    program = compiled(uses_number, 1.0)
    numbers = {c.path: c.value for c in program.captures if isinstance(c.value, float)}
    assert numbers == {"FACTOR": 2.0}
    assert len(program.module.main.params) == 1


def test_a_change_is_noticed(monkeypatch):
    program = compiled(uses_number, 1.0)
    assert all(c.unchanged() for c in program.captures)
    monkeypatch.setitem(globals(), "FACTOR", 2)
    assert [c.path for c in program.captures if not c.unchanged()] == ["FACTOR"]
    monkeypatch.setitem(globals(), "FACTOR", 2.0)
    assert all(c.unchanged() for c in program.captures)
    monkeypatch.delitem(globals(), "FACTOR")
    assert not all(c.unchanged() for c in program.captures)


def test_another_function_is_noticed(monkeypatch):
    program = compiled(uses_number, 1.0)
    monkeypatch.setitem(globals(), "helper", lambda x: x)
    assert "helper" in [c.path for c in program.captures if not c.unchanged()]


def test_arrays_are_parameters(monkeypatch):
    program = agrees(uses_arrays, 3.0)
    arrays = [c for c in program.captures if c.arg is not None]
    assert [c.path for c in arrays] == ["WEIGHTS", "NESTED[1][1]", "OPTIONS.table"]
    assert len(program.module.main.params) == 1 + len(arrays)
    WEIGHTS[:] = 1.0, 20.0
    assert run(program, 3.0) == uses_arrays(3.0)
    assert all(c.unchanged() for c in program.captures)
    monkeypatch.setitem(globals(), "WEIGHTS", np.ones(3, np.float32))
    assert [c.path for c in arrays if not c.unchanged()] == ["WEIGHTS"]
    WEIGHTS[:] = 1.0


def test_closures():
    k, table = 3, np.array([2.0, 4.0])

    def f(x):
        return x * k + table[k % 2]

    program = agrees(f, 1.5)
    assert {c.path for c in program.captures} == {"k", "table"}
    k = 4
    assert [c.path for c in program.captures if not c.unchanged()] == ["k"]
    k = 3


def test_lists_are_watched_item_by_item():
    values = [1.0, 2.0]

    def f(x):
        return x * values[0] + len(values)

    program = agrees(f, 1.0)
    values[0] = 5.0
    assert [c.path for c in program.captures if not c.unchanged()] == ["values[0]"]
    values[0] = 1.0
    values.append(3.0)
    assert "len(values)" in [c.path for c in program.captures if not c.unchanged()]


def test_a_name_without_a_value():
    def f(x):
        return x * later

    with pytest.raises(CompileError, match="no value yet"):
        compiled(f, 1.0)
    later = 1.0


def test_other_objects_are_refused():
    settings = SimpleNamespace(step=0.5)
    table = {"a": 1.0}

    def f(x):
        return x * settings.step + table["a"]

    with pytest.raises(CompileError) as caught:
        compiled(f, 1.0)
    assert [d.title.split(" ")[0] for d in caught.value.diagnostics] == ["attributes"]


def test_an_array_of_another_kind_is_refused():
    strange = np.zeros(2, np.complex128)

    def f(x):
        return x * strange[0]

    with pytest.raises(CompileError, match="complex128"):
        compiled(f, 1.0)


@pytest.mark.parametrize(
    ("a", "b", "equal"),
    [
        (1.0, 1.0, True), (0.0, -0.0, False), (1, 1.0, False), (True, 1, False), (float("nan"), float("nan"), True),
        ((1, 2.0), (1, 2.0), True), ((1, 2), (1, 3), False), ("a", "a", True), ([1], [1], False),
        (np.float32(1), np.float32(1), True), (np.float32(1), np.float32(2), False),
    ],
)  # fmt: skip
def test_same_value(a, b, equal):
    assert captures.same_value(a, b) is equal
