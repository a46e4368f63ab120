"""Whole pytest sessions with gradients that are computed elsewhere: policies, marks, reports, parallel runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Session

pytest_plugins = ["pytester"]

SOURCE = """
    import math
    import numpy as np
    import pytest
    import pytest_adalloc

    def squares(x):
        total = 0.0
        for v in x:
            total += v * v
        return total

    OUT = np.zeros(3)

    def right(x):
        return np.add(x, x, out=OUT)

    def wrong(x):
        return 2.0002 * x

    X = np.arange(1.0, 4.0)
"""

CASES = (
    SOURCE
    + """
    def test_right(adalloc):
        report = adalloc.check(squares, X, grad=right)
        assert report.verdict == "passed"
        assert adalloc.reports == (report,)

    def test_wrong(adalloc):
        adalloc.check(squares, X, grad=wrong)

    def test_wrong_plain():
        pytest_adalloc.check_gradient(squares, X, grad=wrong)

    @pytest.mark.no_alloc_grad(squares, X, grad=right)
    def test_mark_right(adalloc):
        assert len(adalloc.reports) == 1

    @pytest.mark.no_alloc_grad(squares, X, grad=wrong)
    def test_mark_wrong():
        raise RuntimeError("the body must not run")

    @pytest.mark.no_alloc_grad(squares, X, grad=right)
    def test_body_runs_afterwards():
        raise RuntimeError("the body ran")
"""
)


def test_a_run_passes_fails_and_tells(session: Session) -> None:
    result = session(CASES)
    result.assert_outcomes(passed=2, failed=4)
    result.stdout.fnmatch_lines(
        [
            "E *CheckFailed: gradient wrong: d squares / d x[[]2]",
            "E *expected 6 (exact slope, +- *",
            "E *got      6.0006 (the gradient that was passed in, off by 1.0e-04 of it)",
            "E *test_it.py:6",
            "E *def squares(x):",
            "E *= help: look at the term of your gradient that belongs to this component",
        ]
    )
    result.stdout.fnmatch_lines(["*RuntimeError: the body ran"])
    result.stdout.no_fnmatch_line("*the body must not run*Error*")
    result.stdout.no_fnmatch_line("*checking.py*")
    result.stdout.fnmatch_lines(["*6 gradients checked, 3 not met, 0 allocations in 300 calls*"])


@pytest.mark.slow
def test_parallel_runs_tell_the_same_and_write_one_file(session: Session, pytester: pytest.Pytester) -> None:
    result = session(CASES, "-n2", "--adalloc-json=out/all.json", "--adalloc-html=out/all.html")
    result.assert_outcomes(passed=2, failed=4)
    result.stdout.fnmatch_lines(["*6 gradients checked, 3 not met, 0 allocations in 300 calls*"])
    checks = json.loads((pytester.path / "out/all.json").read_text())["checks"]
    verdicts = {found["test"].split("::")[1]: found["verdict"] for found in checks}
    assert verdicts == {
        "test_right": "passed",
        "test_wrong": "gradient wrong",
        "test_wrong_plain": "gradient wrong",
        "test_mark_right": "passed",
        "test_mark_wrong": "gradient wrong",
        "test_body_runs_afterwards": "passed",
    }
    assert (pytester.path / "out/all.html").read_text().count("<details id=") == 6


def test_warn_warns_and_passes(session: Session) -> None:
    result = session(CASES, "--adalloc=warn", "-k", "wrong")
    # The body of the marked test runs, since its check only warns.
    result.assert_outcomes(passed=2, failed=1, deselected=3, warnings=3)
    result.stdout.fnmatch_lines(["*AdallocWarning: gradient wrong: d squares / d x[[]2]*"])


def test_off_checks_nothing_and_says_so(session: Session) -> None:
    source = (
        SOURCE
        + """
    def test_wrong(adalloc):
        assert adalloc.check(squares, X, grad=wrong).verdict == "not checked"

    @pytest.mark.no_alloc_grad(x=X)
    def test_body(x):
        x[0] = 99.0
        return x[0] * x[1]

    def test_the_mark_is_untouched():
        assert X[0] == 1.0
