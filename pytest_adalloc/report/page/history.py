"""How the workspace of a check went over the commits of a baseline file."""

from __future__ import annotations

import json
import subprocess
from html import escape
from pathlib import Path
from typing import Any

from pytest_adalloc.report.page.pieces import drawing, figure, numbers
from pytest_adalloc.report.reporting import Finding

MOST_COMMITS = 20

Past = list[tuple[str, dict[str, Any]]]
"""Commits and what a baseline says at each of them, oldest first."""


def commit(root: Path) -> dict[str, str]:
    """What is checked out; empty where git tells nothing."""
    told = _git(root, "log", "-1", "--format=%h %s")
    return {"Commit": told} if told else {}


def at_commits(path: Path) -> Past:
    """The entries of a baseline at the last commits that changed it."""
    commits = _git(path.parent, "log", f"-{MOST_COMMITS}", "--format=%h", "--", path.name).split()
    told: Past = []
    for each in reversed(commits):
        try:
            document = json.loads(_git(path.parent, "show", f"{each}:./{path.name}"))
        except ValueError:
            continue
        told.append((each, document.get("tests", {}) if isinstance(document, dict) else {}))
    return told


def over_commits(found: Finding) -> str:
    """A step line; empty where nothing ever changed."""
    told = [tuple(each) for each in found.get("history", ())]
    if found["workspace_bytes"] is not None and told:
        told.append(("now", found["workspace_bytes"]))
    sizes = [size for _, size in told]
    if len(set(sizes)) < 2:
        return ""
    largest, step = max(sizes) or 1, 320 / len(sizes)
    heights = [20 + 100 * (1 - size / largest) for size in sizes]
    path = f"M10 {heights[0]:.1f}" + "".join(f"V{y:.1f}H{10 + (k + 1) * step:.1f}" for k, y in enumerate(heights))
    colour = "fail" if sizes[-1] > sizes[-2] else "pass" if sizes[-1] < sizes[-2] else "p1"
    said = f"From {told[0][0]} to {told[-1][0]}: {', '.join(f'{size:,}' for size in sizes)} bytes."
    inner = (
        f'<path d="{path}" fill="none" stroke="var(--{colour})" stroke-width="2.5"/><path class="ax" d="M10 122H330"/>'
        f'<text x="10" y="12">up to {largest:,} bytes</text><text x="10" y="137">{escape(told[0][0])}</text>'
        f'<text x="330" y="137" text-anchor="end">{escape(told[-1][0])}</text>'
    )
    data = numbers("Workspace by commit", ("Commit", "Bytes"), [(commit, f"{size:,}") for commit, size in told])
    return figure("Bytes kept, over the baseline's commits", drawing(340, 142, f"Step line. {said}", inner), said, data)


def _git(directory: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=directory, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
