"""What a run leaves behind: JSON, a web page, annotations, baselines, and the summary's lines."""

from __future__ import annotations

import json
import math
import stat
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_adalloc.checks.verdict.grad_report import GradReport, Worst
from pytest_adalloc.hooks import AllocationReport, DomainCount, Site, Witness
from pytest_adalloc.report import baseline, html
from pytest_adalloc.report.files import write_atomically
from pytest_adalloc.report.findings import finding, recorded
from pytest_adalloc.report.github import annotation
from pytest_adalloc.report.json_document import as_json
from pytest_adalloc.report.outputs import summary, write
from pytest_adalloc.session import Recorder, Settings


def found(**figures: Any) -> dict[str, Any]:
    report = GradReport("f", **{"value": np.float64(2.5), "file": "/src/test_a.py", "line": 7, **figures})
    return finding(report, Recorder(Settings(), "test_a.py::test_f", "/src/test_a.py", 12))


WRONG = {
    "verdict": "gradient wrong",
    "message": "gradient wrong: d f / d x[3]\n  100% off, <b>",
    "worst": Worst("x", (1, 3), 2.0, math.nan),
}


def test_a_finding_is_plain_json() -> None:
    one = found(allocs_per_call=(1, 0), bytes_per_call=(64, 0), workspace_bytes=80, **WRONG)
    again = json.loads(as_json([one]))
    assert again["format"] == 1
    (check,) = again["checks"]
    assert check == one
    assert check["value"] == 2.5
    assert check["max_error"] is None
    assert (check["digits"], check["drowned"], check["reference"]) == (None, 0, "")
    assert check["worst"] == {"argument": "x", "index": [1, 3], "expected": 2.0, "got": None}
    assert (check["calls"], check["allocs"], check["allocs_per_call"], check["bytes"]) == (2, 1, 1, 64)


def test_a_finding_says_what_a_pass_is_worth() -> None:
    one = found(digits=11, drowned=("x[1]",), differences="exact slopes of all 2 components")
    assert (one["digits"], one["drowned"], one["reference"]) == (11, 1, "exact slopes of all 2 components")
    assert any("rounding hides 1 of the components: x[1]" in line for line in one["details"])


def test_checks_of_one_test_are_numbered() -> None:
    recorder = Recorder(Settings(), "test_a.py::test_f")
    for _ in range(3):
        recorded(recorder, GradReport("f"))
    assert [one["test"] for one in recorder.findings] == [
        "test_a.py::test_f",
        "test_a.py::test_f#2",
        "test_a.py::test_f#3",
    ]
    assert len(recorder.unsent()) == 3
    assert recorder.unsent() == []


