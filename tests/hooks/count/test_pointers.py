"""Function pointers of every kind are driven by the native loop, with their arguments as constants."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, byref, c_double, c_float, c_int, c_long, c_ubyte, c_void_p
from typing import Any

import numpy as np
import pytest

from pytest_adalloc.hooks import measure
from pytest_adalloc.hooks.count.pointers import _c_type, _capsule_address, as_kernel


def test_ctypes_function(paths: Any) -> None:
    function = paths.functions.f_axpy
    function.restype, function.argtypes = c_double, [c_double, POINTER(c_double), c_int]
    data = (c_double * 5)(*range(5))
    report = measure(function, 2.0, data, 5, calls=10)
    assert report.driven == "native"
    assert report.bytes_per_call == (40,) * 10
    assert report.sites[0].symbol == "f_axpy"


def test_ctypes_function_with_numpy_pointer(paths: Any) -> None:
    function = ctypes.CDLL(str(paths.path)).f_axpy
    array = np.arange(7.0)
    function.restype = c_double
    function.argtypes = [c_double, np.ctypeslib.ndpointer(np.float64, 1), c_int]
    report = measure(function, 2.0, array, 7, calls=3)
    assert (report.driven, report.bytes_per_call) == ("native", (56,) * 3)


def test_arguments_arrive_as_ctypes_would_pass_them() -> None:
    seen: list[tuple[float, int, int]] = []
    callback = ctypes.CFUNCTYPE(c_int, c_float, c_long, c_ubyte)(lambda x, n, c: seen.append((x, n, c)) or 0)
    report = measure(callback, 1.5, -(2**40), 200, calls=2, warmup=0, witness=False)
    assert report.driven == "native"
    assert seen == [(1.5, -(2**40), 200)] * 2


def test_untyped_ctypes_function(paths: Any) -> None:
    assert measure(ctypes.CDLL(str(paths.path)).p_malloc, None, calls=2).driven == "native"
    report = measure(ctypes.CDLL(None).strdup, b"hello", calls=4)
    assert (report.driven, report.bytes_per_call) == ("native", (6,) * 4)


def test_an_entry_of_the_allocator_itself() -> None:
    malloc = ctypes.CDLL(None).malloc
    malloc.restype, malloc.argtypes = c_void_p, [ctypes.c_size_t]
    report = measure(malloc, 64, calls=3)
    assert report.by_function == {"malloc": 3}
    assert not report.disagreement


def test_a_compiled_gradient_is_called_with_its_own_arguments() -> None:
    """Its ``.ctypes`` takes the address of a frame: a number that is passed in must not be taken for one."""
    import adcore as ad

    def power(x: float, n: int) -> float:
        for _ in range(n):
            x = x * 1.5
        return x

    handle = ad.compile(power, 2.0, 3, mode=ad.Primal)
    assert as_kernel(handle, (2.0,)) is None
    assert measure(handle, 2.0, 3, calls=5).pattern == "none"


def test_references_and_structures_by_pointer(paths: Any) -> None:
    counter = c_int(0)
    report = measure(paths.functions.s_growing, byref(counter), calls=3, warmup=0, witness=False)
    assert (report.driven, report.allocs_per_call) == ("native", (0, 1, 2))


def test_functions_of_pythons_own_api_keep_its_lock() -> None:
    function = ctypes.pythonapi.PyLong_FromLong
    function.restype, function.argtypes = c_void_p, [c_long]
    report = measure(function, 10**6, calls=30, witness=False)
    assert report.driven == "native"
    assert report.python["obj"].calls == 30
    assert report.pattern == "none"


def test_what_is_no_plain_pointer_is_called_from_python() -> None:
    assert as_kernel(len, ([],)) is None
    assert as_kernel(lambda: None, ()) is None

    class Pair(ctypes.Structure):
        _fields_ = (("a", c_int), ("b", c_int))

    by_value = ctypes.CFUNCTYPE(c_int, Pair)(lambda pair: pair.a)
    assert measure(by_value, Pair(1, 2), calls=2, witness=False).driven == "python"


def test_wrong_number_of_arguments_fails_as_python_would(paths: Any) -> None:
    function = ctypes.CDLL(str(paths.path)).f_churn
    function.restype, function.argtypes = None, [c_long]
    with pytest.raises(TypeError):
        measure(function, calls=1)


def test_objects_that_offer_a_ctypes_function(paths: Any) -> None:
    class Compiled:
        ctypes = ctypes.CFUNCTYPE(None, c_long)(paths.address("f_churn"))

    report = measure(Compiled(), 3, calls=2)  # type: ignore[arg-type]
    assert (report.driven, report.allocs_per_call) == ("native", (3, 3))


def test_scipy_low_level_callable(paths: Any) -> None:
    scipy = pytest.importorskip("scipy")
    function = ctypes.CDLL(str(paths.path)).f_axpy
    function.restype, function.argtypes = c_double, [c_double, c_void_p, c_int]
    data = (c_double * 4)()
    low = scipy.LowLevelCallable(function)
    report = measure(low, 1.0, ctypes.addressof(data), 4, calls=3)
    assert (report.driven, report.bytes_per_call) == ("native", (32,) * 3)


def test_scipy_blas_allocates_nothing() -> None:
    cython_blas = pytest.importorskip("scipy.linalg.cython_blas")
    capsule = cython_blas.__pyx_capi__["ddot"]
    address = _capsule_address(capsule)
    ddot = ctypes.CFUNCTYPE(c_double, *[c_void_p] * 5)(address)
    x, n, one = np.arange(64.0), np.array([64], np.int32), np.array([1], np.int32)
    pointers = [array.ctypes.data for array in (n, x, one, x, one)]
    report = measure(ddot, *pointers, calls=50)
    assert (report.driven, report.pattern) == ("native", "none")


def test_cffi_function_pointer(paths: Any) -> None:
    cffi = pytest.importorskip("cffi", reason="cffi is not installed")
    ffi = cffi.FFI()
    ffi.cdef("double f_axpy(double a, const double *x, int n);")
    library = ffi.dlopen(str(paths.path))
    data = ffi.new("double[6]")
    report = measure(library.f_axpy, 1.0, data, 6, calls=3)
    assert (report.driven, report.bytes_per_call) == ("native", (48,) * 3)


def test_numba_jitted_functions() -> None:
    """Numba's own functions in the native loop: no wrapper of Python's runs, and what they allocate is seen."""
    numba = pytest.importorskip("numba", reason="Numba is not installed")

    @numba.njit
    def total(x: Any, scale: float, n: int) -> float:
        s = 0.0
        for i in range(n):
            s += x[i, 0] * scale
        return s

    @numba.njit
    def allocates(x: Any) -> float:
        return np.zeros(x.size)[0] + x[0]

    @numba.njit
    def writes(x: Any) -> None:
        x[0] += 1.0

    @numba.njit
    def fails(x: Any) -> float:
        raise ValueError("no")

    @numba.njit
    def returns_an_array(x: Any) -> Any:
        return x + 1.0

    x, column = np.arange(100.0), np.arange(200.0).reshape(100, 2)[:, 1:]
    clean = measure(total, column, 2.0, 100, calls=20)
    assert (clean.driven, clean.pattern, clean.disagreement) == ("native", "none", "")
    assert not any(count.calls for count in clean.python.values())
    seen = measure(allocates, x, calls=20)
    assert (seen.driven, seen.allocs_per_call) == ("native", (1,) * 20)
    assert seen.bytes >= 20 * 800
    before = x[0]
    assert measure(writes, x, calls=5, warmup=0, witness=False).driven == "native"
    assert x[0] == before + 5
    assert measure(fails, x, calls=5, warmup=0).status != 0
    assert measure(returns_an_array, x, calls=5).driven == "python"


def test_numba_cfunc() -> None:
    numba = pytest.importorskip("numba", reason="Numba is not installed")

    @numba.cfunc("float64(float64)")
    def square(x: float) -> float:
        return x * x

    report = measure(square, 3.0, calls=5)
    assert (report.driven, report.pattern) == ("native", "none")


@pytest.mark.parametrize(
    ("spelled", "expected"),
    [
        ("double", "double"),
        ("const double *", "ptr"),
        ("void *", "ptr"),
        ("unsigned int", "i32"),
        ("unsigned", "i32"),
        ("long long", "i64"),
        ("uint8_t", "i8"),
        ("size_t", "i64"),
        ("double[5]", "ptr"),
        ("void", "void"),
        ("long double", None),
        ("struct pair", None),
    ],
)
def test_spellings_of_c_types(spelled: str, expected: str | None) -> None:
    assert _c_type(spelled) == expected
