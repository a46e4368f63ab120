"""The loader against LLVM's linker: the same code does the same, and what it does not know is left alone."""

from __future__ import annotations

import ctypes
import gc
import struct
from pathlib import Path
from typing import Any

import pytest

from adcore.abi import elf
from adcore.lower import emit
from adcore.runtime.loading import linker, loader
from adcore.runtime.loading.linker import LinkError, load, resolve

pytestmark = pytest.mark.skipif(not loader.supported(), reason="LLVM's linker loads this platform's objects")

TEXT = """
@table = internal constant [2 x double] [double 3.0, double 4.0]
@count = internal global i64 5
@chosen = constant ptr @table
@zeros = internal global [600 x i64] zeroinitializer
declare double @exp(double)
define internal double @twice(double %x) noinline {
  %r = call double @exp(double %x)
  %s = fmul double %r, 2.0
  ret double %s
}
define double @run(i64 %k) {
  %base = load ptr, ptr @chosen
  %at = getelementptr double, ptr %base, i64 %k
  %x = load double, ptr %at
  %n = load i64, ptr @count
  %m = add i64 %n, 1
  store i64 %m, ptr @count
  %z = getelementptr [600 x i64], ptr @zeros, i64 0, i64 %n
  store i64 %m, ptr %z
  %y = call double @twice(double %x)
  %f = sitofp i64 %n to double
  %r = fadd double %y, %f
  ret double %r
}
"""
PROTOTYPE = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int64)


def both(text: str = TEXT) -> tuple[Any, Any]:
    code = emit(text).object_code
    imports = {name: resolve(name) for name in linker.undefined_symbols(code) if name != elf.GOT_SYMBOL}
    addresses, pages = loader.load(code, ["run"], imports)
    theirs = linker._link(code, ["run"], imports)
    return (PROTOTYPE(addresses["run"]), pages), (PROTOTYPE(theirs["run"]), theirs)


def test_constants_data_and_calls() -> None:
    (mine, _keep), (theirs, _theirs) = both()
    assert [mine(k) for k in (0, 1, 0)] == [theirs(k) for k in (0, 1, 0)]


def test_nothing_is_writable_and_executable() -> None:
    (_, pages), _ = both()
    rows = [line.split(maxsplit=2)[:2] for line in Path("/proc/self/maps").read_text().splitlines()]
    inside = []
    for span, access in rows:
        low, high = (int(part, 16) for part in span.split("-"))
        if low < pages.base + pages.size and pages.base < high:
            inside.append(access[:3])
    assert set(inside) == {"r-x", "r--", "rw-"}


def test_pages_go_when_nobody_holds_them() -> None:
    (mine, pages), _ = both()
    base = pages.base
    del mine, pages
    gc.collect()
    assert f"{base:x}-" not in Path("/proc/self/maps").read_text()


def test_an_unknown_relocation_is_left_to_llvm(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "@run = thread_local global i64 3\ndefine ptr @at() {\n  ret ptr @run\n}\n"
    code = emit(text).object_code
    with pytest.raises(loader.Unsupported):
        loader.load(code, ["at"], {})
    asked: list[object] = []
    monkeypatch.setattr(linker, "_link", lambda *given: asked.append(given) or linker.Loaded({}))
    load(code, ["at"], undefined=())
    assert asked


def test_another_machine_is_left_to_llvm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader.platform, "machine", lambda: "aarch64")
    loaded = load(emit(TEXT).object_code, ["run"])
    assert PROTOTYPE(loaded["run"])(0) == 2 * 20.085536923187668 + 5


def test_damage_is_an_error() -> None:
    code = emit(TEXT).object_code
    _, sections = elf.read_sections(code)
    table = next(s for s in sections if s.kind == elf.RELOCATIONS_WITH_ADDEND)
    for place, form, value in ((table.offset, "<Q", 1 << 40), (40, "<Q", 1 << 60), (table.offset + 12, "<I", 1 << 30)):
        damaged = bytearray(code)
        struct.pack_into(form, damaged, place, value)
        with pytest.raises((LinkError, elf.ObjectError)):
            load(bytes(damaged), ["run"], undefined=("exp",))
