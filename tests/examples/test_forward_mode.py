"""Forward mode never allocates: random programs, compiled, proved, and counted call by call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adcore.ops import TABLE
from adcore.transform.canonical.simplify import simplify
from adcore.transform.diff.forward import forward
from pytest_adalloc import hooks
from tests.lower.calling import pack
from tests.lower.native import Native
from tests.transform.random_programs import random_program
from tests.transform.test_random_programs import KINDS

CALLS = 5


@pytest.mark.skipif(not hooks.available()[0], reason=hooks.available()[1] or "hooks are available")
@given(st.integers(0, 10**9))
@settings(max_examples=15, deadline=None)
def test_forward_mode_never_allocates(seed: int) -> None:
    native = Native(simplify(forward(random_program(seed), KINDS, TABLE), TABLE))
    assert native.artifact.certificate.proven
    random = np.random.default_rng(seed)
    arrays = [random.normal(size=shape) for shape in ((12,), (12,), (5, 6))]
    arguments: list[Any] = [*arrays, 0.5, 4, *(np.ones_like(a) for a in arrays), 1.0]
    frame = pack(native.lowered.layout, arguments)
    seen = hooks.measure_native(native.loaded[native.lowered.name], frame.address, calls=CALLS)
    assert seen.status == 0
    assert seen.allocs_per_call == (0,) * CALLS
