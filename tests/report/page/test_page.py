"""The page of a run: answers first, the user's lines, plots with words, one row for the cases of a test."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pytest_adalloc.report import html
from pytest_adalloc.report.environment import environment
from pytest_adalloc.report.page.source import function_lines, source_view
from pytest_adalloc.session import Settings
from tests.report.test_outputs import Outline, found

SOURCE = """import numpy as np


def react(c, rate):
    total = 0.0
    for i in range(len(c)):
        burnt = rate * c[i] * c[i]
        total += burnt * burnt
        c[i] = c[i] - burnt
    return total


def grad(x):
    return np.zeros(100000)[: len(x)]
"""

MESSAGE = """workspace too large: react has to keep more than 0 bytes
the reverse sweep needs `c[i]`, and workspace=0 does not allow to keep it
  --> {file}:7:24
  = note: `c[i]` is overwritten (line 9) before the reverse sweep comes back to it
  = note: overwritten by line 9: c[i] = c[i] - burnt (same iteration)
  = help: on line 9 write to another array instead of `c`"""


def read(text: str) -> Outline:
    outline = Outline()
    outline.feed(text)
    return outline


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "reactor.py"
    path.write_text(SOURCE)
    return str(path)


def refused(file: str, **more: Any) -> dict[str, Any]:
    """A check that may keep nothing, and must."""
    place = {"file": file, "line": 4, "function": "react", "test": "test_a.py::test_reactor", "test_outcome": "failed"}
    return {**found(), **place, "verdict": "workspace too large", "message": MESSAGE.format(file=file), **more}


def allocating(file: str, **more: Any) -> dict[str, Any]:
    counts = [3] * 15 + [5]
    site = {"function": "malloc", "library": "lib.so", "symbol": "make", "file": file, "line": 14, "count": 50,
            "bytes": 4000, "phase": ""}  # fmt: skip
    figures = {"allocs_by_call": counts, "bytes_by_call": [80] * 16, "calls": 16, "allocs": 50, "allocs_per_call": 5}
    return {
        **refused(file), "verdict": "allocates", "message": "allocates: grad allocates", "sites": [site],
        "pattern": "irregular", "test": "test_a.py::test_grad", **figures, **more,
    }  # fmt: skip


def test_what_failed_why_where_and_what_to_do(file: str) -> None:
    outline = read(html.page([found(), refused(file)], Settings()))
    for text in (
        "1 of 2 checks is not met",
        "workspace too large: react has to keep more than 0 bytes",
        "reactor.py:4 (react)",
        "the reverse sweep needs `c[i]`, and workspace=0 does not allow to keep it",
        "overwritten by line 9: c[i] = c[i] - burnt (same iteration)",
        "on line 9 write to another array instead of `c`",
    ):
        assert text in outline.text, text
    assert outline.text.index("Failures") < outline.text.index("All checks")


def test_the_users_lines_with_a_bracket_from_the_value_to_what_destroys_it(file: str) -> None:
    view = source_view(refused(file))
    rows = re.findall(r'<div( class="?hit"?)?><span class="no">(\d+)</span>(<span[^>]*>)</?', view)
    by_line = {int(line): (bool(hit), bracket) for hit, line, bracket in rows}
    assert sorted(by_line) == list(range(4, 11))
    assert "k first" in by_line[7][1]
    assert by_line[8][1].count('"k"') == 1
    assert "k last" in by_line[9][1]
    assert by_line[7][0]
    assert "c[i]: must be kept" in view
    assert "destroys c[i]" in view


def test_a_line_that_allocates_elsewhere_in_the_file_is_shown(file: str) -> None:
    view = source_view(allocating(file))
    assert "def grad(x):" in view
    assert "malloc x 50, 4,000 bytes" in view


def test_plots_have_words(file: str) -> None:
    outline = read(html.page([allocating(file)], Settings()))
    images = [attributes for tag, attributes in outline.tags if attributes.get("role") == "img"]
    assert len(images) == 2
    assert all(attributes["aria-label"] for attributes in images)
    assert "50 allocations in 16 calls, irregular; 1 call differ" in outline.text
    assert "reactor.py:14, malloc by make" in outline.text
    quiet = read(html.page([found()], Settings()))
    assert not [tag for tag, _ in quiet.tags if tag == "svg"]


def test_what_a_test_expects_is_no_failure(file: str) -> None:
    outline = read(html.page([found(), refused(file, test_outcome="passed")], Settings()))
    assert "1 of 2 checks are met, 1 is not met as their tests expect" in outline.text
    assert "Failures" not in outline.text
    assert "workspace too large (expected)" in outline.text


def test_cases_of_one_test_are_one_row(file: str) -> None:
    cases = [refused(file, test=f"test_a.py::test_n[{n}]") for n in range(3)] + [{**found(), "test": "test_a.py::one"}]
    outline = read(html.page(cases, Settings()))
    assert "3 cases" in outline.text
    assert "3 not met" in outline.text
    rows = [attributes for tag, attributes in outline.tags if tag == "li" and "data-t" in attributes]
    assert len(rows) == 5


def test_without_a_check_it_says_how_to_make_one() -> None:
    outline = read(html.page([], Settings()))
    assert "@pytest.mark.no_alloc_grad(f, x)" in outline.text
    assert "table" not in {tag for tag, _ in outline.tags}


def test_text_of_the_users_is_text(file: str) -> None:
    text = html.page([refused(file, test="test_a.py::test_<script>alert(1)</script>", message="<b>&")], Settings())
    assert "<script>alert" not in text
    assert "<b>&" not in text


def test_five_thousand_checks_stay_small(file: str) -> None:
    many = [{**found(), "test": f"tests/test_{k % 90}.py::test_{k}"} for k in range(4_990)]
    text = html.page([*many, *(refused(file, test=f"t::{k}") for k in range(10))], Settings())
    assert len(text.encode()) < 6_000_000


def test_files_that_cannot_be_read_have_no_lines(tmp_path: Path) -> None:
    assert function_lines(str(tmp_path / "none.py"), 1) == ()
    (tmp_path / "broken.py").write_text("def f(:")
    assert function_lines(str(tmp_path / "broken.py"), 1) == ()


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PROBE = """<script>addEventListener('error',e=>document.title='error '+e.message);
setTimeout(()=>{const d=document.documentElement,f=document.getElementById('find');
f.value='reactor';f.dispatchEvent(new Event('input'));
d.dataset.seen=[d.scrollWidth,innerWidth,document.getElementById('shown').textContent,document.title].join('|')},50)
</script>"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
@pytest.mark.parametrize("width", [360, 800, 1400, 2000])
def test_in_a_browser(file: str, width: int, tmp_path: Path) -> None:
    """Nothing is wider than the window, no script fails, and the filter finds what it is asked for."""
    text = html.page([found(), refused(file), allocating(file)], Settings(), environment())
    path = tmp_path / "page.html"
    path.write_text(text.replace("</body>", f"{PROBE}</body>"))
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}",
             f"--window-size={width},900", "--virtual-time-budget=2000", "--dump-dom"]  # fmt: skip
    made = subprocess.run([str(CHROMIUM), *flags, path.as_uri()], capture_output=True, text=True, timeout=120)
    seen = re.search(r'data-seen="([^"]*)"', made.stdout)
    assert seen is not None, made.stderr[-500:]
    wide, window, shown, title = seen[1].split("|")
    assert int(wide) <= max(int(window), width)
    assert shown == "1 of 3 shown"
    assert title.startswith("adalloc: 3 checks")
