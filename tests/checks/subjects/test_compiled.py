"""The compiler's gradients under check: every verdict, every kind of argument, and the messages word by word."""

from __future__ import annotations

import math
import pickle
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

import pytest_adalloc
from pytest_adalloc import hooks
from pytest_adalloc.checks.checking import examined
from pytest_adalloc.checks.exact.slopes import PointReference
from pytest_adalloc.checks.subjects import compiled
from pytest_adalloc.checks.subjects.compiled import CompiledGradient
from pytest_adalloc.checks.task import task_of
from pytest_adalloc.checks.verdict.grad_report import GradReport
from pytest_adalloc.hooks.install.process import installed

HERE = str(Path(__file__))


def rosenbrock(x):
    total = 0.0
    for i in range(len(x) - 1):
        total += 100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2
    return total


def read_square_clear(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[i]
        x[i] = 0.0
    return total


def product_into(out, factors):
    out[0] = factors[0] * factors[1]


def mixed(x, y, n):
    return math.sin(x) * y**n


class Pair(NamedTuple):
    mass: float
    place: Any


@dataclass
class Body:
    mass: float
    place: Any


@dataclass(frozen=True)
class FrozenBody:
    mass: float
    place: Any


def energy(body):
    total = 0.0
    for v in body.place:
        total += body.mass * v * v
    return total


X = np.linspace(-1, 1, 8)


def seen(f: Any, *args: Any, **options: Any) -> GradReport:
    counted = options.pop("counted", True)
    known = options.pop("known", None)
    task = task_of(f, args, options, counted=counted)
    chosen = task.options.completed(calls=10, seed=0, scope="thread")
    return examined(replace(task, options=chosen, known=known))


def test_a_right_gradient_without_allocations_passes() -> None:
    report = pytest_adalloc.check(rosenbrock, X)
    assert report.verdict == "passed"
    assert report.allocs_per_call == (0,) * 100
    assert report.bytes_per_call == (0,) * 100
    assert report.value == rosenbrock(X)
    assert report.max_error < 1e-10
    assert report.gradients[0] == pytest.approx(hand_written(X))
    assert report.certificate.proven
    assert report.workspace_bytes == 0
    assert report.worst is not None
    assert report.worst.argument == "x"
    assert any(str(witness).startswith("relocation slots: agrees (both canaries seen") for witness in report.witnesses)
    assert report.headline().startswith("rosenbrock: 0 allocations in 100 calls (malloc family, 2 of 2 canaries seen)")
    with pytest.raises(TypeError, match="a GradReport is no boolean"):
        bool(report)


def hand_written(x: Any) -> Any:
    g = np.zeros_like(x)
    g[:-1] += -400 * x[:-1] * (x[1:] - x[:-1] ** 2) - 2 * (1 - x[:-1])
    g[1:] += 200 * (x[1:] - x[:-1] ** 2)
    return g


def test_arguments_are_left_alone() -> None:
    x = np.arange(1.0, 11.0)
    report = seen(read_square_clear, x)
    assert report.verdict == "passed"
    assert x.tolist() == list(range(1, 11))
    assert report.gradients[0] == pytest.approx(2 * x)


def test_what_is_stored_is_reported() -> None:
    report = seen(read_square_clear, np.arange(1.0, 11.0))
    assert report.workspace_bytes == 80
    assert report.workspace_formula == "8*len(x)"
    assert [record.value for record in report.stored] == ["x[i]"]
    assert "workspace 80 bytes (8*len(x))" in report.headline()
    assert any("stored: `x[i]`" in line and "80 bytes" in line for line in report.details())


@pytest.mark.parametrize("mode", ["reverse", "forward", "both"])
def test_modes(mode: str) -> None:
    report = seen(mixed, 1.0, 2.0, 3, mode=mode)
    assert report.verdict == "passed"
    assert report.gradients == pytest.approx((math.cos(1) * 8, math.sin(1) * 12))
    assert len(report.allocs_per_call) == 10


def test_second_derivatives() -> None:
    report = seen(rosenbrock, X, order=2)
    assert report.verdict == "passed"
    assert "second derivatives agree along random directions" in report.notes


@pytest.mark.parametrize(
    ("f", "args", "gradients"),
    [
        (energy, (Body(2.0, np.ones(2)),), Body(2.0, np.array([4.0, 4.0]))),
        (energy, (FrozenBody(2.0, np.ones(2)),), FrozenBody(2.0, np.array([4.0, 4.0]))),
        (energy, (Pair(2.0, np.ones(2)),), Pair(2.0, np.array([4.0, 4.0]))),
    ],
    ids=["dataclass", "frozen", "named tuple"],
)
def test_records(f: Any, args: Any, gradients: Any) -> None:
    report = seen(f, *args)
    assert report.verdict == "passed", report.message
    assert len(report.allocs_per_call) == 10
    (found,) = report.gradients
    assert type(found) is type(gradients)
    assert found.mass == gradients.mass
    assert found.place.tolist() == gradients.place.tolist()


def test_a_frozen_record_is_checked_with_a_note() -> None:
    report = seen(energy, FrozenBody(2.0, np.ones(2)))
    assert any("was not compared again" in note for note in report.notes)
    assert not any("was not compared again" in note for note in seen(energy, Body(2.0, np.ones(2))).notes)


def test_lists_and_tuples() -> None:
    def f(matrices, numbers, pair):
        return matrices[0][0, 1] * numbers[1] + pair[0] * matrices[1][0, 0] * pair[1]

    report = seen(f, [np.ones((1, 2)), 3 * np.ones((1, 2))], [2.0, 5.0], (7.0, 11.0))
    assert report.verdict == "passed", report.message
    matrices, numbers, pair = report.gradients
    assert [m.tolist() for m in matrices] == [[[0, 5]], [[77, 0]]]
    assert (numbers, pair) == ([0.0, 1.0], (33.0, 21.0))


def test_nothing_returned_means_the_sum_of_what_is_written() -> None:
    report = seen(product_into, np.zeros(1), np.array([2.0, 3.0]))
    assert report.verdict == "passed"
    assert [g.tolist() for g in report.gradients] == [[0.0], [3.0, 2.0]]
    assert "nothing is returned: differentiated is the sum of what is written into out" in report.notes


def test_one_buffer_for_both_is_right_too() -> None:
    x = np.array([2.0, 3.0])
    report = seen(product_into, x, x)
    assert report.verdict == "passed", report.message
    assert report.gradients[1].tolist() == [3.0, 3.0]


def test_chosen_arguments_alone() -> None:
    report = seen(mixed, 1.0, 2.0, 3, wrt="y")
    assert report.verdict == "passed"
    assert report.gradients == pytest.approx((math.sin(1) * 12,))


def test_empty_zero_dimensional_and_zero_trip() -> None:
    assert seen(rosenbrock, np.zeros(0)).verdict == "passed"
    assert seen(rosenbrock, np.ones(1)).verdict == "passed"

    def square(x):
        return x[()] ** 2

    assert seen(square, np.array(3.0)).gradients[0] == pytest.approx(6.0)


@pytest.mark.slow
def test_many_elements() -> None:
    def squares(x):
        total = 0.0
        for v in x:
            total += v * v
        return total

    report = seen(squares, np.linspace(-1, 1, 200_000))
    assert report.verdict == "passed", report.message
    assert "80-bit slopes of all 200000 components" in report.differences


# Verdicts


def test_verdict_gradient_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    right = CompiledGradient.gradient
    monkeypatch.setattr(CompiledGradient, "gradient", lambda self, vector=None: right(self, vector) * 1.0001)
    report = seen(rosenbrock, X)
    assert report.verdict == "gradient wrong"
    assert report.allocs_per_call == ()
    assert "a fault of the compiler" in report.message


def test_verdict_gradient_wrong_by_forward_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    right = CompiledGradient.forward
    monkeypatch.setattr(
        CompiledGradient, "forward", lambda self, tangent, vector=None: right(self, tangent, vector) * (1 + 1e-6)
    )
    report = seen(rosenbrock, X)
    assert report.verdict == "gradient wrong"
    assert "forward and reverse mode of rosenbrock disagree" in report.message


def test_verdict_gradient_wrong_after_the_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    right = CompiledGradient.count

    def drifting(self: Any, calls: Any, scope: Any) -> Any:
        return tuple(replace(count, result=count.result + 1e-3) for count in right(self, calls, scope))

    monkeypatch.setattr(CompiledGradient, "count", drifting)
    assert "the derivative along (1, 1, ...) was" in seen(rosenbrock, X, mode="forward").message
    report = seen(rosenbrock, X)
    assert report.verdict == "gradient wrong"
    assert "changed over 10 calls with the same arguments" in report.message


def test_verdict_gradient_wrong_in_second_order(monkeypatch: pytest.MonkeyPatch) -> None:
    right = CompiledGradient.second
    monkeypatch.setattr(CompiledGradient, "second", lambda self, vector: right(self, vector) * 1.01)
    report = seen(rosenbrock, X, order=2)
    assert report.verdict == "gradient wrong"
    assert "second derivatives of rosenbrock" in report.message


def test_verdict_primal_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    derive = CompiledGradient.derive

    def tampered(self: Any, *args: Any) -> None:
        derive(self, *args)
        primal = self.primal
        self.primal = lambda *a: primal(*a) * (1 + 1e-9)

    monkeypatch.setattr(CompiledGradient, "derive", tampered)
    report = seen(rosenbrock, X)
    assert report.verdict == "primal differs from Python"
    assert "rosenbrock, the value" in report.message


def test_verdict_primal_differs_in_what_it_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    derive = CompiledGradient.derive

    def tampered(self: Any, *args: Any) -> None:
        derive(self, *args)
        primal = self.primal

        def writes_elsewhere(x: Any) -> Any:
            value = primal(x)
            x[3] = 1e-9
            return value

        self.primal = writes_elsewhere

    monkeypatch.setattr(CompiledGradient, "derive", tampered)
    report = seen(read_square_clear, np.arange(1.0, 11.0))
    assert report.verdict == "primal differs from Python"
    assert "what it writes into x[3]" in report.message


def test_verdict_kink_and_edge() -> None:
    def absolute(x):
        return abs(x)

    def root(x):
        return math.sqrt(x)

    assert seen(absolute, 0.0).verdict == "kink"
    assert seen(root, 0.0).verdict == "edge of the domain"
    assert seen(root, -1.0).verdict == "edge of the domain"
    assert seen(rosenbrock, np.array([1.0, math.nan])).verdict == "edge of the domain"
    assert seen(root, 4.0).verdict == "passed"


def test_verdict_unreliable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PointReference, "of", lambda *_: None)  # as where the compiler can't read a function

    def cancels(x):
        return (0.1 * x + 1e12) - 1e12

    assert seen(cancels, 1.0).verdict == "finite differences unreliable here"


