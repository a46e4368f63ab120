"""The certificate: proven for what cannot allocate, refused with a reason for anything else."""

from __future__ import annotations

import ctypes
import ctypes.util
import re
from typing import Any

import numpy as np
import pytest

from adcore.abi import elf
from adcore.ir import F32, F64, Scalar
from adcore.lower import emit
from adcore.lower import vector_math as vectormath
from adcore.lower.objects import certificate
from adcore.lower.objects.certificate import certify, indirect_calls, reason
from adcore.runtime.loading.linker import Loaded, load
from pytest_adalloc import hooks
from tests.lower.native import Native

PLAIN = "define i32 @kernel(ptr %frame) {\n  ret i32 0\n}\n"


def test_plain_code_is_proven() -> None:
    proof = emit(PLAIN).certificate
    assert proof.proven
    assert proof.external_symbols == ()
    assert str(proof) == "proven not to allocate; calls nothing"


def test_mathematics_and_byte_moves_are_proven() -> None:
    text = """
declare double @exp(double)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
define i32 @kernel(ptr %frame, i64 %n) {
  call void @llvm.memset.p0.i64(ptr %frame, i8 0, i64 %n, i1 false)
  %x = load double, ptr %frame
  %y = call double @exp(double %x)
  store double %y, ptr %frame
  ret i32 0
}
"""
    assert emit(text).certificate.external_symbols == ("exp", "memset")
    assert emit(text).certificate.proven


def calls(symbol: str) -> str:
    call = f"  %p = call ptr @{symbol}(i64 %n)\n  ret ptr %p\n"
    return f"declare ptr @{symbol}(i64)\ndefine ptr @kernel(i64 %n) {{\n{call}}}\n"


@pytest.mark.parametrize("symbol", ["malloc", "mmap", "_Znwm"])
def test_a_planted_allocator_is_named(symbol: str) -> None:
    proof = emit(calls(symbol)).certificate
    assert not proof.proven
    assert proof.unproven == (f"calls {symbol}, an allocator",)


def test_an_unknown_function_is_not_proven() -> None:
    assert emit(calls("mystery")).certificate.unproven == ("calls mystery, which is not known not to allocate",)


def test_a_planted_indirect_call_is_counted() -> None:
    text = PLAIN.replace("  ret i32 0", "  %f = load ptr, ptr %frame\n  %r = call i32 %f(ptr %frame)\n  ret i32 %r")
    proof = emit(text).certificate
    assert not proof.proven
    assert proof.indirect_calls == 1
    assert "1 indirect call" in proof.unproven[0]


def test_a_taken_address_is_not_proven() -> None:
    text = "declare ptr @exp(i64)\ndefine ptr @kernel() {\n  ret ptr @exp\n}\n"
    assert emit(text).certificate.unproven == ("takes the address of exp",)


def test_a_table_of_functions_is_not_proven() -> None:
    text = "declare double @sin(double)\n@table = global [1 x ptr] [ptr @sin]\n" + PLAIN
    assert emit(text).certificate.unproven == ("takes the address of sin",)


def test_heap_mode_is_not_proven_and_the_arena_is() -> None:
    program = """
func @f(%n: i64) -> (f64) {
  %zero: i64 = const [type='i64', value=0]
  %a: array<f64,1,C> = alloc %n [element='f64', zero=True]
  %x: f64 = load %a, %zero
  return %x
}
"""
    assert Native(program).artifact.certificate.proven
    proof = Native(program, workspace="heap").artifact.certificate
    assert set(proof.unproven) == {"calls malloc, an allocator", "calls free, an allocator"}


@pytest.mark.parametrize(
    ("line", "indirect"),
    [
        ("  %v = tail call contract <4 x double> @_ZGVdN4v_exp(<4 x double> %x) #4", False),
        ("  tail call void @llvm.memset.p0.i64(ptr align 8 dereferenceable(16) %p, i8 0, i64 %n, i1 false)", False),
        ("  br i1 %1, label %loop.split, label %call.sqrt", False),
        ("  %call = load ptr, ptr %f", False),
        ("  %m = call { i64, i1 } @llvm.smul.with.overflow.i64(i64 %a, i64 %b)", False),
        ("  %r = call noundef range(i64 0, 9) i64 @f(i64 %a)", False),
        ("  %r = call i32 (ptr, ...) @printf(ptr %f)", False),
        ("  call void %f(ptr @exp)", True),
        ("  %r = musttail call i32 %f(ptr @g)", True),
        ("  %r = call double asm \"call *$0\", \"r\"(ptr @f)", True),
        ("  call void @f() ; call %g()", False),
    ],
)  # fmt: skip
def test_indirect_calls_in_text(line: str, indirect: bool) -> None:
    assert bool(indirect_calls(line)) == indirect


def test_damaged_objects_are_refused() -> None:
    data = emit(PLAIN).object_code
    for damaged in (b"", b"\x7fELF", data[:100], b"x" + data[1:], data[:40] + b"\xff" * 8 + data[48:]):
        with pytest.raises(elf.ObjectError):
            certify(damaged, "")


WITH_OTHER_OPERANDS = ("ldexp", "frexp", "sincos")


def allowed_functions() -> list[str]:
    names = sorted(name for names in certificate.ALLOWED.values() for name in names)
    return [n for n in names if n not in WITH_OTHER_OPERANDS]


