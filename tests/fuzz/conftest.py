"""How many programs, and which: `--fuzz-count`, `--fuzz-seed`, or ADALLOC_TEST_FUZZ_COUNT, ADALLOC_TEST_FUZZ_SEED."""

from __future__ import annotations

import os

import pytest

from tests.samples import sample

USUAL_COUNT = 300
BLOCK = 60


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("fuzz")
    group.addoption("--fuzz-count", type=int, default=None, help="how many random programs")
    group.addoption("--fuzz-seed", type=int, default=None, help="seed of the first one")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Blocks of seeds. All but the first are slow, unless somebody asks for a number of programs."""
    if "seeds" not in metafunc.fixturenames:
        return
    count = _given(metafunc.config, "count")
    start = _given(metafunc.config, "seed") or 0
    stop = start + (USUAL_COUNT if count is None else count)
    blocks = [range(first, min(first + BLOCK, stop)) for first in range(start, stop, BLOCK)]
    chosen = blocks if count is not None else sample(blocks, quick=1)
    metafunc.parametrize("seeds", chosen, ids=[f"{block.start}-{block.stop - 1}" for block in blocks])


def _given(config: pytest.Config, name: str) -> int | None:
    value = config.getoption(f"--fuzz-{name}", None)
    value = os.environ.get(f"ADALLOC_TEST_FUZZ_{name.upper()}") if value is None else value
    return None if value is None else int(value)