def test_verdict_workspace_too_large() -> None:
    report = seen(read_square_clear, np.arange(1.0, 11.0), max_workspace=0)
    assert report.verdict == "workspace too large"
    assert "`x[i]`" in report.message
    assert "line" in report.message
    assert seen(read_square_clear, np.arange(1.0, 11.0), max_workspace=80).verdict == "passed"
    assert seen(rosenbrock, X, max_workspace=0).verdict == "passed"


def test_verdict_not_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    unproven = SimpleNamespace(proven=False, external_symbols=("foo",), unproven=("it calls `foo`",))
    monkeypatch.setattr(CompiledGradient, "certificate", unproven)
    report = seen(rosenbrock, X)
    assert report.verdict == "not proven"
    assert "it calls `foo`" in report.message
    accepted = seen(rosenbrock, X, prove="report")
    assert accepted.verdict == "passed"
    assert any("not proven: it calls `foo`" in line for line in accepted.details())
    assert seen(rosenbrock, X, prove="off").certificate is None


def test_verdict_cannot_compile() -> None:
    def opens(x):
        with open("never") as file:
            file.read()
        return x

    report = seen(opens, 1.0)
    assert report.verdict == "cannot compile"
    assert "`with` is not supported" in report.message
    assert seen(math.sin, 1.0).verdict == "cannot compile"