class Outline(HTMLParser):
    """Tags, attributes and text, as a browser would see them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_stands_alone_and_is_accessible() -> None:
    outline = Outline()
    outline.feed(html.page([found(), found(**WRONG)]))
    tags = [tag for tag, _ in outline.tags]
    assert ("html", {"lang": "en"}) in outline.tags
    assert tags.count("title") == tags.count("main") == tags.count("h1") == 1
    assert all(attributes.get("scope") in ("col", "row") for tag, attributes in outline.tags if tag == "th")
    assert not {"link", "img", "b", "iframe"} & set(tags)
    assert not any("src" in attributes or "http" in str(attributes.get("href")) for _, attributes in outline.tags)
    links = [attributes["href"] for tag, attributes in outline.tags if tag == "a"]
    ids = {attributes.get("id") for _, attributes in outline.tags}
    assert len(links) == 1
    assert all(link is not None and link.startswith("#") and link[1:] in ids for link in links)
    assert "100% off, <b>" in outline.text
    assert "adalloc: 2 checks, 1 not met" in outline.text


ALLOCATES = AllocationReport(
    (3, 3),
    (96, 96),
    {"malloc": 6},
    {"calloc": 2},
    frees=6,
    sites=tuple(
        Site("malloc", f"lib{k}.so", "work<T>", "/src/test_a.py", k, 30 - k, 64, "reverse sweep") for k in range(25)
    ),
    python={"obj": DomainCount(5, 80, 4)},
    witnesses=(
        Witness("relocation slots", "agrees", "both canaries seen"),
        Witness("hardware breakpoints", "disagrees", "saw more", {"valloc": 2}),
    ),
    blind_spots=("raw system calls",),
    interpreter={"malloc": 9},
)


def counted() -> dict[str, Any]:
    seen = ALLOCATES
    figures = {"allocs_per_call": seen.allocs_per_call, "bytes_per_call": seen.bytes_per_call, "sites": seen.sites}
    return found(**figures, allocations=seen, witnesses=seen.witnesses)


def test_what_was_counted_is_in_the_json() -> None:
    one = json.loads(as_json([counted()]))["checks"][0]
    assert (one["pattern"], one["scope"], one["driven"], one["frees"]) == ("every call", "thread", "native", 6)
    assert [site["count"] for site in one["sites"]] == [30 - k for k in range(20)]
    assert one["more_sites"] == 5
    assert one["sites"][1] == {
        "function": "malloc", "library": "lib1.so", "symbol": "work<T>", "file": "/src/test_a.py", "line": 1,
        "count": 29, "bytes": 64, "phase": "reverse sweep",
    }  # fmt: skip
    assert one["witnesses"] == [
        {"name": "relocation slots", "state": "agrees", "detail": "both canaries seen", "unseen": {}},
        {"name": "hardware breakpoints", "state": "disagrees", "detail": "saw more", "unseen": {"valloc": 2}},
    ]
    assert one["unseen"] == {"valloc": 2}
    assert one["disagreement"] == "hardware breakpoints: disagrees (saw more)"
    assert one["blind_spots"] == ["raw system calls"]
    assert (one["other_threads"], one["interpreter"]) == ({"calloc": 2}, {"malloc": 9})
    assert one["python"] == {"obj": {"calls": 5, "bytes": 80, "frees": 4}}


def test_a_witness_without_hooks_is_a_sentence() -> None:
    (one,) = found(witnesses=("allocator hooks: unavailable (this is darwin)",))["witnesses"]
    assert one == {"name": "allocator hooks", "state": "unavailable", "detail": "this is darwin", "unseen": {}}


def test_what_was_counted_is_on_the_page() -> None:
    outline = Outline()
    outline.feed(html.page([counted()]))
    for text in (
        "Who allocates (every call): top places and 5 more",
        "work<T> in lib0.so",
        "/src/test_a.py:19",
        "reverse sweep",
        "Who counted: they disagree: hardware breakpoints: disagrees (saw more)",
        "raw system calls",
    ):
        assert text in outline.text, text
    assert all(attributes.get("scope") in ("col", "row") for tag, attributes in outline.tags if tag == "th")
    assert "/src/test_a.py:20" not in outline.text


def test_annotations_are_escaped_and_relative() -> None:
    assert annotation(found(**WRONG), Path("/src")) == (
        "::error file=test_a.py,line=7,title=adalloc%3A gradient wrong::"
        "gradient wrong: d f / d x[3]%0A  100%25 off, <b>"
    )
    assert annotation(found(**{**WRONG, "file": "/else/where,it:is.py"}), Path("/src"), level="warning").startswith(
        "::warning file=/else/where%2Cit%3Ais.py,line=7,"
    )


def test_a_baseline_keeps_tests_that_did_not_run(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "base.json"
    assert baseline.read(path) is None
    first = found(allocs_per_call=(0, 0), workspace_bytes=80)
    assert baseline.update(path, [first, {**first, "test": "other"}]) == 2
    assert baseline.update(path, [first]) == 0
    assert baseline.update(path, [{**first, "workspace_bytes": 72}, {**first, "test": "bad", "verdict": "kink"}]) == 1
    assert baseline.read(path) == {
        "test_a.py::test_f": {"allocs_per_call": 0, "workspace_bytes": 72, "stored": 0},
        "other": {"allocs_per_call": 0, "workspace_bytes": 80, "stored": 0},
    }


@pytest.mark.parametrize(
    "text", ["", "{]", "[]", '{"format": 2, "tests": {}}', '{"format": 1, "tests": {"a": {"workspace_bytes": "x"}}}']
)
def test_a_damaged_baseline_is_refused_with_a_way_out(tmp_path: Path, text: str) -> None:
    path = tmp_path / "base.json"
    path.write_text(text)
    with pytest.raises(baseline.BaselineError, match=r"not a baseline.*--adalloc-update-baseline"):
        baseline.read(path)


def test_files_are_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    write_atomically(path, "new")
    assert path.read_text() == "new"
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]
    assert stat.S_IMODE(path.stat().st_mode) & 0o600 == 0o600
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "\ud800")
    assert path.read_text() == "new"
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]


def test_the_summary_counts() -> None:
    good = found(allocs_per_call=(0,) * 100, workspace_bytes=80)
    off = found(verdict="not checked")
    assert summary([good], Settings()) == [
        "1 gradient checked, 0 allocations in 100 calls, largest workspace 80 bytes (test_a.py::test_f)"
    ]
    failed, expected = ({**found(**WRONG), "test_outcome": outcome} for outcome in ("failed", "passed"))
    assert summary([failed, expected, off], Settings()) == [
        "1 gradient not checked: checks are off (--adalloc=off)",
        "2 gradients checked, 2 not met (1 as their tests expect)",
    ]


def test_what_tests_expect_is_not_annotated(tmp_path: Path) -> None:
    texts = [json.dumps({**found(**WRONG), "test_outcome": outcome}) for outcome in ("failed", "passed", "skipped")]

    def annotated(policy: Any) -> list[str]:
        lines = write(texts, Settings(policy=policy, reports={"github": True}), tmp_path)[1]
        return [line.split(" ")[0] for line in lines if line.startswith("::")]

    assert annotated("strict") == ["::error"]
    assert annotated("warn") == ["::warning"] * 3


def test_findings_of_parallel_runs_come_in_one_order(tmp_path: Path) -> None:
    one, two = json.dumps(found()), json.dumps({**found(), "test_line": 3})
    path = tmp_path / "all.json"
    files = []
    for texts in ([one, two], [two, one]):
        failed, lines = write(texts, Settings(reports={"json": str(path)}), tmp_path)
        assert not failed
        assert lines[-1] == f"written: {path}"
        files.append(path.read_text())
    assert files[0] == files[1]
    assert [check["test_line"] for check in json.loads(files[0])["checks"]] == [3, 12]


def test_the_first_line_claims_no_more_than_was_seen() -> None:
    cached = AllocationReport((0, 0), (0, 0), python={"numpy": DomainCount(6, 480, 6)})
    one = found(allocs_per_call=(0, 0), bytes_per_call=(0, 0), allocations=cached)
    assert "0 allocations in 2 calls (malloc family); NumPy handed out 6 cached blocks" in one["headline"]
    none = AllocationReport((0, 0), (0, 0), python={"numpy": DomainCount(0, 0, 0)})
    assert "NumPy" not in found(allocs_per_call=(0, 0), bytes_per_call=(0, 0), allocations=none)["headline"]
