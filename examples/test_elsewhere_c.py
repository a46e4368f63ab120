"""Gradients in C, called by ctypes, by cffi, and hidden ones; BLAS by its address.

A function pointer is called by native code alone, so that what is counted is the function's own.
"""

import ctypes
import shutil
import subprocess

import numpy as np
import pytest

SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>

void in_place(const double *x, double *out, long n) {
    for (long i = 0; i < n; i++) out[i] = 3.0 * x[i] * x[i];
}
static void with_scratch(const double *x, double *out, long n, double *scratch) {
    for (long i = 0; i < n; i++) scratch[i] = x[i] * x[i];
    for (long i = 0; i < n; i++) out[i] = 3.0 * scratch[i];
}
void from_the_heap(const double *x, double *out, long n) {
    double *scratch = malloc(n * sizeof *scratch);
    with_scratch(x, out, n, scratch);
    free(scratch);
}
void by_a_pointer_of_its_own(const double *x, double *out, long n) {
    static void *(*allocate)(size_t);
    if (!allocate) allocate = (void *(*)(size_t))dlsym(RTLD_DEFAULT, "malloc");
    double *scratch = allocate(n * sizeof *scratch);
    with_scratch(x, out, n, scratch);
    free(scratch);
}
"""
N = 100


def cubes(x):
    return float(np.sum(x**3))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    directory = tmp_path_factory.mktemp("gradients")
    (directory / "gradients.c").write_text(SOURCE)
    command = [compiler, "-O1", "-fno-builtin", "-shared", "-fPIC", "gradients.c", "-o", "libgradients.so", "-ldl"]
    subprocess.run(command, cwd=directory, check=True)
    return directory / "libgradients.so"


@pytest.fixture(scope="module")
def library(path):
    functions = ctypes.CDLL(str(path))
    for name in ("in_place", "from_the_heap", "by_a_pointer_of_its_own"):
        getattr(functions, name).argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long]
        getattr(functions, name).restype = None
    return functions


def called(function, out):
    """The gradient as `check` wants it: arguments in, gradient out."""

    def gradient(x):
        function(x.ctypes.data, out.ctypes.data, len(x))
        return out

    return gradient


def test_right_and_without_allocation(library, adalloc):
    adalloc.check(cubes, np.linspace(1.0, 2.0, N), grad=called(library.in_place, np.zeros(N)))


def test_malloc_is_seen(library, adalloc):
    with pytest.raises(AssertionError, match="allocates once in every one of 100 calls") as failure:
        adalloc.check(cubes, np.linspace(1.0, 2.0, N), grad=called(library.from_the_heap, np.zeros(N)))
    (site,) = failure.value.report.sites
    assert (site.function, site.library, site.symbol) == ("malloc", "libgradients.so", "from_the_heap")
    assert (site.count, site.bytes) == (100, 100 * 8 * N)


def test_a_hidden_malloc_is_seen_in_every_call(library, adalloc):
    """No slot of the library leads to malloc here: it asked the loader for the address and kept it."""
    x, out = np.linspace(1.0, 2.0, N), np.zeros(N)
    hidden = adalloc.measure(library.by_a_pointer_of_its_own, x.ctypes.data, out.ctypes.data, N)
    if {witness.name: witness.state for witness in hidden.witnesses}["entries"] == "unavailable":
        pytest.skip("malloc itself cannot be patched here")
    assert hidden.allocs_per_call == (1,) * 100
    with pytest.raises(AssertionError, match="allocates once in every one of 100 calls"):
        adalloc.check(cubes, x, grad=called(library.by_a_pointer_of_its_own, out))


def test_cffi(path, adalloc):
    cffi = pytest.importorskip("cffi", reason="cffi is not installed")
    ffi = cffi.FFI()
    ffi.cdef("void in_place(const double *, double *, long); void from_the_heap(const double *, double *, long);")
    functions = ffi.dlopen(str(path))
    x, out = ffi.new("double[]", [1.0] * N), ffi.new("double[]", N)
    clean = adalloc.measure(functions.in_place, x, out, N)
    assert (clean.driven, clean.pattern) == ("native", "none")
    assert adalloc.measure(functions.from_the_heap, x, out, N).by_function == {"malloc": 100}


def dgemm():
    """SciPy's BLAS as a function pointer: the address is in a capsule beside its Cython module."""
    module = pytest.importorskip("scipy.linalg.cython_blas", reason="SciPy is not installed")
    api, capsule = ctypes.pythonapi, module.__pyx_capi__["dgemm"]
    name = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(("PyCapsule_GetName", api))
    pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_GetPointer", api))
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 13)(pointer(capsule, name(capsule)))


def test_the_gradient_of_a_matrix_product_by_blas(adalloc):
    """The sum of (A B)_ij^2 has the derivative 2 (A B) B^T with respect to A: two calls of dgemm."""
    multiply, n = dgemm(), 24
    random = np.random.default_rng(0)
    a, b = (np.asfortranarray(random.normal(size=(n, n))) for _ in range(2))
    product, gradient = (np.zeros((n, n), order="F") for _ in range(2))
    size, numbers, letters = np.array([n], np.intc), np.array([0.0, 1.0, 2.0]), np.frombuffer(b"NT", np.uint8)
    at = [array.ctypes.data for array in (letters, size, numbers)]
    plain, transposed, zero, one, two = at[0], at[0] + 1, at[2], at[2] + 8, at[2] + 16

    def product_arguments(transpose, factor, left, right, out):
        fixed = (plain, transpose, at[1], at[1], at[1], factor)
        return (*fixed, left.ctypes.data, at[1], right.ctypes.data, at[1], zero, out.ctypes.data, at[1])

    first = product_arguments(plain, one, a, b, product)
    second = product_arguments(transposed, two, product, b, gradient)
    for arguments in (first, second):
        allocations = adalloc.measure(multiply, *arguments)
        assert (allocations.driven, allocations.pattern) == ("native", "none")

    def squares(a, b):
        return float(np.sum((a @ b) ** 2))

    def by_blas(left, right):
        assert np.array_equal(right, b)
        multiply(*product_arguments(plain, one, np.asfortranarray(left), b, product))
        multiply(*second)
        return gradient

    adalloc.check_gradient(squares, a, b, grad=by_blas, wrt="a")
