"""What does not fit, said in NumPy's words and at the user's line; what is refused, with what to write instead."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from adcore.errors import CompileError
from tests.frontend.numpy.support import agrees
from tests.frontend.support import compiled, run


def added(x, y):
    z = x * 2
    return z + y


def stored(x, y):
    x[:] = y


def in_place(x, y):
    x += y


def masked(x, m):
    x[m] = 0.0


def stacked(x, y):
    return np.stack((x, y))


def concatenated(A, B):
    return np.concatenate((A, B))


def known(x):
    return np.ones(3) + np.zeros(4)


FAULTS = [
    (added, (np.ones(3), np.ones(4))), (added, (np.ones((2, 3)), np.ones(4))), (stored, (np.ones(3), np.ones(4))),
    (in_place, (np.ones(3), np.ones(4))), (masked, (np.ones(3), np.ones(4, bool))), (stacked, (np.ones(3), np.ones(4))),
    (concatenated, (np.ones((2, 3)), np.ones((2, 4)))), (known, (np.ones(2),)),
]  # fmt: skip


@pytest.mark.parametrize(("f", "args"), FAULTS)
def test_faults(f, args):
    # A message has room for two numbers: of longer shapes it names the axis that does not fit.
    agrees(f, *args, message=all(a.ndim == 1 for a in args))


def test_lengths_of_matrices_are_named_by_axis():
    with pytest.raises(ValueError, match=r"could not be broadcast together .* lengths 3 and 4 along axis 1"):
        run(compiled(added, np.ones((2, 3)), np.ones((2, 4))), np.ones((2, 3)), np.ones((2, 4)))


def read_only(x):
    x += 1.0


def test_arrays_that_are_read_only():
    x = np.ones(3)
    x.flags.writeable = False
    with pytest.raises(ValueError, match="output array is read-only"):
        run(compiled(read_only, x), x)


def into_integers(k):
    k += 0.5


def truth(x):
    if x > 0:
        return 1.0
    return 0.0


def minus_bools(m):
    return m - m


def half(x):
    return np.sin(x)


def resorted(x):
    return np.sort(x)


def of_math(x):
    import math

    return math.sin(x)


def wide_axis(A, k):
    return A.sum(axis=k)


REFUSED = [
    (into_integers, (np.arange(3),), "the result is float64, which an array of int64 can't hold", "k += 0.5"),
    (truth, (np.ones(3),), "the truth of an array is ambiguous", "x > 0"),
    (minus_bools, (np.ones(3, bool),), "numpy boolean subtract, the `-` operator, is not supported", "m - m"),
    (half, (np.ones(3, np.int8),), "NumPy computes this in float16, which is not supported", "np.sin(x)"),
    (resorted, (np.ones(3),), "is not supported", "np.sort"),
    (of_math, (np.ones(3),), "math.sin is called on an array", "math.sin(x)"),
    (wide_axis, (np.ones((2, 2)), 1), "`axis` must be known while compiling", "A.sum(axis=k)"),
]  # fmt: skip


@pytest.mark.parametrize(("f", "args", "title", "where"), REFUSED)
def test_refused(f, args, title, where):
    with pytest.raises(CompileError) as caught:
        compiled(f, *args)
    (found, *_) = caught.value.diagnostics
    assert title in found.title
    assert found.span is not None
    line = Path(found.span.file).read_text(encoding="utf-8").splitlines()[found.span.line - 1]
    assert line[found.span.column : found.span.end_column].startswith(where)
