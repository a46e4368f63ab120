"""A gradient written by hand and compiled by Numba: the compiled code is clean, what calls it from Python is not."""

import numpy as np
import pytest

numba = pytest.importorskip("numba", reason="Numba is not installed")
POINTER = numba.types.CPointer(numba.types.double)


def cubes(x):
    return float(np.sum(x**3))


@numba.njit
def by_array_expression(x):
    return 3.0 * (x * x)


@numba.njit
def into(x, out):
    for i in range(len(x)):
        out[i] = 3.0 * x[i] * x[i]


@numba.cfunc(numba.types.void(POINTER, POINTER, numba.types.intp))
def into_from_c(x, out, n):
    into(numba.carray(x, n), numba.carray(out, n))


@numba.cfunc(numba.types.void(POINTER, POINTER, numba.types.intp))
def by_array_expression_from_c(x, out, n):
    gradient = by_array_expression(numba.carray(x, n))
    for i in range(n):
        numba.carray(out, n)[i] = gradient[i]


def test_both_are_right(adalloc):
    x, out = np.linspace(1.0, 2.0, 100), np.zeros(100)
    adalloc.check_gradient(cubes, x, grad=by_array_expression)

    def filled(x):
        into(x, out)
        return out

    adalloc.check_gradient(cubes, x, grad=filled)


def test_the_compiled_code_allocates_nothing(adalloc):
    """A `cfunc` is called by native code; neither Python nor Numba's dispatcher takes part."""
    x, out = np.linspace(1.0, 2.0, 100), np.zeros(100)
    allocations = adalloc.measure(into_from_c, x.ctypes.data, out.ctypes.data, 100)
    assert allocations.driven == "native"
    assert allocations.pattern == "none"
    assert np.allclose(out, 3.0 * x * x)


def test_array_expressions_allocate(adalloc):
    """`x * x` and three times that are an array each."""
    x, out = np.linspace(1.0, 2.0, 100), np.zeros(100)
    allocations = adalloc.measure(by_array_expression_from_c, x.ctypes.data, out.ctypes.data, 100)
    assert set(allocations.allocs_per_call) <= {1, 2}  # Numba may fuse the two
    assert min(allocations.bytes_per_call) >= 800


def test_the_call_from_python_allocates(adalloc):
    """Numba's dispatcher makes a small record for each array that it is passed, in memory of its own. `measure` calls a
    jitted function past its dispatcher, so the call from Python is one of a lambda.
    """
    x, out = np.linspace(1.0, 2.0, 100), np.zeros(100)
    assert adalloc.measure(into, x, out).pattern == "none"
    allocations = adalloc.measure(lambda: into(x, out))
    assert allocations.pattern == "every call"
    assert all(site.library.startswith("_nrt_python") for site in allocations.sites)
    assert max(allocations.bytes_per_call) < 800  # records, no data


def test_a_failing_check_shows_the_function(adalloc):
    """Native code calls the dispatcher here, so no line of Python lies in between: the gradient itself is quoted."""
    with pytest.raises(AssertionError, match=r"allocates: the gradient of cubes .*\n(.*\n)*.*def by_array_expression"):
        adalloc.check(cubes, np.linspace(1.0, 2.0, 100), grad=by_array_expression)
