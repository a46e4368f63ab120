"""What README and the pages show is what happens: every block runs, every output is compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.running import ROOT, PageRun, agrees, blocks, plain
from tests.docs.test_docs import PAGES, page

WITH_BLOCKS = [
    p for p in PAGES if p.parent.name != "dev" and any(not isinstance(b, tuple) for b in blocks(p.read_text()))
]
QUICK = ("README.md",)


@pytest.mark.parametrize(
    "path", [pytest.param(p, marks=() if p.name in QUICK else pytest.mark.slow, id=page(p)) for p in WITH_BLOCKS]
)
def test_what_a_page_shows(path: Path, tmp_path: Path) -> None:
    PageRun(tmp_path).run(path.read_text())


def test_a_page_that_is_not_true_fails(tmp_path: Path) -> None:
    text = "```python\nprint(1 + 1)\n```\n```\n3\n```\n"
    with pytest.raises(AssertionError, match=r"line 5 says\n\n3\n\nand it printed\n\n2"):
        PageRun(tmp_path).run(text)
    PageRun(tmp_path).run(text.replace("\n3\n", "\n2\n"))


def test_a_command_that_prints_something_else_fails(tmp_path: Path) -> None:
    text = (
        "```python\n# test_a.py\ndef test_a(): pass\n```\n```console\n$ pytest -q\n.   [100%]\n2 passed in 0.01s\n```\n"
    )
    with pytest.raises(AssertionError, match="and it printed"):
        PageRun(tmp_path).run(text)
    PageRun(tmp_path).run(text.replace(".   [100%]\n2 passed", "...\n1 passed"))


def test_an_exception_is_an_output(tmp_path: Path) -> None:
    PageRun(tmp_path).run("```python\n1 / 0\n```\n```\nZeroDivisionError: ...zero\n```\n")


def test_a_note_takes_a_block_out_with_its_output(tmp_path: Path) -> None:
    missing = "<!-- needs: no_such_module -->\n```python\nprint(1)\n```\n```\n2\n```\n"
    text = missing + "```python\nprint(4)\n```\n```\n{}\n```\n"
    PageRun(tmp_path).run(text.format(4))
    with pytest.raises(AssertionError):
        PageRun(tmp_path).run(text.format(5))


@pytest.mark.parametrize(
    ("said", "printed", "right"),
    [("a ... d", "a b c d", True), ("a\n...\nd", "a\nb\nc\nd", True), ("a ... d", "a b c", False), ("a", "ab", False)],
)
def test_three_dots_stand_for_anything(said: str, printed: str, right: bool) -> None:
    assert agrees(said, printed) is right


def test_times_and_folders_are_not_compared(tmp_path: Path) -> None:
    assert plain(f"{tmp_path}/3/a.py:7  \n== 1 passed in 2.31s ===", tmp_path) == "a.py:7\n= 1 passed in 0s ="
    assert plain("= 1 passed in 9s =", ROOT) == "= 1 passed in 0s ="


def test_files_to_copy_are_those_of_the_page() -> None:
    text = (ROOT / "docs" / "how-to" / "ci.md").read_text()
    shown = [block.body for block in blocks(text) if not isinstance(block, tuple) and block.language == "yaml"]
    assert sorted(shown) == sorted(file.read_text() for file in (ROOT / "examples" / "ci").iterdir())
