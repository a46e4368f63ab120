"""Native callables: the wrappers against the general path, their fallbacks, reference counts and lifetimes.

The kernel is a few lines of LLVM IR: `out[0] = x[0] * k`, fault 1 where x[0] is negative; result x[0] + k.
"""

from __future__ import annotations

import gc
import sys
import warnings
import weakref
from typing import Any

import numpy as np
import pytest

from adcore.abi.frame import FrameLayout
from adcore.ir.types import F64, ArrayType
from adcore.runtime import native_types as native
from adcore.runtime.calls import Kernel, Returned, bound_block, called_block
from adcore.runtime.frames import Frame
from adcore.runtime.loading import linker
from adcore.runtime.loading.small_objects import compiled

pytestmark = pytest.mark.skipif(not native.supported(), reason="another layout of objects: the general path serves")

KERNEL = """
define i32 @kernel(ptr %frame) {
  %x_at = getelementptr i64, ptr %frame, i64 6
  %x = load ptr, ptr %x_at
  %out_at = getelementptr i64, ptr %frame, i64 9
  %out = load ptr, ptr %out_at
  %k_at = getelementptr i64, ptr %frame, i64 12
  %k = load double, ptr %k_at
  %value = load double, ptr %x
  %product = fmul double %value, %k
  store double %product, ptr %out
  %sum = fadd double %value, %k
  %sum_at = getelementptr i64, ptr %frame, i64 13
  store double %sum, ptr %sum_at
  store i64 77, ptr %frame
  %bad = fcmp olt double %value, 0.0
  %status = zext i1 %bad to i32
  ret i32 %status
}
"""
ARRAY = ArrayType(F64, 1, "C")
ORDER = [(0, "array", None), (1, "array", None), (2, "float", None)]


class Fault:
    error, message, span, raising = "ValueError", "negative ({0})", None, None


class Callable_(native.NativeCallable):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return "general", args, kwargs


def kernel() -> Kernel:
    loaded = linker.load(compiled(KERNEL), ["kernel"])
    layout = FrameLayout.of([ARRAY, ARRAY, F64], [F64])
    return Kernel(loaded["kernel"], layout, (Fault(),), "f", frozenset({1}), loaded)


def fallback(*args: Any, **kwargs: Any) -> Any:
    return "fallback", args, kwargs


def called(returned: Returned | None = None) -> Any:
    own = kernel()
    frame = own.frame([np.zeros(1), np.zeros(1), 0.0])
    made = called_block(own, frame, ORDER, returned or Returned(1, 0, True), fallback, lambda frame: "finished")
    assert made is not None
    callable_ = Callable_()
    callable_._attach(*made)
    return callable_


def bound(x: Any, out: Any, k: float, returned: Returned | None = None) -> Any:
    own = kernel()
    values = [x, out, k]
    frame = own.frame(values)
    callable_ = Callable_()
    made = bound_block(own, frame, values, returned or Returned(1, 0, True), fallback, lambda frame: "finished")
    callable_._attach(*made)
    return callable_


def test_a_call_goes_to_native_code() -> None:
    x, out = np.array([3.0]), np.zeros(1)
    assert called()(x, out, 2.0) == 5.0
    assert out[0] == 6.0


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        (Returned(0), None),
        (Returned(1, 0, True), 5.0),
        (Returned(1), (5.0,)),
        (Returned(None), "finished"),
        (Returned(0, 0, pair=True), (None, 5.0)),
    ],
)
def test_results(returned: Returned, expected: Any) -> None:
    x, out = np.array([3.0]), np.zeros(1)
    assert called(returned)(x, out, 2.0) == expected
    assert bound(x, out, 2.0, returned)() == expected


class Subclass(np.ndarray[Any, Any]):
    pass


READ_ONLY = np.zeros(1)
READ_ONLY.flags.writeable = False
X, OUT = np.ones(2), np.zeros(2)
UNUSUAL = {
    "subclass": (X.view(Subclass), OUT, 1.0),
    "float32": (X.astype(np.float32), OUT, 1.0),
    "swapped": (X.astype(">f8"), OUT, 1.0),
    "rank": (X.reshape(1, 2), OUT, 1.0),
    "strided": (np.ones(4)[::2], OUT, 1.0),
    "unaligned": (np.zeros(17, np.uint8)[1:].view(np.float64), OUT, 1.0),
    "read-only": (X, READ_ONLY, 1.0),
    "overlap": (X, X, 1.0),
    "partial overlap": (X[:1], X[:], 1.0),
    "int": (X, OUT, 1),
    "list": ([1.0], OUT, 1.0),
    "None": (None, None, None),
    "few": (X, OUT),
    "many": (X, OUT, 1.0, 1.0),
    "none": (),
}


