"""Errors by step and component, who allocates, and the history of a baseline: measured, then drawn."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from pytest_adalloc.checks.differences.directions import DomainBounds
from pytest_adalloc.checks.evidence import error_maps, gathered
from pytest_adalloc.checks.inputs.arguments import Point
from pytest_adalloc.checks.subjects.evaluation import Evaluator
from pytest_adalloc.checks.verdict.comparison import SMOOTH, Comparison
from pytest_adalloc.report.page.error_plots import error_maps as drawn_maps
from pytest_adalloc.report.page.error_plots import step_curve
from pytest_adalloc.report.page.flame import flame_graph
from pytest_adalloc.report.page.history import at_commits, commit, over_commits
from tests.report.test_outputs import found


def cubes(u: Any) -> float:
    return float(np.sum(u**3))


def wrong_at(k: int) -> tuple[Point, Any, Any, Comparison]:
    u = np.linspace(0.5, 2.0, 6).reshape(2, 3)
    point = Point(("u",), (u,), None)
    slopes = (3.0 * u**2).ravel()
    gradient = slopes.copy()
    gradient[k] = 0.0
    comparison = Comparison("gradient wrong", 1.0, k, float(slopes[k]), 0.0, 1e-15, 0, 0, SMOOTH, "", 0.0)
    return point, gradient, slopes, comparison


def test_the_curve_falls_with_the_square_of_the_step_and_rises_by_rounding() -> None:
    point, gradient, slopes, comparison = wrong_at(4)
    evidence = gathered(Evaluator(cubes, point), DomainBounds.none(6), comparison, gradient, slopes)
    curve = evidence.curve
    assert curve is not None
    x = point.vector[4]
    # The third derivative of x**3 is 6: a central difference is off by h**2.
    for step, error in zip(curve.steps[:3], curve.errors[:3], strict=True):
        assert np.isclose(error, step**2 / (3 * x**2), rtol=1e-2)
    assert curve.errors[-1] > min(curve.errors)
    assert (curve.component, curve.off, curve.got) == ("u[1, 1]", 1.0, 0.0)


def test_steps_stay_in_the_domain() -> None:
    point, gradient, slopes, comparison = wrong_at(0)
    bounds = DomainBounds(point.vector - 1e-4, point.vector + 1e-4)
    evidence = gathered(Evaluator(cubes, point), bounds, comparison, gradient, slopes)
    assert evidence.curve is not None
    assert max(evidence.curve.steps) <= 1e-4


def test_the_map_has_the_shape_of_the_array_and_large_ones_are_told_in_blocks() -> None:
    point, gradient, slopes, _ = wrong_at(4)
    (each,) = error_maps(point, gradient, slopes)
    assert (each.argument, each.shape, each.block) == ("u", (2, 3), (1, 1))
    assert np.flatnonzero(np.ravel(each.cells)).tolist() == [4]
    long = Point(("x",), (np.ones(200),), None)
    off = np.ones(200)
    off[150] = 3.0
    (each,) = error_maps(long, off, np.ones(200))
    assert each.block == (1, 4)
    assert np.flatnonzero(each.cells[0]).tolist() == [37]
    assert each.cells[0][37] == 2.0


def test_errors_are_drawn_with_words_and_rounding_alone_is_not() -> None:
    cells = [[0.0, 0.0, 1e-16], [0.0, 0.5, None]]
    each = {"argument": "u", "shape": [2, 3], "block": [1, 1], "cells": cells}
    steps, errors = [1e-1, 1e-3, 1e-5], [1e-3, 1e-7, 1e-11]
    curve = {"component": "u[1, 1]", "steps": steps, "errors": errors, "expected": 3.0, "got": 0.0, "off": 1.0,
             "sure": 1e-15}  # fmt: skip
    one = {**found(), "verdict": "gradient wrong", "errors": {"curve": curve, "maps": [each]}}
    text = drawn_maps(one)
    assert "2 of 6 are above 1e-06, with a cross" in text
    assert text.count('role="img"') == 1
    assert text.count('fill="var(--fail)"') == 2
    assert "differences come as near as 1e-11 with a step of 1e-05; the gradient is off by 1.0e+00" in step_curve(one)
    assert step_curve(one).count("<circle") == 3
    assert drawn_maps({**one, "errors": {"curve": None, "maps": [{**each, "cells": [[0.0, 1e-16]]}]}}) == ""
    flat = {**curve, "errors": [0.0, 0.0, 0.0]}
    assert step_curve({**one, "errors": {"curve": flat, "maps": []}}) == ""
    assert step_curve(found()) == drawn_maps(found()) == ""


def site(line: int, count: int, size: int) -> dict[str, Any]:
    return {"function": "malloc", "library": "lib<.so", "symbol": "make", "file": "/a/test_a.py", "line": line,
            "count": count, "bytes": size, "phase": ""}  # fmt: skip


def test_boxes_of_the_flame_graph_are_as_wide_as_their_share() -> None:
    one = {**found(), "sites": [site(3, 30, 100), site(9, 10, 300)]}
    text = flame_graph(one)
    by_bytes, by_number = text.split('<div class="by-n">')
    assert re.findall(r'<rect x="([\d.]+)%" y="0" width="([\d.]+)%"', by_bytes) == [
        ("0.00", "25.00"),
        ("25.00", "75.00"),
    ]
    assert re.findall(r'<rect x="([\d.]+)%" y="0" width="([\d.]+)%"', by_number)[0] == ("0.00", "75.00")
    assert "lib&lt;.so" in text
    assert "lib<" not in text
    assert flame_graph({**found(), "sites": [site(3, 1, 1)]}) == ""


def test_the_history_of_a_baseline_is_told_by_commit(tmp_path: Path) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "init", "-q"], cwd=tmp_path, check=True)
    for size in (8, 16):
        (tmp_path / "base.json").write_text(f'{{"format": 1, "tests": {{"t": {{"workspace_bytes": {size}}}}}}}')
        subprocess.run([*git, "add", "base.json"], cwd=tmp_path, check=True)
        subprocess.run([*git, "commit", "-qm", "size"], cwd=tmp_path, check=True)
    past = at_commits(tmp_path / "base.json")
    assert [tests["t"]["workspace_bytes"] for _, tests in past] == [8, 16]
    told = [(commit, tests["t"]["workspace_bytes"]) for commit, tests in past]
    text = over_commits({**found(), "workspace_bytes": 4, "history": told})
    assert "8, 16, 4 bytes" in text
    assert "var(--pass)" in text
    assert over_commits({**found(), "workspace_bytes": 8, "history": told[:1]}) == ""
    assert at_commits(tmp_path / "none.json") == []
    assert commit(tmp_path)["Commit"].endswith(" size")
