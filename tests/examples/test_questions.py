"""The programs behind the questions "does its gradient allocate, and why": what is counted, kept, and explained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import adcore as ad
import pytest_adalloc
from examples import test_aliasing as aliasing
from examples import test_containers_of_matrices as containers
from examples import test_in_place as in_place
from examples import test_sums as sums
from tests.plugin.conftest import Session, session

pytest_plugins = ["pytester"]

__all__ = ["session"]

CALLS = 20


@dataclass(frozen=True)
class Kept:
    """One record of the explanation: the value, the line that computes it, the line that destroys it, the remedy."""

    value: str
    line: str
    destroyed_by: str
    formula: str
    fix: str

    @staticmethod
    def of(record: Any) -> Kept:
        (destroyed,) = record.overwritten_by or (None,)
        text = destroyed.text() if destroyed else ""
        return Kept(record.value, record.span.text(), text, record.formula, _relative(record.fix, destroyed))


def _relative(fix: str, span: Any) -> str:
    return fix.replace(f"line {span.line}", "that line") if span else fix


@dataclass(frozen=True)
class Program:
    """A program at a point, and what its gradient keeps."""

    f: Callable[..., Any]
    args: Callable[[], tuple[Any, ...]]
    workspace: int = 0
    formula: str = "0"
    kept: tuple[Kept, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)


def matrices() -> list[np.ndarray]:
    return [np.zeros((3, 1)) for _ in containers.VEC]


X1 = Kept(
    "x[i]",
    "x[i] = x[i] ** 2",
    "x[i] = x[i] ** 2",
    "8*len(x)",
    "on that line write to a copy of `x` instead, and read `x.sum()` (line 10) there",
)
X2 = Kept("x[i]", "res += x[i] * x[i]", "x[i] = 0.0", "80", "on that line write to another array instead of `x`")

PROGRAMS = {
    "a list of matrices": Program(containers.last_entry, lambda: (matrices(), containers.VEC)),
    "a tuple of matrices": Program(containers.last_entry, lambda: (tuple(matrices()), containers.VEC)),
    "one array of three axes": Program(containers.last_entry, lambda: (np.zeros((3, 3, 1)), containers.VEC)),
    "a list of dataclasses": Program(
        containers.move_bodies, lambda: ([containers.Body(m, 1.0) for m in matrices()], containers.VEC)
    ),
    "squares in place": Program(in_place.squares_in_place, lambda: (np.array([1.0, 2.0]),), 16, "8*len(x)", (X1,)),
    "squares of two numbers": Program(sums.squares, lambda: (3.0, -4.0), options={"wrt": (0, 1)}),
    "read, then cleared": Program(in_place.square_and_clear, lambda: (np.linspace(1, 2, 10),), 80, "80", (X2,)),
    "a product into another array": Program(aliasing.product, lambda: (np.zeros(1), np.array([2.0, 3.0]))),
    "a sum of two numbers": Program(sums.add, lambda: (3.0, -4.0), options={"wrt": (0, 1)}),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_counted_kept_and_explained(name: str) -> None:
    program = PROGRAMS[name]
    report = pytest_adalloc.check(program.f, *program.args(), calls=CALLS, mode="both", **program.options)
    assert report.allocs_per_call == (0,) * CALLS
    assert report.certificate.proven
    assert (report.workspace_bytes, report.workspace_formula) == (program.workspace, program.formula)
    assert tuple(map(Kept.of, report.stored)) == program.kept
    if not program.kept:
        assert "keeps nothing for its reverse sweep" in report.explanation


@pytest.mark.parametrize("name", [name for name, program in PROGRAMS.items() if program.kept])
def test_what_must_be_kept_cannot_be_forbidden(name: str) -> None:
    program = PROGRAMS[name]
    with pytest.raises(pytest_adalloc.CheckFailed, match="workspace too large") as failed:
        pytest_adalloc.check(program.f, *program.args(), max_workspace=0)
    message = str(failed.value)
    assert program.kept[0].line in message
    assert program.kept[0].destroyed_by in message


@pytest.mark.parametrize("name", [name for name, program in PROGRAMS.items() if program.kept])
def test_the_heap_is_seen(name: str) -> None:
    """Where other tools would allocate, the counters see it: once a call, the right size, at the line that needs it."""
    program = PROGRAMS[name]
    with pytest.raises(pytest_adalloc.CheckFailed, match="allocates once in every one of 20 calls") as failed:
        pytest_adalloc.check(program.f, *program.args(), workspace="heap", calls=CALLS)
    report = failed.value.report
    assert report.verdict == "allocates"
    assert report.allocs_per_call == (1,) * CALLS
    assert report.bytes_per_call == (program.workspace,) * CALLS
    assert report.allocations.by_function["malloc"] == CALLS
    (site,) = report.sites
    (record,) = report.stored
    assert (site.file, site.line, site.count) == (record.span.file, record.span.line, CALLS)


@pytest.mark.parametrize("name", ["squares of two numbers", "a sum of two numbers"])
def test_a_gradient_that_is_off_fails(name: str) -> None:
    """These keep nothing, so have nothing to allocate; their twin is a gradient that is a little wrong."""
    program = PROGRAMS[name]
    right = pytest_adalloc.check_gradient(program.f, *program.args(), **program.options).gradients
    wrong = [g * 1.001 for g in right]
    with pytest.raises(pytest_adalloc.CheckFailed, match="gradient wrong"):
        pytest_adalloc.check(program.f, *program.args(), grad=lambda *_: tuple(wrong), **program.options)


def overwrites_what_it_reads(mats, vec):
    """As the loop over matrices, but the derivative needs what the loop destroys."""
    total = 0.0
    for i in range(len(vec)):
        mat = mats[i]
        total += mat[0, 0] ** 2 * vec[i]
        mat[0, 0] = vec[i]
    return total


@pytest.mark.parametrize("make", [matrices, lambda: tuple(matrices()), lambda: np.zeros((3, 3, 1))])
def test_a_matrix_that_is_read_and_overwritten_is_kept(make: Callable[[], Any]) -> None:
    with pytest.raises(pytest_adalloc.CheckFailed, match="workspace too large"):
        pytest_adalloc.check(overwrites_what_it_reads, make(), containers.VEC, max_workspace=0)
    report = pytest_adalloc.check(overwrites_what_it_reads, make(), containers.VEC)
    assert {record.why for record in report.stored} == {"overwritten"}
    assert report.workspace_bytes == 24


def compiled(out: np.ndarray, in_: np.ndarray, **options: Any) -> Any:
    seeds = {id(out): np.array([1.0, 0.0])[: len(out)], id(in_): np.zeros(2)}
    seeds[id(in_)] = seeds[id(out)] if out is in_ else seeds[id(in_)]
    return ad.compile(
        aliasing.product, ad.Duplicated(out, seeds[id(out)]), ad.Duplicated(in_, seeds[id(in_)]), **options
    )


def test_the_same_buffer_is_kept_and_right() -> None:
    both, shadow = np.array([2.0, 3.0]), np.array([1.0, 0.0])
    handle = compiled(both, both)
    handle(both, shadow, both, shadow)
    assert both.tolist() == [6.0, 3.0]
    assert shadow.tolist() == [3.0, 2.0]
    first, second = handle.explain().stored
    assert (first.value, second.value) == ("in_[0]", "in_[1]")
    for record in (first, second):
        assert record.why == "overwritten"
        assert "`in_` and `out` share memory in this call" in record.reason
        assert record.fix == "pass buffers that do not overlap for `in_` and `out`"
    assert handle.workspace_bytes == 0  # outside of loops a value is kept where it is: in a register


def test_apart_nothing_is_kept_and_the_report_says_why() -> None:
    handle = compiled(np.zeros(1), np.array([2.0, 3.0]))
    explained = handle.explain()
    assert (handle.workspace_bytes, explained.stored) == (0, ())
    (note,) = explained.notes
    assert "`out` and `in_` do not overlap" in note
    assert "Overlapping buffers get a version of their own" in note


def test_aliased_buffers_are_named_in_the_report() -> None:
    x, dx = np.arange(1.0, 5.0), np.zeros(4)
    handle = ad.compile(aliasing.scale_by_first, ad.Duplicated(x, dx), ad.Duplicated(x, dx))
    assert handle.workspace_bytes
    for record in handle.explain().stored:
        assert "share memory in this call" in record.reason
        assert record.fix == "pass buffers that do not overlap for `x` and `out`"
        assert [span.text() for span in record.overwritten_by] == ["out[i] = x[i] * x[0]"]
    with pytest.raises(ad.WorkspaceError, match="pass buffers that do not overlap"):
        ad.compile(aliasing.scale_by_first, ad.Duplicated(x, dx), ad.Duplicated(x, dx), workspace=0)


def test_overlap_is_judged_at_each_call() -> None:
    """Compiled for buffers apart, called with views that overlap: another version runs, and the gradient is right."""
    memory, shadow = np.arange(1.0, 7.0), np.zeros(6)
    apart = np.zeros(4), np.arange(1.0, 5.0)
    handle = ad.compile(aliasing.scale_by_first, *(ad.Duplicated(a, np.zeros(4)) for a in apart))
    shadow[2:] = 1.0
    handle(memory[2:], shadow[2:], memory[:4], shadow[:4])
    a, b = 1.0, 2.0  # what ends in `out` is a*a, b*a, a*a*a, b*a*a
    assert memory.tolist() == [a, b, a * a, b * a, a * a * a, b * a * a]
    assert shadow[:2].tolist() == [2 * a + b + 3 * a * a + 2 * a * b, a + a * a]


SESSION = """
import numpy as np
import pytest

def square_and_clear(x):
    res = 0.0
    for i in range(10):
        res += x[i] * x[i]
        x[i] = 0.0
    return res

X = np.linspace(1.0, 2.0, 10)

@pytest.mark.no_alloc_grad(square_and_clear, X)
def test_arena():
    pass

@pytest.mark.no_alloc_grad(square_and_clear, X, workspace="heap")
def test_heap():
    raise AssertionError("the body must not run")
"""


@pytest.mark.slow
def test_in_a_session_of_pytest(session: Session) -> None:
    result = session(SESSION)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines([
        "allocates: the gradient of square_and_clear allocates once in every one of 100 calls; none is allowed",
        "  malloc x 100, 8000 bytes*",
        "*test_it.py:7*",
        "*7 |         res += x[[]i] * x[[]i]",
        "*`x[[]i]` is overwritten (line 8)*",
        "*8 |         x[[]i] = 0.0",
        "*on line 8 write to another array instead of `x`",
        "*1 failed, 1 passed*",
    ])  # fmt: skip
