"""May the output be the input? The answer is read from the buffers of each call, and the report tells it."""

import numpy as np
import pytest

import adcore as ad


def product(out, in_):
    out[0] = in_[0] * in_[1]


@pytest.mark.no_alloc_grad(product, np.zeros(1), np.array([2.0, 3.0]), wrt="in_", max_workspace=0)
def test_disjoint_buffers():
    """Writing `out` cannot change `in_`: both factors are read again, nothing is kept."""


def test_the_same_buffer():
    """`out` is `in_` here: its first element is gone when the derivative asks for it, so it is kept, and right."""
    both, shadow = np.array([2.0, 3.0]), np.array([1.0, 0.0])
    ad.autodiff(ad.Reverse, product, ad.Duplicated(both, shadow), ad.Duplicated(both, shadow))
    assert both.tolist() == [6.0, 3.0]
    assert shadow.tolist() == [3.0, 2.0]


def scale_by_first(out, x):
    for i in range(len(out)):
        out[i] = x[i] * x[0]


def test_the_report_answers():
    """What was taken for granted, and what a call with shared memory costs."""
    x, dx = np.arange(1.0, 5.0), np.zeros(4)
    out, dout = np.zeros(4), np.ones(4)
    apart = ad.compile(scale_by_first, ad.Duplicated(out, dout), ad.Duplicated(x, dx))
    assert apart.workspace_bytes == 0
    assert "the buffers of `out` and `x` do not overlap" in str(apart.explain())

    together = ad.compile(scale_by_first, ad.Duplicated(x, dx), ad.Duplicated(x, dx))
    assert "share memory in this call" in str(together.explain())
    assert "pass buffers that do not overlap" in str(together.explain())