@pytest.mark.parametrize("arguments", UNUSUAL.values(), ids=UNUSUAL)
def test_anything_unusual_goes_to_the_fallback_untouched(arguments: tuple[Any, ...]) -> None:
    kind, args, kwargs = called()(*arguments)
    assert kind == "fallback"
    assert kwargs == {}
    assert all(a is b for a, b in zip(args, arguments, strict=True))


def test_keywords_go_to_the_fallback() -> None:
    assert called()(X, OUT, k=1.0)[2] == {"k": 1.0}


def test_a_dtype_that_is_equal_but_not_identical_is_native() -> None:
    x = np.array([3.0], np.dtype("f8", metadata={"unit": "m"}))
    assert x.dtype is not np.dtype("f8")
    assert called()(x, np.zeros(1), 2.0) == 5.0


def test_faults_are_raised() -> None:
    x, out = np.array([-1.0]), np.zeros(1)
    with pytest.raises(ValueError, match=r"negative \(77\)"):
        called()(x, out, 2.0)
    with pytest.raises(ValueError, match="negative"):
        bound(x, out, 2.0)()


def test_a_bound_call_rechecks_its_arrays() -> None:
    x, out = np.ones(4), np.zeros(4)
    call = bound(x, out, 2.0)
    assert call() == 3.0
    out.flags.writeable = False
    assert call()[0] == "fallback"
    out.flags.writeable = True
    assert call() == 3.0
    x.resize(100_000, refcheck=False)
    assert call()[0] == "fallback"
    assert call(1)[1] == (1,)
    assert call(a=1)[2] == {"a": 1}


def test_a_reinterpreted_array_is_noticed() -> None:
    x = np.ones(4)
    call = bound(x, np.zeros(4), 2.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # NumPy 2.5 advises against it; code that does it stays
        x.shape = (2, 2)
    assert call()[0] == "fallback"


def test_reference_counts_do_not_drift() -> None:
    call, ready = called(), bound(X, OUT, 1.0, Returned(1))
    none, pair = called(Returned(0)), called(Returned(0, 0, pair=True))
    watched = (X, OUT, None, fallback, np.ndarray, float)
    before = [sys.getrefcount(o) for o in watched]
    for _ in range(1000):
        call(X, OUT, 2.5)
        call(X, X, 2.5)
        ready()
        none(X, OUT, 2.5)
        pair(X, OUT, 2.5)
    after = [sys.getrefcount(o) for o in watched]
    assert all(abs(a - b) < 5 for a, b in zip(after, before, strict=True))


def test_handles_are_collected_with_their_cycles() -> None:
    seen = []
    for _ in range(3):
        call = called()
        call.itself = call
        call(X, OUT, 1.0)
        seen.append(weakref.ref(call))
    del call
    gc.collect()
    assert [ref() for ref in seen] == [None, None, None]


def test_any_callable_serves_as_what_is_called_back() -> None:
    class Result:
        def make(self, frame: Frame) -> str:
            return f"made {len(frame.words)}"

    own = kernel()
    frame = own.frame([X, OUT, 1.0])
    call = Callable_()
    call._attach(*bound_block(own, frame, [X, OUT, 1.0], Returned(None), print, Result().make))
    assert call() == f"made {own.layout.size}"


def test_without_native_code_a_call_takes_the_general_path() -> None:
    call = called()
    call._detach()
    assert call(1, k=2) == ("general", (1,), {"k": 2})
    assert Callable_()() == ("general", (), {})


def test_many_arrays_are_left_to_the_fallback() -> None:
    layout = FrameLayout.of([ARRAY] * 40, [])
    own = Kernel(kernel().address, layout, (), "f", frozenset(), None)
    frame = own.frame([X] * 40)
    order = [(k, "array", None) for k in range(40)]
    assert called_block(own, frame, order, Returned(0), fallback, lambda: None) is None
