"""`--adalloc-preload`: the run starts once more under `LD_PRELOAD`, with a library that counts beside the hooks.

Workers of pytest-xdist inherit the environment and so the library.
"""

from __future__ import annotations

import os
import sys

import pytest

from pytest_adalloc.hooks import HooksUnavailable
from pytest_adalloc.hooks.witness import preloaded


def run_again() -> None:
    """Replace this process by itself under the counting library; does nothing where it runs under it.

    Raises pytest.UsageError where the library can't be made or isn't loaded although it was preloaded.
    """
    if preloaded.active():
        return
    if preloaded.MARK in os.environ or _is_worker():
        # The program is one that ignores LD_PRELOAD, or the worker runs elsewhere: once more would not help.
        raise pytest.UsageError("--adalloc-preload: the counting library was preloaded, but this process is without it")
    try:
        preloaded.reexec()
    except HooksUnavailable as problem:
        raise pytest.UsageError(f"--adalloc-preload: {problem}") from problem


def _is_worker() -> bool:
    """Whether this is a worker of pytest-xdist, which gets its program through a pipe; pytest started by a test that
    runs in a worker inherits the variable, and is none."""
    return "PYTEST_XDIST_WORKER" in os.environ and "-c" in sys.orig_argv


def header() -> str:
    """What the head of the run says."""
    return f"adalloc: {preloaded.NAME} counts as well" if preloaded.active() else "adalloc: no library is preloaded"
