"""How many programs, and which: `--fuzz-count`, `--fuzz-seed`, or ADALLOC_TEST_FUZZ_COUNT, ADALLOC_TEST_FUZZ_SEED."""

from __future__ import annotations

import os

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("fuzz")
    group.addoption("--fuzz-count", type=int, default=None, help="how many random programs")
    group.addoption("--fuzz-seed", type=int, default=None, help="seed of the first one")


@pytest.fixture(scope="session")
def fuzz_count(request: pytest.FixtureRequest) -> int:
    given = request.config.getoption("--fuzz-count", None)
    return int(os.environ.get("ADALLOC_TEST_FUZZ_COUNT", "300")) if given is None else int(given)


@pytest.fixture(scope="session")
def fuzz_seed(request: pytest.FixtureRequest) -> int:
    given = request.config.getoption("--fuzz-seed", None)
    return int(os.environ.get("ADALLOC_TEST_FUZZ_SEED", "0")) if given is None else int(given)
