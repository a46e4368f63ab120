"""Programs that change their input: what the reverse sweep must keep, and what it can find again."""

import numpy as np
import pytest


def squares_in_place(x):
    for i in range(len(x)):
        x[i] = x[i] ** 2
    return x.sum()


@pytest.mark.no_alloc_grad(squares_in_place, np.array([1.0, 2.0]))
def test_squares_in_place(adalloc):
    """The derivative 2*x[i] needs the value that the statement destroys: 8 bytes for each element are kept."""
    report = adalloc.check(squares_in_place, np.linspace(-1.0, 2.0, 100))
    assert report.workspace_bytes == 800


def square_and_clear(x):
    res = 0.0
    for i in range(10):
        res += x[i] * x[i]
        x[i] = 0.0
    return res


@pytest.mark.no_alloc_grad(square_and_clear, np.linspace(1.0, 2.0, 10))
def test_square_and_clear(adalloc):
    """The same with a reason to read: line 27 needs x[i], line 28 overwrites it."""
    report = adalloc.check(square_and_clear, np.linspace(1.0, 2.0, 10))
    (kept,) = report.stored
    assert (kept.value, kept.bytes) == ("x[i]", 80)


def square_then_clear(x):
    res = 0.0
    for i in range(10):
        res += x[i] * x[i]
    for i in range(10):
        x[i] = 0.0
    return res


@pytest.mark.no_alloc_grad(x=np.linspace(1.0, 2.0, 10))
def test_square_then_clear(x):
    """The body of a test can be the function itself."""
    return square_then_clear(x)