def test_hooks_that_the_code_bypasses_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the allocator's own functions are patched they see that code, and all is well."""
    monkeypatch.setattr(compiled, "_link_path_seen", False)
    monkeypatch.setattr(hooks, "hook_addresses", lambda: dict(installed().slots.originals))
    points = installed().entry_points
    if points.complete:
        assert seen(rosenbrock, X).verdict == "passed"
        monkeypatch.setattr(compiled, "_link_path_seen", False)
    points.suspend("left out by a test")
    try:
        with pytest.raises(hooks.HooksDead, match=r"counted \(0, 0, 0\) in 3 calls: a count of 0 would mean nothing"):
            seen(rosenbrock, X)
    finally:
        points.resume()


def test_a_dead_canary_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def dead(*args: Any, **options: Any) -> Any:
        raise hooks.HooksDead("the canary was not seen")

    monkeypatch.setattr(hooks, "measure_native", dead)
    with pytest.raises(hooks.HooksDead, match="the canary was not seen"):
        pytest_adalloc.check(rosenbrock, X)


@pytest.mark.parametrize(
    ("unseen", "outcome"), [({}, "two ways of counting contradict each other"), ({"malloc": 8}, "allocates")]
)
def test_a_second_witness_that_disagrees(monkeypatch: pytest.MonkeyPatch, unseen: Any, outcome: str) -> None:
    measured = hooks.measure_native

    def contradicted(*args: Any, **options: Any) -> Any:
        witness = hooks.Witness("hardware breakpoints", "disagrees", "8 calls of malloc", unseen)
        return replace(measured(*args, **options), witnesses=(witness,))

    seen(rosenbrock, X)
    monkeypatch.setattr(hooks, "measure_native", contradicted)
    if unseen:
        report = seen(rosenbrock, X)
        assert report.verdict == outcome
        assert "allocates through a path that the hooks cannot see" in report.message
        assert "hardware breakpoints: disagrees (8 calls of malloc)" in report.message
    else:
        with pytest.raises(hooks.HooksDead, match=outcome):
            seen(rosenbrock, X)


