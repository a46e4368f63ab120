"""Random array programs against NumPy, and their gradients against forward mode."""

from __future__ import annotations

import os
import warnings
from random import Random

import numpy as np
import pytest

import adcore as ad
from adcore.errors import CompileError
from tests.frontend.numpy.programs import START, write
from tests.frontend.numpy.test_elementwise import from_text
from tests.samples import sample

GIVEN = os.environ.get("ADALLOC_TEST_FUZZ_COUNT")
COUNT = int(GIVEN or "48") // 4
SEED = int(os.environ.get("ADALLOC_TEST_FUZZ_SEED", "0"))
SEEDS = sample(range(SEED, SEED + COUNT), quick=COUNT if GIVEN else 4)

REFUSED = "an array is changed in place that is another one on another path"


def arguments(seed):
    random = np.random.default_rng(seed)
    return [random.standard_normal(shape) for shape in START.values()]


@pytest.mark.parametrize("seed", SEEDS)
def test_random_program(seed, tmp_path):
    text = write(Random(seed))
    f = from_text(text, tmp_path)
    args = arguments(seed)
    copies = [a.copy() for a in args]
    with np.errstate(all="ignore"):
        expected = f(*copies)
    try:
        value, pullback = ad.vjp(f, *args)
    except CompileError as error:
        if REFUSED in str(error):
            pytest.skip("stores into an array that two names know")
        raise AssertionError(text) from error
    np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-9, err_msg=text)
    gradient = pullback(1.0)
    directions = arguments(seed + 1)
    _, forward = ad.jvp(f, args, directions)
    reverse = sum(float(np.sum(g * d)) for g, d in zip(gradient, directions, strict=True))
    np.testing.assert_allclose(reverse, forward, rtol=1e-8, atol=1e-8, err_msg=text)


@pytest.mark.parametrize("seed", SEEDS)
def test_stores_are_those_of_numpy(seed, tmp_path):
    text = write(Random(seed))
    f = from_text(text, tmp_path)
    theirs, ours = arguments(seed), arguments(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        f(*theirs)
    try:
        ad.autodiff(ad.Forward, f, *map(ad.Const, ours))
    except CompileError as error:
        if REFUSED in str(error):
            pytest.skip("stores into an array that two names know")
        raise AssertionError(text) from error
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9, err_msg=text)
