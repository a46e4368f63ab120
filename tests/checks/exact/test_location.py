"""What a message says of numbers that are not finite, and when the compiler is blamed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pytest_adalloc.checks.checking import examined
from pytest_adalloc.checks.subjects.compiled import CompiledGradient
from pytest_adalloc.checks.task import task_of

BLAME = "a fault of the compiler"


def seen(f: Any, *args: Any) -> str:
    return examined(task_of(f, args, {}, counted=False)).message


def root(x):
    r = x * x
    return np.sqrt(r)


def logs(x):
    total = 0.0
    for i in range(len(x)):
        total += np.log(x[i])
    return total


def test_a_value_that_is_not_finite_is_located() -> None:
    message = seen(logs, np.array([1.0, -2.0]))
    assert "NaN first appears at line" in message
    assert "`np.log(x[i])`, where x[i] = -2 (iteration 2)" in message


def test_an_adjoint_that_is_not_finite_is_located_and_nobody_blamed() -> None:
    message = seen(root, 0.0)
    assert "the adjoint becomes infinity at line" in message
    assert "`np.sqrt(r)`, where r = 0" in message
    assert BLAME not in message


def test_a_gradient_that_contradicts_its_ir_is_a_fault_of_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CompiledGradient, "gradient", lambda self, vector=None: np.array([np.nan]))
    assert BLAME in seen(root, 1.0)


def test_a_value_that_contradicts_its_ir_is_a_fault_of_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    derive = CompiledGradient.derive

    def tampered(self: Any, *args: Any) -> None:
        derive(self, *args)
        primal = self.primal
        self.primal = lambda *given: primal(*given) * (1 + 1e-9)

    monkeypatch.setattr(CompiledGradient, "derive", tampered)
    assert BLAME in seen(root, 1.0)


def test_a_reading_that_is_not_the_function_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    import adcore as ad

    def other(x):
        return np.sqrt(x * x) + (x - 1.0)

    real = ad.reference
    monkeypatch.setattr(ad, "reference", lambda g, *args: real(other, *args))
    message = seen(root, 1.0)
    assert "primal differs from Python" in message
    assert BLAME not in message


def overflowing(x):
    return 1 / (1 + np.exp(-x))


def test_tangents_that_are_not_finite_are_located_and_nobody_blamed() -> None:
    message = seen(overflowing, -800.0)
    assert "forward and reverse mode of overflowing disagree" in message
    assert "the tangent becomes infinity at line" in message
    assert "np.exp(-x)" in message
    assert BLAME not in message


@pytest.mark.parametrize("wrong", [np.nan, 0.7])
def test_a_forward_mode_that_contradicts_its_ir_is_a_fault_of_the_compiler(
    wrong: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CompiledGradient, "forward", lambda self, tangent, vector=None: wrong)
    message = seen(root, 1.0)
    assert "forward and reverse mode of root disagree" in message
    assert BLAME in message


def test_a_forward_mode_of_which_nothing_is_known_is_nobodys_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    import adcore as ad

    def unknown(*args: Any) -> Any:
        raise ad.NoReference("nothing is known")

    monkeypatch.setattr(ad, "reference", unknown)
    monkeypatch.setattr(CompiledGradient, "forward", lambda self, tangent, vector=None: 0.7)
    message = seen(root, 1.0)
    assert "forward and reverse mode of root disagree" in message
    assert BLAME not in message