def test_storage_that_only_a_run_can_tell() -> None:
    def newton(x):
        y = x
        while abs(y * y - x) > 1e-12:
            y = 0.5 * (y + x / y)
        return y

    report = seen(newton, 7.3)
    assert report.verdict == "passed", report.message
    assert report.workspace_bytes is None or report.workspace_bytes > 0


def test_a_platform_without_hooks_rests_on_the_proof_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "available", lambda: (False, "no backend here"))
    report = seen(rosenbrock, X)
    assert report.verdict == "passed"
    assert report.allocs_per_call == ()
    assert report.witnesses == ("allocator hooks: unavailable (no backend here)",)
    with pytest.raises(hooks.HooksUnavailable, match="no backend here"):
        pytest_adalloc.check(rosenbrock, X, grad=hand_written)


def test_the_heap_twin_allocates_once_a_call_at_the_right_line() -> None:
    report = seen(read_square_clear, np.arange(1.0, 11.0), workspace="heap", prove="off")
    assert report.verdict == "allocates"
    assert report.allocs_per_call == (1,) * 10
    assert report.bytes_per_call == (80,) * 10
    (site,) = report.sites
    assert (site.function, site.count, site.bytes) == ("malloc", 10, 800)
    assert Path(site.file).name == Path(__file__).name
    assert Path(__file__).read_text().splitlines()[site.line - 1].strip() == "total += x[i] * x[i]"
    assert seen(read_square_clear, np.arange(1.0, 11.0), workspace="heap", max_allocs=1).verdict == "passed"


