"""Samples of random programs: a few in every run, the rest in the tests that are marked slow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest


def sample(values: Sequence[Any], quick: int) -> list[Any]:
    """The values, or tuples of values, as parameters of a test; those after the first `quick` are slow."""
    rows = [value if isinstance(value, tuple) else (value,) for value in values]
    return [pytest.param(*row, marks=[pytest.mark.slow] if k >= quick else []) for k, row in enumerate(rows)]
