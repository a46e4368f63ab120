"""Settings of all tests: property tests must not fail because the machine is busy.

They draw the same examples every time, so that a change is judged by what it changes; with ADCORE_RANDOM set, new ones.
"""

from __future__ import annotations

import os
import shutil
import tempfile

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "patient",
    deadline=None,
    derandomize=not os.environ.get("ADCORE_RANDOM"),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("patient")

BYTECODE: pytest.StashKey[str] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    """Let the processes that tests start share their bytecode, where the environment forbids to write it beside the
    sources: a session of pytest in a process of its own takes half the time.
    """
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        config.stash[BYTECODE] = os.environ["PYTHONPYCACHEPREFIX"] = tempfile.mkdtemp(prefix="adalloc-bytecode-")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave the environment and the disk as they were."""
    if BYTECODE in config.stash:
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        del os.environ["PYTHONPYCACHEPREFIX"]
        shutil.rmtree(config.stash[BYTECODE], ignore_errors=True)