def test_a_regression_against_the_baseline() -> None:
    known = {"allocs_per_call": 0, "workspace_bytes": 72, "stored": 1}
    report = seen(read_square_clear, np.arange(1.0, 11.0), known=known)
    assert report.verdict == "workspace too large"
    assert "keeps 80 bytes (8*len(x)); the baseline recorded 72" in report.message
    known = {"allocs_per_call": 0, "workspace_bytes": 80, "stored": 1}
    heap = seen(read_square_clear, np.arange(1.0, 11.0), known=known, workspace="heap", max_allocs=5, prove="report")
    assert heap.verdict == "allocates"
    assert "the baseline recorded 0 a call" in heap.message


def test_correctness_alone_counts_nothing() -> None:
    report = pytest_adalloc.check_gradient(rosenbrock, X)
    assert report.verdict == "passed"
    assert report.allocs_per_call == ()
    assert report.certificate is None


def test_a_failure_carries_its_report_across_processes() -> None:
    with pytest.raises(pytest_adalloc.CheckFailed) as failed:
        pytest_adalloc.check_gradient(rosenbrock, X, grad=lambda x: -hand_written(x))
    again = pickle.loads(pickle.dumps(failed.value))
    assert str(again) == str(failed.value)
    assert again.report.worst == failed.value.report.worst
    assert again.report.verdict == "gradient wrong"


# The words


def spoken(report: GradReport) -> str:
    """The diagnostic with this file's name and its line numbers taken out."""
    lines = []
    for line in report.message.replace(HERE, "FILE").splitlines():
        head, bar, rest = line.partition(" | ")
        lines.append(f"  N | {rest}" if bar and head.strip().isdigit() else line)
    import re

    return re.sub(r"FILE:\d+(:\d+)?", "FILE:N", re.sub(r"line \d+", "line N", "\n".join(lines)))


def test_the_story_of_an_allocation() -> None:
    report = seen(read_square_clear, np.arange(1.0, 11.0), workspace="heap")
    assert spoken(report) == dedent("""\
        allocates: the gradient of read_square_clear allocates once in every one of 10 calls; none is allowed
          malloc x 10, 800 bytes in all: read_square_clear (forward sweep)
          --> FILE:N
          N |         total += x[i] * x[i]
          = why: `x[i]` is kept (80 bytes): `x[i]` is overwritten (line N) before the reverse sweep comes back to it
          --> FILE:N
          N |         total += x[i] * x[i]
              |                  ^^^^
          = note: destroyed here
          --> FILE:N
          N |         x[i] = 0.0
              |         ^^^^
          = help: on line N write to another array instead of `x`""")


def test_the_story_of_a_kink() -> None:
    def hinge(x):
        return max(x[0], x[1])

    assert spoken(seen(hinge, np.array([2.0, 2.0]))) == dedent("""\
        kink: d hinge / d x[0] does not exist at x[0] = 2
          slope from the left 0, from the right 1; the compiled gradient: 0.5
          --> FILE:N
          N |     def hinge(x):
          = note: abs, min, max, sorting and branches make such points; any gradient is a choice there
          = help: move the test's point off the kink, such as to 2.2""")


def test_the_story_of_an_edge() -> None:
    def root(p):
        return math.sqrt(p[1]) + p[0]

    assert spoken(seen(root, np.array([1.0, 0.0]))).replace(
        "expected a nonnegative input, got -", "math domain error-"
    ).split("math domain error")[0] == dedent("""\
        edge of the domain: root is defined on one side of p[1] = 0 only
          a step to the other side gives ValueError: """)
    assert (
        "such as domain={'p': (0, None)}; differences are then taken from the inner side"
        in seen(root, np.array([1.0, 0.0])).message
    )
