"""Programs as engineers write them, with classes, defaults, dicts and error handling: each compiles as it stands.

The judge is plain Python: slopes along random directions from extrapolated differences.
"""

from __future__ import annotations

import copy
import importlib
from typing import Any

import numpy as np
import pytest

import adcore as ad
import pytest_adalloc

from .differences import directional, floats
from .program import Program

FIELDS = ("robotics", "filtering", "pricing", "epidemiology", "learning", "audio", "astronomy", "thermodynamics")
QUICK = 3
"""So many programs of each field run in every run, the others in the slow one."""


def _parameters() -> list[Any]:
    found = []
    for field in FIELDS:
        programs = importlib.import_module(f"{__package__}.{field}").PROGRAMS
        for k, program in enumerate(programs):
            marks = [pytest.mark.slow] if k >= QUICK else []
            found.append(pytest.param(program, id=f"{field}: {program.name}", marks=marks))
    return found


PROGRAMS = _parameters()


def inputs(program: Program) -> tuple[Any, ...]:
    owner = getattr(program.function, "__self__", None)
    return copy.deepcopy((owner, program.args, program.kwargs))


def state(program: Program) -> list[bytes]:
    owner = getattr(program.function, "__self__", None)
    return [leaf.tobytes() for _, leaf in floats([program.args, program.kwargs, [] if owner is None else owner])]


def test_at_least_sixty_compile() -> None:
    assert len(PROGRAMS) >= 60


@pytest.mark.parametrize("program", PROGRAMS)
def test_gradient_is_the_slope_of_plain_python(program: Program) -> None:
    before = state(program)
    value, gradient = ad.value_and_grad(program.function, wrt=program.wrt)(*program.args, **program.kwargs)
    assert state(program) == before, "the functional face changed an argument"
    _, args, kwargs = inputs(program)
    plain = copy.deepcopy(program.function)(*args, **kwargs)
    np.testing.assert_allclose(value, plain, rtol=1e-12, atol=1e-14)
    for seed in (1, 2):
        expected, got, size = directional(program, gradient, seed)
        assert abs(expected - got) <= 1e-6 * size + 1e-10, (expected, got)


@pytest.mark.slow
@pytest.mark.parametrize("program", PROGRAMS)
def test_gate_passes_with_no_allocation(program: Program) -> None:
    report = pytest_adalloc.check(
        program.function, *program.args, wrt=program.wrt, mode="both", calls=20, **program.kwargs
    )
    assert set(report.allocs_per_call) == {0}
