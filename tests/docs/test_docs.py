"""The pages: links lead somewhere, files and modules that are named exist, generated pages are what is generated."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import get_args

import pytest

from pytest_adalloc.checks.verdict.grad_report import Verdict
from pytest_adalloc.options import CheckOptions
from tests.docs import flags, stages

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PACKAGES = ("adcore", "pytest_adalloc", "tests", "benchmarks", "examples", "docs")
ENDINGS = (".py", ".md", ".c", ".h", ".toml")


def page(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(text: str) -> str:
    """Without blocks of code."""
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """What links may point to within a page: its headings, as they are spelled in addresses."""
    headings = re.findall(r"^#+ (.*)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=page)
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", prose(path.read_text()))
    for link in links:
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        file = (path.parent / target).resolve() if target else path
        assert file.exists(), f"{page(path)} links to {link}"
        assert not anchor or anchor in anchors(file.read_text()), f"{page(path)} links to {link}"


@pytest.mark.parametrize("path", PAGES, ids=page)
def test_what_is_named_exists(path: Path) -> None:
    """Files, folders and dotted modules in backticks, where they begin with a package of this repository."""
    named = re.findall(r"`([\w./-]+)`", prose(path.read_text()))
    missing = [name for name in named if name.split("/")[0] in PACKAGES and "/" in name and not (ROOT / name).exists()]
    missing += [name for name in named if is_dotted(name) and not resolves(name)]
    assert missing == [], f"{page(path)} names what is not there"


def is_dotted(name: str) -> bool:
    return name.split(".")[0] in PACKAGES and "." in name and "/" not in name and not name.endswith(ENDINGS)


def resolves(name: str) -> bool:
    """Whether a dotted name is a module, or a name that a module's text has."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        place = ROOT.joinpath(*parts[:count])
        file = next((f for f in (place.with_suffix(".py"), place / "__init__.py") if f.is_file()), None)
        if file is not None:
            return count == len(parts) or parts[count] in file.read_text()
    return ROOT.joinpath(*parts).is_dir()


def test_every_page_is_linked_from_the_index() -> None:
    """Somebody who starts at docs/dev/index.md can reach every page of docs/dev."""
    start = ROOT / "docs" / "dev" / "index.md"
    seen, waiting = {start}, [start]
    while waiting:
        here = waiting.pop()
        for link in re.findall(r"\]\(([^)#\s:]+\.md)", prose(here.read_text())):
            target = (here.parent / link).resolve()
            if target not in seen and target.exists():
                seen.add(target)
                waiting.append(target)
    assert [page(p) for p in PAGES if p.parent.is_relative_to(start.parent) and p not in seen] == []


@pytest.mark.parametrize("path", PAGES, ids=page)
def test_diffs_are_of_this_tree(path: Path) -> None:
    """What the examples add is still there as they say."""
    for block in re.findall(r"^```diff\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL):
        file = ""
        for line in block.split("\n"):
            if line.startswith("+++ b/"):
                file = (ROOT / line.removeprefix("+++ b/")).read_text()
            elif line.startswith("+") and line[1:].strip():
                assert line[1:] in file.split("\n"), f"{page(path)} shows what is not there: {line}"


def test_the_stages_are_what_the_compiler_prints() -> None:
    assert stages.PAGE.read_text() == stages.page(), "python -m tests.docs.stages writes the page anew"


def test_the_page_of_flags_is_what_the_table_gives() -> None:
    assert flags.PAGE.read_text() == flags.page(), "python -m tests.docs.flags writes the page anew"


def test_every_option_has_its_default_on_the_page_of_options() -> None:
    text = (ROOT / "docs" / "reference" / "options.md").read_text()
    said = dict(re.findall(r"^## (\w+)\n\nDefault: `(.*?)`\.", text, re.MULTILINE))
    defaults = {field.name: repr(field.default).replace("'", '"') for field in dataclasses.fields(CheckOptions)}
    assert said == defaults


def test_every_verdict_is_explained() -> None:
    text = (ROOT / "docs" / "reference" / "verdicts.md").read_text()
    assert sorted(re.findall(r"^## (.*)$", text, re.MULTILINE)) == sorted(get_args(Verdict))
