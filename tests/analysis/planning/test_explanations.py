"""Every explanation to the letter: the value, the line, why, how many bytes, what destroys it, what would avoid it."""

from __future__ import annotations

import pytest

import adcore as ad
import pytest_adalloc
from tests.analysis.planning.goldens import annotated, explained, golden, load, names
from tests.samples import sample


@pytest.mark.parametrize("name", names())
def test_explanation(name: str) -> None:
    assert explained(name) == golden(name).read_text(), "if it should be so: python -m tests.analysis.planning.goldens"


@pytest.mark.parametrize("name", sample(names(), quick=15))
def test_what_is_explained_is_what_is_used(name: str) -> None:
    """The gradient is right, allocates nothing, and a run uses as many bytes as the report says."""
    module = load(name)
    report = pytest_adalloc.check(module.program, *module.ARGS, calls=5)
    assert report.allocs_per_call == (0,) * 5
    handle = ad.compile(module.program, *annotated(module.ARGS))
    explanation = handle.explain()
    handle(*annotated(load(name).ARGS))
    if explanation.bytes is not None:
        assert handle.workspace_bytes == explanation.bytes
        assert explanation.bytes == sum(record.bytes or 0 for record in explanation.stored)
    assert (explanation.formula == "0") == all(record.formula == "0" for record in explanation.stored)
