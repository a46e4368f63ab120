"""Loading objects: everything resolved by name in Python, errors instead of aborts, and alive for as long as needed."""

from __future__ import annotations

import ctypes
import gc
import os
import subprocess
import sys
import threading

import pytest

from adcore.lower import emit
from adcore.runtime.loading.linker import LinkError, load, resolve, undefined_symbols

CALL = """
declare i64 @helper(i64)
define i64 @run(i64 %n) {
  %r = call i64 @helper(i64 %n)
  ret i64 %r
}
"""


def test_imports_take_precedence() -> None:
    prototype = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)
    triple = prototype(lambda n: 3 * n)
    address = ctypes.cast(triple, ctypes.c_void_p).value or 0
    loaded = load(emit(CALL).object_code, ["run"], {"helper": address})
    assert prototype(loaded["run"])(14) == 42


def test_a_missing_symbol_is_an_error_that_names_it() -> None:
    with pytest.raises(LinkError, match="helper, which no library here defines"):
        load(emit(CALL).object_code, ["run"])


def test_a_missing_export_is_an_error() -> None:
    with pytest.raises(LinkError):
        load(emit(CALL.replace("@helper", "@labs")).object_code, ["walk"])


def test_damaged_object_code_is_an_error_not_an_abort() -> None:
    code = emit(CALL).object_code
    for damaged in (b"", code[:50], b"\x7fELF" + bytes(100), code[: len(code) // 2]):
        with pytest.raises(LinkError):
            load(damaged, ["run"])


def test_undefined_symbols_are_read_from_the_object() -> None:
    assert undefined_symbols(emit(CALL).object_code) == ("helper",)
    assert resolve("exp") == ctypes.cast(ctypes.CDLL("libm.so.6").exp, ctypes.c_void_p).value


def test_code_lives_as_long_as_it_is_referenced() -> None:
    text = "define i64 @run(i64 %n) {\n  %r = add i64 %n, VALUE\n  ret i64 %r\n}\n"
    prototype = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)
    held = [load(emit(text.replace("VALUE", str(k))).object_code, ["run"]) for k in range(6)]
    del held[1::2]
    gc.collect()
    assert [prototype(loaded["run"])(1) for loaded in held] == [1, 3, 5]


def test_a_child_can_load_after_a_fork_during_compilation() -> None:
    """In a process of its own: pytest's own threads and handlers stay out of it."""
    program = f"""
import os, threading, warnings
warnings.simplefilter("ignore")
from adcore.lower import emit
from adcore.runtime.loading.linker import load
TEXT = {CALL.replace("@helper", "@labs")!r}
load(emit(TEXT).object_code, ["run"])
stop = False
def work():
    while not stop:
        load(emit(TEXT).object_code, ["run"])
threads = [threading.Thread(target=work) for _ in range(2)]
[t.start() for t in threads]
codes = []
for _ in range(8):
    child = os.fork()
    if child == 0:
        load(emit(TEXT).object_code, ["run"])
        os._exit(7)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
stop = True
[t.join() for t in threads]
assert codes == [7] * 8, codes
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60, env=dict(os.environ))


def test_threads_may_compile_and_load_at_once() -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(3):
                load(emit(CALL.replace("@helper", "@labs")).object_code, ["run"])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


CROWDED = """
import ctypes, sys
import numpy as np
import adcore as ad
from adcore.lower import emit
from adcore.runtime.loading.linker import load
from pytest_adalloc.hooks.install import jit

text = "@table = internal constant [2 x i64] [i64 3, i64 4]\\n" + sys.argv[1]
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
libc.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
reserve = lambda size: libc.mmap(None, size, 0, 0x4022, -1, 0)
page, code = 4096, emit(text).object_code
link = lambda: load(code, ["run"]) if sys.argv[2] == "adcore" else jit.link([code], ["run"])
link()  # so that only the object itself is new next time

large = reserve(1 << 34)
holes = []
while not holes or holes[-1] > large:
    holes.append(reserve(page))  # until the next mapping comes to lie beyond the large one
libc.munmap(holes[-2], page)
loaded = link()  # an object of adcore's takes its code along when it goes
print(ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(loaded["run"])(1))
"""
LOOKUP = """
define i64 @run(i64 %n) uwtable {
  %at = getelementptr [2 x i64], ptr @table, i64 0, i64 %n
  %r = load i64, ptr %at
  ret i64 %r
}
"""


@pytest.mark.parametrize("linker", ["adcore", "hooks"])
def test_sections_stay_together_where_addresses_are_crowded(linker: str) -> None:
    """One page is free before 16 GiB that are taken: a linker that maps section by section ends the process."""
    command = [sys.executable, "-c", CROWDED, LOOKUP, linker]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stdout) == (0, "4\n"), run.stderr
