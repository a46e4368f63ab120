"""Each allocation of a compiled function is named by the user's line and by its phase, however it is called."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adcore as ad
from pytest_adalloc.hooks import AllocationForbidden, available, forbid, measure, record

pytestmark = pytest.mark.skipif(not available()[0], reason=available()[1])


def clears(x: Any) -> Any:
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[i]  # what is squared is stored
        x[i] = 0.0
    return total


def scratch(x: Any) -> Any:
    room = np.zeros(len(x))  # the user's own array, which is read at two places and too dear to compute twice
    for i in range(len(x)):
        room[i] = np.sin(x[i])
    total = 0.0
    for i in range(len(x)):
        total += room[i] * room[len(x) - 1 - i]
    return total


def line(function: Any, offset: int) -> int:
    return int(function.__code__.co_firstlineno) + offset


def compiled(function: Any, mode: Any, workspace: Any = "heap") -> tuple[Any, ...]:
    x, dx = np.arange(1.0, 6.0), np.zeros(5)
    given = (x,) if mode is ad.Primal else (ad.Duplicated(x, dx),)
    return ad.compile(function, *given, mode=mode, workspace=workspace), x, dx


def places(report: Any) -> set[tuple[str, int, str]]:
    return {(site.file, site.line, site.phase) for site in report.sites}


def test_forward_sweep_by_measure_record_and_forbid() -> None:
    handle, x, dx = compiled(clears, ad.Reverse)
    expected = {(__file__, line(clears, 3), "forward sweep")}
    report = measure(handle, x, dx, calls=5)
    assert (report.allocs_per_call, report.disagreement) == ((1,) * 5, "")
    assert places(report) == expected
    with record() as seen:
        handle(x, dx)
    assert places(seen.report) == expected
    with pytest.raises(AllocationForbidden, match=rf"clears \({__file__}:{line(clears, 3)}\)"), forbid():
        handle(x, dx)


def test_a_bound_call_is_seen_as_well() -> None:
    handle, x, dx = compiled(clears, ad.Reverse)
    assert places(measure(handle.bind(x, dx), calls=5)) == {(__file__, line(clears, 3), "forward sweep")}


def test_the_primal_has_one_phase() -> None:
    handle, x, _ = compiled(scratch, ad.Primal)
    assert places(measure(handle, x, calls=5)) == {(__file__, line(scratch, 1), "primal")}


def test_forward_mode_is_named() -> None:
    handle, x, dx = compiled(scratch, ad.Forward)
    assert places(measure(handle, x, dx, calls=5)) == {(__file__, line(scratch, 1), "forward mode")}


def rows(x: Any) -> Any:
    total = 0.0
    for i in range(len(x)):
        row = np.zeros(len(x))
        for j in range(len(x)):
            row[j] = np.sin(x[j] * x[i])
        for j in range(len(x)):
            total += row[j] * row[len(x) - 1 - j]
    return total


def test_the_reverse_sweep_allocates_where_it_runs_the_program_again() -> None:
    handle, x, dx = compiled(rows, ad.Reverse)
    report = measure(handle, x, dx, calls=3)
    assert places(report) == {(__file__, line(rows, 3), f"{sweep} sweep") for sweep in ("forward", "reverse")}
    assert not report.disagreement


def test_the_call_wrapper_is_told_from_the_kernel() -> None:
    gradient = ad.grad(clears)
    x = np.arange(1.0, 20_000.0)
    gradient(x)

    def call() -> Any:
        return gradient(x)

    report = measure(call, calls=5, witness=False)
    assert report.allocs > 0, "the gradient is returned in a new array"
    assert {(__file__, line(call, 1), "call wrapper")} == places(report)


def test_a_kernel_that_is_compiled_inside_a_block_is_no_silent_gap() -> None:
    """Its words come after the patch; a second window, or a stated blind spot, is what is wanted."""
    import subprocess
    import sys

    code = (
        "import numpy as np, adcore as ad\n"
        "from pytest_adalloc.hooks import record\n"
        "from tests.hooks.attribute.test_phases import clears\n"
        "ad.compile(clears, ad.Duplicated(np.ones(3), np.ones(3)))\n"
        "with record() as seen:\n"
        "    h = ad.compile(clears, ad.Duplicated(np.ones(3), np.ones(3)), workspace='heap')\n"
        "print(any('inside the block' in spot for spot in seen.blind_spots))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stdout == "True\n", run.stderr
