"""Random subscripts and slices, compared with NumPy."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from tests.frontend.numpy.array_programs import matrix, read_then_clear
from tests.frontend.support import agrees, compiled, run


def step_1(x, a, b):
    return x[a:b:1].copy()


def step_2(x, a, b):
    return x[a:b:2].copy()


def step_3(x, a, b):
    return x[a:b:3].copy()


def step_m1(x, a, b):
    return x[a:b:-1].copy()


def step_m2(x, a, b):
    return x[a:b:-2].copy()


def step_m3(x, a, b):
    return x[a:b:-3].copy()


STEPPED = {f: compiled(f, np.zeros(1), 0, 0) for f in (step_1, step_2, step_3, step_m1, step_m2, step_m3)}


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(list(STEPPED)), st.integers(0, 6), st.integers(-9, 9), st.integers(-9, 9)
)  # fmt: skip
def test_slices_clamp_as_python_clamps(function, n, a, b):
    x = np.arange(float(n))
    np.testing.assert_array_equal(run(STEPPED[function], x, a, b), function(x, a, b))


def constant_slices(x):
    y = np.zeros(5)
    y[:] = x
    return (y[1:-1].copy(), y[-2:].copy(), y[:-7].copy(), y[7:].copy(), y[4:0:-2].copy(), y[::-3].copy(),
            y[-9:9].copy(), y[3:1].copy(), y[1:1:-1].copy())  # fmt: skip


def test_slices_of_known_length():
    agrees(constant_slices, np.arange(5.0))


def overlapping(x, a, b, c):
    x[a : a + c] = x[b : b + c]
    x[c::-1] = x[: c + 1]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 4), st.integers(0, 4), st.integers(0, 3))
def test_overlapping_copies_behave_as_numpy(a, b, c):
    x = np.arange(8.0)
    y = x.copy()
    run(OVERLAPPING, x, a, b, c)
    overlapping(y, a, b, c)
    np.testing.assert_array_equal(x, y)


OVERLAPPING = compiled(overlapping, np.zeros(8), 0, 0, 0)


def test_writing_into_a_read_only_array_raises():
    x = np.zeros(3)
    x.flags.writeable = False
    with pytest.raises(ValueError, match="assignment destination is read-only"):
        run(compiled(read_then_clear, x), x)


def test_arguments_that_overlap_are_copied_through_a_temporary():
    from adcore.frontend import compile_function
    from adcore.ir import print_module
    from adcore.signature import ArrayArg, Signature

    def f(x, y):
        x[1:] = y[:-1]

    args = (ArrayArg("f64", 1), ArrayArg("f64", 1))
    disjoint = print_module(compile_function(f, Signature(("x", "y"), args)).module)
    overlapping = print_module(compile_function(f, Signature(("x", "y"), args, ((0, 1),))).module)
    assert "alloc" not in disjoint
    assert "alloc" in overlapping


def test_whole_axes_keep_the_layout():
    from adcore.ir import print_module

    def f(x):
        return x[1, :][0] + x[0][1]

    text = print_module(compiled(f, matrix()).module)
    assert text.count("array<f64,1,C>") == 2


def test_sums_without_visible_order_are_marked():
    from adcore.ir import walk

    def f(x):
        s = 0.0
        for v in x:
            s += v
        return s + np.sum(x) + np.dot(x, x)

    adds = [i for i in walk(compiled(f, np.zeros(3)).module.main.region) if i.op == "add"]
    assert sorted(i.attrs.get("flags", "") for i in adds) == ["", "", "", "sum", "sum"]


@pytest.mark.parametrize("low", [-(2**63), -1, 0, 2**63 - 1])
@pytest.mark.parametrize("high", [-(2**63), 2, 2**63 - 1])
def test_slice_bounds_at_the_ends_of_64_bits(low, high):
    def f(x, a, b):
        return np.sum(x[a:b]) + 2.0 * np.sum(x[b:a:-1])

    agrees(f, np.linspace(0.3, 1.7, 6), low, high, exact=False)