"""
    )
    result = session(source, "--adalloc=off", "-W", "error")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*2 gradients not checked: checks are off (--adalloc=off)"])


@pytest.mark.slow
def test_ini_options_and_flags(session: Session, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nadalloc = warn\nadalloc_calls = 7\nadalloc_json = out/ini.json\nadalloc_explain = true")
    result = session(CASES, "-k", "test_right or test_wrong_plain")
    result.assert_outcomes(passed=2, deselected=4, warnings=1)
    result.stdout.fnmatch_lines(["*0 allocations in 7 calls*", "*compared with: exact slopes of all 3 components*"])
    assert (pytester.path / "out/ini.json").exists()
    session(CASES, "--adalloc=strict", "--adalloc-calls=3").assert_outcomes(passed=2, failed=4)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--adalloc-update-baseline",), "name the file with --adalloc-baseline=FILE"),
        (("--adalloc-baseline=none.json",), "none.json does not exist; write it with --adalloc-update-baseline"),
        (("--adalloc-baseline=test_it.py",), "test_it.py: not a baseline"),
        (("--adalloc-calls=0",), "at least one call has to be counted"),
        (("--adalloc=loud",), "invalid choice: 'loud'"),
        (("--adalloc-pprof=/dev/null/profiles",), "/dev/null/profiles can't be made"),
        (("-o", "adalloc_seed=-1"), "seeds are not negative"),
    ],
)
def test_flags_that_make_no_sense_end_the_run(session: Session, flags: tuple[str, ...], message: str) -> None:
    result = session(CASES, *flags)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = result.stdout.str() + result.stderr.str()
    assert message in text


@pytest.mark.slow
def test_no_run_in_ci_sets_its_own_limits(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    result = session(CASES, "--adalloc-baseline=base.json", "--adalloc-update-baseline")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--adalloc-update-baseline: not under CI" in result.stderr.str()


def test_mistakes_in_marks_are_explained(session: Session) -> None:
    result = session(
        SOURCE
        + """
    import unittest

    @pytest.mark.no_alloc_grad(squares, X, grad=right, max_alloc=3)
    def test_unknown_option(): ...

    @pytest.mark.no_alloc_grad(squares, X, grad=right, mode="sideways")
    def test_bad_value(): ...

    @pytest.mark.no_alloc_grad(3, X)
    def test_no_function(): ...

    @pytest.mark.no_alloc_grad(x=1.0)
    async def test_async(x): ...

    @pytest.mark.no_alloc_grad(x=1.0)
    def test_fixture(x, adalloc): ...

    class TestCase(unittest.TestCase):
        @pytest.mark.no_alloc_grad
        def test_method(self): ...
    """
    )
    result.assert_outcomes(failed=6)
    text = result.stdout.str()
    for message in (
        "no_alloc_grad: 'max_alloc' is no argument of squares(x), and no option; did you mean 'max_allocs'?",
        "no_alloc_grad: mode='sideways': it is one of 'reverse', 'forward', 'both'",
        "no_alloc_grad: the first argument is the function to check, and 3 can't be called",
        "no_alloc_grad: an async body can't be differentiated",
        "no_alloc_grad: the body is the function and can't use the fixture 'adalloc'",
        "no_alloc_grad: methods of unittest.TestCase take no arguments; call pytest_adalloc.check(f, ...) in the body",
    ):
        assert message in text


def test_an_argument_that_the_body_does_not_take_is_an_error(session: Session) -> None:
    result = session(
        """
    import pytest

    @pytest.mark.no_alloc_grad(y=1.0)
    def test_body(x):
        return x * x
    """
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*no_alloc_grad: test_body takes no argument 'y', and it is no option; the options are*"]
    )


def test_unittest_cases_use_plain_functions(session: Session) -> None:
    result = session(
        SOURCE
        + """
    import unittest

    class TestGradients(unittest.TestCase):
        def test_right(self):
            self.assertEqual(pytest_adalloc.check(squares, X, grad=right).verdict, "passed")

        def test_wrong(self):
            with self.assertRaisesRegex(AssertionError, "gradient wrong"):
                pytest_adalloc.check(squares, X, grad=wrong)

        @pytest.mark.no_alloc_grad(squares, X, grad=right)
        def test_named(self):
            pass
    """
    )
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*3 gradients checked, 1 not met (1 as their tests expect)*"])


@pytest.mark.slow
def test_coverage_is_measured_as_usual(session: Session) -> None:
    result = session(CASES, "--cov=test_it", "--cov-report=term", "-k", "test_right")
    result.assert_outcomes(passed=1, deselected=5)
    result.stdout.fnmatch_lines(["*test_it.py*%*"])


def test_markers_are_registered(session: Session) -> None:
    result = session(CASES, "--strict-markers", "--markers")
    result.stdout.fnmatch_lines(["@pytest.mark.no_alloc_grad(function, [*]args, [*][*]options): *"])


def test_a_regression_against_the_baseline_fails(session: Session, pytester: pytest.Pytester) -> None:
    source = (
        SOURCE
        + """
    import os
    SIZE = int(os.environ.get("ADALLOC_TEST_SIZE", "3"))

    def padded(x):
        # Past NumPy's own cache of small blocks, a temporary is a native allocation.
        return 2 * x + np.zeros(SIZE)[: len(x)]

    def test_one(adalloc):
        adalloc.check(squares, X, grad=padded, max_allocs=10)
    """
    )
    written = session(source, "--adalloc-baseline=base.json", "--adalloc-update-baseline", "-n2")
    written.stdout.fnmatch_lines(["*base.json updated, 1 entry changed"])
    entries = json.loads((pytester.path / "base.json").read_text())["tests"]
    assert entries == {"test_it.py::test_one": {"allocs_per_call": 0, "stored": 0, "workspace_bytes": None}}
    pytester._monkeypatch.setenv("ADALLOC_TEST_SIZE", "100000")
    worse = session(source, "--adalloc-baseline=base.json")
    worse.assert_outcomes(failed=1)
    worse.stdout.fnmatch_lines(["*allocates: *", "*the baseline recorded 0 a call"])


def test_a_damaged_baseline_is_an_error(session: Session, pytester: pytest.Pytester) -> None:
    Path(pytester.path / "base.json").write_text("{]")
    result = session(CASES, "--adalloc-baseline=base.json", "-k", "test_right")
    assert result.ret != 0
    assert "not a baseline" in result.stdout.str() + result.stderr.str()


def test_a_file_that_cannot_be_written_fails_the_run(session: Session, pytester: pytest.Pytester) -> None:
    Path(pytester.path / "file").write_text("")
    result = session(CASES, "--adalloc-json=file/below.json", "-k", "test_right")
    assert result.ret == pytest.ExitCode.INTERNAL_ERROR
    result.stdout.fnmatch_lines(["ERROR: *below.json can't be written: *"])


def test_a_run_without_checks_writes_an_empty_report(session: Session, pytester: pytest.Pytester) -> None:
    session("def test_nothing(): pass", "--adalloc-json=all.json")
    written = json.loads((pytester.path / "all.json").read_text())
    assert (written["format"], written["checks"]) == (1, [])
    assert written["run"]["command"].endswith("--adalloc-json=all.json")


def test_failures_annotate_github(session: Session) -> None:
    result = session(CASES, "--adalloc-github", "-k", "test_wrong")
    lines = [line for line in result.outlines if line.startswith("::error ")]
    assert len(lines) == 2
    assert lines[0].startswith(
        "::error file=test_it.py,line=6,title=adalloc%3A gradient wrong::gradient wrong: d squares / d x[2]%0A"
    )


@pytest.mark.slow
def test_profiles_are_written(session: Session, pytester: pytest.Pytester) -> None:
    session(CASES, "--adalloc-pprof=profiles", "-k", "test_right")
    assert [file.name for file in (pytester.path / "profiles").iterdir()] == ["test_it.py_test_right.pb.gz"]


def test_forbid_record_and_measure(session: Session) -> None:
    result = session(
        """
    import numpy as np
    import pytest

    def test_measure(adalloc):
        seen = adalloc.measure(np.zeros, 100_000, calls=5)
        assert len(seen.allocs_per_call) == 5
        assert min(seen.allocs_per_call) >= 1
        assert min(seen.bytes_per_call) >= 800_000

    def test_record(adalloc):
        with adalloc.record() as seen:
            np.zeros(100_000)
        assert sum(seen.allocs_per_call) >= 1

    def test_forbid(adalloc):
        with adalloc.forbid():
            np.zeros(100_000)
            raise RuntimeError("the block ran on")
    """
    )
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            ">*np.zeros(100_000)",
            "E *AllocationForbidden: * of 800000 bytes while *test_it.py:*the first native allocation of a *",
            "E *np.zeros(100_000)",
            "E *backtrace of that allocation:",
            "E *1 native allocation, 800000 bytes*",
        ]
    )
    result.stdout.no_fnmatch_line("*stopping.py*")
    forbids = """
    import numpy as np

    def test_forbid(adalloc):
        reached = []
        with adalloc.forbid():
            np.zeros(100_000)
            reached.append(1)
        assert reached
    """
    warned = session(forbids, "--adalloc=warn")
    warned.assert_outcomes(passed=1, warnings=1)
    warned.stdout.fnmatch_lines(["*AdallocWarning: * of 800000 bytes: the first native allocation*"])
    session(forbids, "--adalloc=off", "-W", "error").assert_outcomes(passed=1)


def test_a_run_without_checks_says_nothing_and_imports_nothing(session: Session) -> None:
    result = session(
        """
    import sys

    def test_lean():
        heavy = ("numpy", "llvmlite", "adcore", "pytest_adalloc.checks.checking", "pytest_adalloc.hooks")
        assert [name for name in heavy if name in sys.modules] == []
    """
    )
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*adalloc =*")


REDIRECTED = """
    import contextlib, io
    import numpy as np
    from pytest_adalloc.integration import progress

    progress.PATIENCE_IN_LOGS = 0.0

    def test_redirect(adalloc):
        buffer = io.StringIO()
        with contextlib.redirect_stdout(buffer):
            adalloc.check(lambda x: np.sum(x * x), np.ones(4), grad=lambda x: 2.0 * x, max_numpy=5)
            print("hello")
        assert buffer.getvalue() == "hello\\n"

    def test_captured(adalloc, capsys):
        adalloc.check(lambda x: np.sum(x * x), np.ones(4), grad=lambda x: 2.0 * x, max_numpy=5)
        print("to the capture")
        assert capsys.readouterr().out == "to the capture\\n"
"""


def test_what_a_test_prints_goes_where_the_test_sends_it(session: Session) -> None:
    # pytest's capture replaces `sys.stdout` when it goes on after a line of progress.
    result = session(REDIRECTED)
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*adalloc: *test_redirect: * ..."])
