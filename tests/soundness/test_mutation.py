"""The harness of mutation: mutants change what runs, those that matter are killed, and what is right survives."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pytest_adalloc import check_gradient, check_vjp
from tests.soundness.mutation import __main__ as runner
from tests.soundness.mutation.__main__ import survives
from tests.soundness.mutation.functions import FUNCTIONS
from tests.soundness.mutation.mutants import mutants
from tests.soundness.mutation.programs import in_place, read_between_stores, sum_in_a_loop
from tests.soundness.mutation.rules import broken_rules

SOURCE = """
class Counter:
    def __init__(self):
        self.seen = []

    @property
    def empty(self):
        return True if not self.seen and self.seen == [] else False

    def count(self, numbers):
        total = 0
        for n in numbers:
            if n > 1:
                self.seen.append(n)
                total += n
        return total
"""


@pytest.fixture
def module(tmp_path: Path) -> Iterator[types.ModuleType]:
    path = tmp_path / "counting.py"
    path.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location("counting", path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    sys.modules["counting"] = made  # where its source is looked for
    yield made
    del sys.modules["counting"]


def test_each_place_is_changed_once(module: types.ModuleType) -> None:
    assert [(m.line, m.kind) for m in mutants(module)] == [
        (4, "without self.seen = []"),
        (8, "without the part not self.seen"),
        (8, "without the part self.seen == []"),
        (8, "True for not self.seen and self.seen == []"),
        (8, "False for not self.seen and self.seen == []"),
        (14, "without self.seen.append(n)"),
        (15, "without total += n"),
        (13, "True for n > 1"),
        (13, "False for n > 1"),
    ]


@pytest.mark.parametrize(
    ("kind", "total", "seen"),
    [("without self.seen.append(n)", 5, []), ("True for n > 1", 6, [1, 2, 3]), ("without total += n", 0, [2, 3])],
)
def test_a_mutant_runs_in_the_place_of_the_function(
    module: types.ModuleType, kind: str, total: int, seen: list[int]
) -> None:
    counter = module.Counter()
    next(m for m in mutants(module) if m.kind == kind).apply()
    assert (counter.count([1, 2, 3]), counter.seen) == (total, seen)


def test_a_property_is_changed_too(module: types.ModuleType) -> None:
    counter = module.Counter()
    next(m for m in mutants(module) if m.kind.startswith("False for not self.seen and")).apply()
    assert not counter.empty


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    """What a process of its own would import otherwise, each time."""
    check_gradient(lambda x: np.sum(x * x), np.array([0.5]))


def test_a_broken_rule_is_seen_and_a_right_one_survives() -> None:
    broken = next(r for r in broken_rules() if r.op == "sin" and "thousandth" in r.change)
    assert survives(lambda: None, FUNCTIONS["sin"])
    assert not survives(broken.apply, FUNCTIONS["sin"])
    assert survives(broken.apply, FUNCTIONS["exp"])


@pytest.mark.parametrize("kind", ["self.builder.emit_many('accumulate', (cotangent, *self.place(instr)), {})"])
def test_a_dropped_accumulation_is_seen(kind: str) -> None:
    reverse_sweep = importlib.import_module("adcore.transform.diff.reverse_sweep")
    dropped = next(m for m in mutants(reverse_sweep) if m.kind == f"without {kind}")
    x = np.array([0.3, 0.8, 1.7])
    assert survives(lambda: None, [(sum_in_a_loop, (x,))])
    assert not survives(dropped.apply, [(sum_in_a_loop, (x,))])


@pytest.mark.slow
def test_every_rule_is_seen() -> None:
    """But for what is no rule: by the operand that gives copysign its sign there is no derivative."""
    found = {str(r) for r in broken_rules() if survives(r.apply, FUNCTIONS[r.op])}
    assert {text.split(":")[0] for text in found} <= {"rule of copysign, operand 1"}


@pytest.mark.slow
def test_every_store_in_the_reverse_sweep_matters() -> None:
    reverse_sweep = importlib.import_module("adcore.transform.diff.reverse_sweep")
    x = np.array([0.3, 0.8, 1.7])
    stores = [m for m in mutants(reverse_sweep) if "emit_many('store', (zero_of(" in m.kind]
    assert stores
    for mutant in stores:
        assert not survives(mutant.apply, [(in_place, (x,)), (read_between_stores, (x,))])


def scaled_sines(x):
    y = np.zeros(len(x))
    for i in range(len(x)):
        y[i] = np.sin(x[i]) * x[0]
    return y


@pytest.mark.slow
def test_dropped_seeds_of_arrays_are_seen_by_products(monkeypatch: pytest.MonkeyPatch) -> None:
    reverse_sweep = importlib.import_module("adcore.transform.diff.reverse_sweep")
    monkeypatch.setattr(runner, "check_gradient", check_vjp)
    monkeypatch.setattr(runner, "leaves_alike", lambda f, args: True)
    tried = [(scaled_sines, (np.array([0.3, 0.8, 1.7]),))]
    assert survives(lambda: None, tried)
    dropped = [m for m in mutants(reverse_sweep) if m.kind == "without emit_loop_nest(self.builder, seed, body)"]
    assert [survives(m.apply, tried) for m in dropped] == [False]
