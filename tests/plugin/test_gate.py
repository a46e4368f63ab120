"""Whole sessions over compiled gradients: the mark in both forms, as a stranger would use it."""

from __future__ import annotations

import json

import pytest

from .conftest import Session

pytest_plugins = ["pytester"]

SOURCE = """
    import math
    import numpy as np
    import pytest

    def sum_of_squares(x):
        total = 0.0
        for v in x:
            total += v * v
        return total

    def read_and_clear(x):
        total = 0.0
        for i in range(len(x)):
            total += x[i] * x[i]
            x[i] = 0.0
        return total

    START = np.linspace(-1, 1, 8)
"""

GATE = (
    SOURCE
    + """
    @pytest.mark.no_alloc_grad(x=START)
    def test_body(x):
        return sum_of_squares(x)

    @pytest.fixture
    def stiffness():
        return 2.5

    @pytest.mark.no_alloc_grad(x=1.5)
    @pytest.mark.parametrize("n", [0, 1, 3])
    def test_everywhere(x, stiffness, n):
        for _ in range(n):
            x = math.sin(x) * stiffness
        return x

    @pytest.mark.no_alloc_grad(sum_of_squares, START, max_workspace=0)
    def test_named(adalloc):
        assert adalloc.reports[0].workspace_bytes == 0

    @pytest.mark.no_alloc_grad(x=np.arange(1.0, 11.0))
    def test_clears(x):
        return read_and_clear(x)

    @pytest.mark.no_alloc_grad(x=1.0, y=2.0)
    def test_defaults(x, y, z=3.0, n=2):
        return x * y ** n + z

    @pytest.mark.no_alloc_grad(z=5.0, x=1.0)
    def test_default_from_the_mark(x, z=0.0):
        return x / z

    class TestInClass:
        @staticmethod
        @pytest.mark.no_alloc_grad(x=2.0)
        def test_static(x):
            return x ** 3

        @pytest.mark.no_alloc_grad(sum_of_squares, START)
        def test_method(self):
            pass

        factor = 2.0

        @pytest.mark.no_alloc_grad(x=1.5)
        def test_body_of_a_method(self, x):
            return self.factor * self.squared(x)

        def squared(self, x):
            return x * x

    class Spring:
        def __init__(self, k):
            self.k, self.calls = k, 0

        def energy(self, x):
            self.calls += 1
            return 0.5 * self.k * x ** 2 * self.calls

    SPRING = Spring(3.0)

    @pytest.mark.no_alloc_grad(SPRING.energy, 0.7)
    def test_method_of_an_object(adalloc):
        assert adalloc.reports[0].gradients[0].k == pytest.approx(0.5 * 0.7 ** 2)
        assert SPRING.calls == 0

    def test_nothing_was_touched():
        assert START[0] == -1.0
"""
)

FAILURES = (
    SOURCE
    + """
    @pytest.mark.no_alloc_grad(x=np.arange(1.0, 11.0), workspace="heap")
    def test_heap(x):
        return read_and_clear(x)

    @pytest.mark.no_alloc_grad(x=np.arange(1.0, 11.0), max_workspace=0)
    def test_workspace(x):
        return read_and_clear(x)

    @pytest.mark.no_alloc_grad(x=0.0)
    def test_kink(x):
        return abs(x)

    @pytest.mark.no_alloc_grad(x=1.0)
    def test_unsupported(x):
        with x:
            return x

    @pytest.mark.xfail(raises=AssertionError, strict=True)
    @pytest.mark.no_alloc_grad(x=0.0)
    def test_expected_to_fail(x):
        return abs(x)
"""
)


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "parallel"])
def test_the_gate_passes(session: Session, pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    result = session(GATE, "-W", "error", "--adalloc-json=all.json", *workers)
    result.assert_outcomes(passed=13)
    result.stdout.fnmatch_lines(
        ["12 gradients checked, 0 allocations in 1200 calls, largest workspace 80 bytes (test_it.py::test_clears)"]
    )
    checks = {found["test"]: found for found in json.loads((pytester.path / "all.json").read_text())["checks"]}
    assert checks["test_it.py::test_body"]["allocs_per_call"] == 0
    assert checks["test_it.py::test_body"]["proven"] is True
    clears = checks["test_it.py::test_clears"]
    assert clears["workspace_formula"] == "8*len(x)"
    assert clears["stored"][0]["value"] == "x[i]"
    assert "line" in clears["stored"][0]["fix"]


def test_ids_stay_what_they_are(session: Session) -> None:
    result = session(GATE, "--collect-only", "-q")
    result.stdout.fnmatch_lines(["test_it.py::test_body", "test_it.py::test_everywhere[[]0]"])


def test_the_gate_fails_with_diagnostics(session: Session) -> None:
    result = session(FAILURES, "-rf")
    result.assert_outcomes(failed=4, xfailed=1)
    result.stdout.fnmatch_lines(
        [
            "allocates: the gradient of test_heap allocates once in every one of 100 calls; none is allowed",
            "  malloc x 100, 8000 bytes in all: *",
            "  --> *test_it.py:14*",
            "   14 |         total += x[[]i] * x[[]i]",
            "  = help: *",
        ]
    )
    text = result.stdout.str()
    assert "workspace too large: test_workspace has to keep more than 0 bytes" in text
    assert "kink: d test_kink / d x does not exist at x = 0" in text
    assert "cannot compile: test_unsupported" in text
    # Nothing of the plugin's own code is shown.
    assert "checking.py" not in text
    assert "marks.py" not in text
    result.stdout.fnmatch_lines(["FAILED test_it.py::test_heap - *allocates: *"])


def test_explanations_are_printed_on_demand(session: Session) -> None:
    result = session(GATE, "--adalloc-explain", "-k", "test_clears")
    result.stdout.fnmatch_lines(
        [
            "test_it.py::test_clears",
            "*0 allocations in 100 calls*workspace 80 bytes (8[*]len(x))*",
            "*certificate: proven, no allocating function can be reached",
            "*witness: relocation slots: agrees (both canaries seen*",
            "*keeps 80 bytes (8[*]len(x)) for its reverse sweep*",
        ]
    )


def test_annotations_point_at_the_line_that_allocates(session: Session) -> None:
    result = session(FAILURES, "--adalloc-github", "-k", "test_heap")
    line = next(line for line in result.outlines if line.startswith("::error "))
    assert line.startswith("::error file=test_it.py,line=14,title=adalloc%3A allocates::")


def test_a_baseline_of_workspaces(session: Session, pytester: pytest.Pytester) -> None:
    session(GATE, "--adalloc-baseline=b.json", "--adalloc-update-baseline", "-k", "test_clears").assert_outcomes(
        passed=1, deselected=12
    )
    entries = json.loads((pytester.path / "b.json").read_text())["tests"]
    assert entries["test_it.py::test_clears"] == {"allocs_per_call": 0, "stored": 1, "workspace_bytes": 80}
    worse = GATE.replace("np.arange(1.0, 11.0)", "np.arange(1.0, 12.0)")
    result = session(worse, "--adalloc-baseline=b.json", "-k", "test_clears")
    result.assert_outcomes(failed=1, deselected=12)
    result.stdout.fnmatch_lines(["workspace too large: *keeps 88 bytes (8[*]len(x)); the baseline recorded 80"])
