"""Where and when a run was made, and how the figures of a baseline went over its commits."""

from __future__ import annotations

import datetime
import json
import platform
import shlex
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("pytest-adalloc", "pytest", "numpy", "llvmlite", "scipy", "numba", "jax", "torch")
MOST_COMMITS = 20

Past = list[tuple[str, dict[str, Any]]]
"""Commits and what a baseline says at each of them, oldest first."""


def environment(root: Path | None = None) -> dict[str, str]:
    """What a reader needs to make the run again; what is not known is not in it."""
    found = {
        "Command": shlex.join(["pytest", *sys.argv[1:]]),
        "Date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "Commit": _git(root or Path(), "log", "-1", "--format=%h %s"),
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "Packages": ", ".join(filter(None, map(_package, PACKAGES))),
        "CPU": _cpu(),
        "System": platform.platform(),
    }
    return {name: text for name, text in found.items() if text}


def history(path: Path) -> Past:
    """The entries of a baseline at the commits that changed it, oldest first."""
    commits = _git(path.parent, "log", f"-{MOST_COMMITS}", "--format=%h", "--", path.name).split()
    told: Past = []
    for commit in reversed(commits):
        try:
            document = json.loads(_git(path.parent, "show", f"{commit}:./{path.name}"))
        except ValueError:
            continue
        told.append((commit, document.get("tests", {}) if isinstance(document, dict) else {}))
    return told


def _package(name: str) -> str:
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return ""


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model")))
    return next(names, platform.processor())


def _git(directory: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=directory, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
