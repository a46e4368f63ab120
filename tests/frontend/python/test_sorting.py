"""`sorted` with `key=` and `reverse=`, of arguments and of records; handlers that raise again."""

from __future__ import annotations

import math
from collections import namedtuple

import numpy as np
import pytest

import adcore as ad
from tests.frontend.everything import everything

X = np.array([1.3, 0.7, 2.1])
Pair = namedtuple("Pair", "key value")


def by_key(x):
    first, second, _ = sorted([x[0], x[1], x[2]], key=lambda v: -v)
    return first + 2.0 * second


def of_an_argument(x):
    ordered = sorted(x, reverse=True)
    return ordered[0] * ordered[1] ** 2


def of_records(x):
    pairs = sorted((Pair(math.cos(v), v) for v in x), key=lambda p: p.key)
    return pairs[0].value + 3.0 * pairs[1].value * pairs[2].key


def with_numbers(x):
    ranked = sorted(enumerate(x), key=lambda p: p[1], reverse=True)
    return ranked[0][1] * 2.0 + ranked[1][0] * x[0]


@pytest.mark.parametrize("f", [by_key, of_an_argument, of_records, with_numbers])
def test_as_python(f):
    everything(f, X)


def equal_keys(x):
    ordered = sorted([(1.0, x[0]), (1.0, x[1]), (0.5, x[2])], key=lambda p: p[0], reverse=True)
    return ordered[0][1] + 10.0 * ordered[1][1] + 100.0 * ordered[2][1]


def test_equal_keys_keep_their_order():
    assert np.allclose(ad.grad(equal_keys)(X), [1.0, 10.0, 100.0])
    assert ad.value_and_grad(equal_keys)(X)[0] == equal_keys(X)


def raised_again(x):
    try:
        y = math.log(x[0])
    except ValueError:
        raise
    except Exception:
        y = 0.0
    else:
        y = y * 2.0
    return y


def test_a_handler_that_raises_again():
    everything(raised_again, X)
    with pytest.raises(ValueError, match="math domain error"):
        ad.grad(raised_again)(-X)