BINARY = frozenset({"pow", "atan2", "hypot", "fmod", "copysign", "fmin", "fmax"})
SIZES = (0.0, 1e-320, 1e-30, 0.1, 0.5, 0.999, 1.0, 1.5, 2.0, 30.0, 171.0, 710.0, 1e5, 1e17, 1e300, np.inf)
VALUES = [*SIZES, *(-size for size in SIZES), np.nan]


@pytest.mark.parametrize("element", [F64, F32], ids=str)
@pytest.mark.parametrize("name", allowed_functions())
def test_allowed_functions_do_not_allocate(name: str, element: Scalar) -> None:
    """The allocator hooks watch the scalar version and every vector version go over a range, edges included."""
    symbol = name if element == F64 else name + "f"
    assert reason(symbol)
    usable, why = hooks.available()
    if not usable:
        pytest.skip(why)
    operands = 3 if name == "fma" else 2 if name in BINARY else 1
    with np.errstate(over="ignore"):
        grid = np.array(VALUES).astype(np.float64 if element == F64 else np.float32)
    first, second = (np.ascontiguousarray(a.ravel()) for a in np.meshgrid(grid, grid))
    third, out = np.roll(first, 7), np.zeros_like(first)
    words = np.array([len(first), *(a.ctypes.data for a in (out, first, second, third))])
    for variant in ("", *(v.symbol for v in vectormath.host().variants(symbol, element, operands))):
        loaded = driver(symbol, variant, operands, element)
        report = hooks.measure_native(loaded["drive"], words.ctypes.data, calls=2)
        assert report.allocs == report.frees == 0, (variant, report)
        assert np.any(out != 0)


@pytest.mark.parametrize("suffix", ["", "f"])
@pytest.mark.parametrize("name", WITH_OTHER_OPERANDS)
def test_allowed_functions_with_integers_and_pointers_do_not_allocate(name: str, suffix: str) -> None:
    assert reason(name + suffix)
    number = ctypes.c_float if suffix else ctypes.c_double
    first, second, exponent = number(), number(), ctypes.c_int()
    others: list[list[object]] = {
        "ldexp": [[ctypes.c_int(n)] for n in (-5000, -1074, -1, 0, 1, 1023, 5000)],
        "frexp": [[ctypes.byref(exponent)]],
        "sincos": [[ctypes.byref(first), ctypes.byref(second)]],
    }[name]
    function = getattr(ctypes.CDLL(ctypes.util.find_library("m")), name + suffix)
    function.restype = None if name == "sincos" else number
    watched_over([(function, number(value), *rest) for value in (*VALUES, 1.5) for rest in others])
    assert exponent.value or first.value or name == "ldexp"


@pytest.mark.parametrize("name", sorted(certificate.BYTE_FUNCTIONS))
def test_allowed_moves_of_bytes_do_not_allocate(name: str) -> None:
    assert reason(name)
    function = getattr(ctypes.CDLL(None), name)
    size = 5_000_000  # beyond where the C library goes around the caches
    to, source = ctypes.create_string_buffer(size), ctypes.create_string_buffer(b"x" * size, size)
    what = ctypes.c_int(120) if name == "memset" else source
    watched_over([(function, to, what, ctypes.c_size_t(n)) for n in (0, 1, 7, 8, 64, 4096, 100_001, size)])
    assert (to.raw == source.raw) == (name in ("memcpy", "memmove", "memset"))


def watched_over(calls: list[tuple[Any, ...]]) -> None:
    """Make each call, a function with its arguments, while the allocator hooks watch; none may allocate."""
    usable, why = hooks.available()
    if not usable:
        pytest.skip(why)

    def all_of_them() -> None:
        for function, *arguments in calls:
            function(*arguments)

    report = hooks.measure(all_of_them, calls=2)
    assert report.allocs == report.frees == 0, report
    assert not report.disagreement, report


def driver(name: str, variant: str, operands: int, type_: Scalar) -> Loaded:
    """A native loop over arrays that calls the scalar function or one vector version of it."""
    lanes = int(re.findall(r"N(\d+)", variant)[0]) if variant else 1
    scalar = "double" if type_ == F64 else "float"
    ty = f"<{lanes} x {scalar}>" if variant else scalar
    symbol = variant or name
    word = "  %w{0} = getelementptr i64, ptr %frame, i64 {0}\n  %{1} = load {2}, ptr %w{0}\n"
    element = "  %at{0} = getelementptr {2}, ptr %{0}, i64 %i\n  %x{0} = load {1}, ptr %at{0}, align 4\n"
    names = "abc"[:operands]
    text = f"""
declare {ty} @{symbol}({", ".join([ty] * operands)})
define i32 @drive(ptr %frame) "frame-pointer"="all" {{
entry:
{word.format(0, "n", "i64")}{word.format(1, "out", "ptr")}
{"".join(word.format(k, c, "ptr") for k, c in enumerate(names, start=2))}
  %whole = and i64 %n, {-lanes}
  br label %loop
loop:
  %i = phi i64 [0, %entry], [%next, %loop]
{"".join(element.format(c, ty, scalar) for c in names)}
  %r = call {ty} @{symbol}({", ".join(f"{ty} %x{c}" for c in names)})
  %to = getelementptr {scalar}, ptr %out, i64 %i
  store {ty} %r, ptr %to, align 4
  %next = add i64 %i, {lanes}
  %more = icmp ult i64 %next, %whole
  br i1 %more, label %loop, label %exit
exit:
  ret i32 0
}}
"""
    artifact = emit(text)
    assert artifact.certificate.proven, artifact.certificate
    return load(artifact.object_code, ["drive"])
