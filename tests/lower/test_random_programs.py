"""Random programs and their gradients: native code agrees with the interpreter, wherever the workspace is."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from adcore.ir import Function, interpret, verify
from adcore.ops import TABLE
from adcore.transform.canonical.checks import simplify_checks
from adcore.transform.canonical.simplify import simplify
from adcore.transform.diff.reverse import reverse
from adcore.transform.expansion import expand_bulk
from adcore.transform.optimize.bit_tiles import tile_bits
from adcore.transform.optimize.check_sinking import sink_checks
from tests.lower.native import Native
from tests.samples import sample
from tests.transform.random_programs import random_program

ACTIVITY = ("duplicated", "duplicated", "duplicated", "active", "const")


def arguments_of(function: Function, seed: int) -> list[Any]:
    """An argument for every parameter: arrays by rank, the integer is a trip count."""
    rng = np.random.default_rng(seed)
    shapes = {1: (12,), 2: (5, 6)}
    arguments: list[Any] = []
    for parameter in function.params:
        rank = getattr(parameter.type, "rank", None)
        if rank is not None:
            arguments.append(rng.normal(size=shapes[rank]))
        else:
            arguments.append(4 if str(parameter.type) == "i64" else float(rng.normal()))
    return arguments


def assert_agrees(function: Function, seed: int, **options: Any) -> None:
    """Contraction and vector mathematics round differently, and chaotic programs amplify that."""
    native = Native(function, **options)
    arguments = arguments_of(function, seed)
    mine, theirs = copy.deepcopy(arguments), copy.deepcopy(arguments)
    expected = interpret(function, TABLE, theirs)
    actual = native(*mine)
    for a, b in zip((*actual, *mine), (*expected, *theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("seed", range(30))
def test_programs(seed: int) -> None:
    program = verify(random_program(seed), TABLE)
    assert_agrees(program, seed)
    simpler = verify(sink_checks(simplify_checks(simplify(program, TABLE), TABLE), TABLE), TABLE)
    assert_agrees(simpler, seed)


@pytest.mark.parametrize("seed", sample([*range(30, 36), *range(50, 54), *range(36, 50), *range(54, 60)], quick=10))
@pytest.mark.parametrize("workspace", ["arena", "heap"])
def test_gradients(seed: int, workspace: str) -> None:
    """Those from seed 50 on make arrays in their loops."""
    program = simplify(simplify_checks(simplify(random_program(seed, temporaries=seed >= 50), TABLE), TABLE), TABLE)
    gradient = expand_bulk(reverse(program, ACTIVITY, (True,), ops=TABLE).function, TABLE)
    gradient = verify(simplify(gradient, TABLE), TABLE)
    for function in (gradient, verify(tile_bits(gradient, TABLE), TABLE)):
        assert_agrees(function, seed, workspace=workspace, stack_limit=256)
