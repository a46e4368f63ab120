"""A shared library made without a compiler counts under LD_PRELOAD, and sees what slots cannot."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pytest_adalloc.hooks import HooksUnavailable
from pytest_adalloc.hooks.install import jit
from pytest_adalloc.hooks.witness import breakpoints, preloaded
from pytest_adalloc.hooks.witness.shared_library import shared_object


@pytest.fixture(scope="module")
def library() -> Path:
    try:
        return preloaded.library()
    except HooksUnavailable as error:
        pytest.skip(str(error))


MEASURE = """
import ctypes, sys
from pytest_adalloc.hooks import measure_native
from pytest_adalloc.hooks.witness import preloaded
assert preloaded.active()
library = ctypes.CDLL(sys.argv[1])
for name in sys.argv[2:]:
    address = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
    report = measure_native(address, 0, calls=4)
    witness = {w.name: w for w in report.witnesses}[preloaded.NAME]
    print(name, sum(report.allocs_per_call), witness.state, dict(witness.unseen))
"""


def test_agrees_where_slots_see_and_sees_more(library: Path, paths: Any, python: Any) -> None:
    names = ["p_nothing", "p_malloc", "p_calloc", "p_realloc", "p_posix_memalign", "p_aligned_alloc", "p_memalign"]
    names += ["p_valloc", "p_pvalloc", "p_strdup", "p_fopen", "p_getaddrinfo", "h_cached"]
    run = python(MEASURE, str(paths.path), *names, LD_PRELOAD=str(library))
    assert run.returncode == 0, run.stderr
    rows = {line.split(None, 2)[0]: line.split(None, 2)[1:] for line in run.stdout.splitlines()}
    assert rows.pop("h_cached") == ["4", "agrees {}"]
    assert {row[1] for row in rows.values()} == {"agrees {}"}
    assert rows["p_nothing"][0] == "0"
    assert all(int(row[0]) >= 4 for name, row in rows.items() if name != "p_nothing")


PLACES = """
import ctypes, sys
from pytest_adalloc.hooks import measure_native
from pytest_adalloc.hooks.witness import breakpoints, preloaded
library = ctypes.CDLL(sys.argv[1])
for name in ("p_nothing", "p_malloc", "p_posix_memalign", "p_memalign", "p_valloc", "h_cached", "h_libc_malloc"):
    address = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
    report = measure_native(address, 0, calls=4)
    print(name, *({w.name: w for w in report.witnesses}[n].state for n in (preloaded.NAME, breakpoints.NAME)))
print({w.name: w for w in measure_native(address, 0, calls=4, scope="process").witnesses}[preloaded.NAME])
"""


def test_breakpoints_are_on_libcs_own_entries(library: Path, paths: Any, python: Any) -> None:
    """Behind the preloaded library, so that they see what goes past it as well."""
    works, reason = breakpoints.available()
    if not works:
        pytest.skip(reason)
    run = python(PLACES, str(paths.path), LD_PRELOAD=str(library))
    assert run.stdout.splitlines() == [
        "p_nothing agrees agrees",
        "p_malloc agrees agrees",
        "p_posix_memalign agrees agrees",
        "p_memalign agrees agrees",
        "p_valloc agrees agrees",
        "h_cached agrees agrees",
        "h_libc_malloc agrees agrees",
        "preloaded library: not asked (it counts the calls of one thread, and all threads were counted)",
    ], run.stderr


def test_reexec_keeps_arguments_and_preloads(library: Path, python: Any) -> None:
    run = python(
        "import sys; from pytest_adalloc.hooks.witness import preloaded\n"
        "if not preloaded.active(): preloaded.reexec()\n"
        "print('active', sys.argv[1:])",
        "one",
        "two words",
    )
    assert run.stdout == "active ['one', 'two words']\n", run.stderr
    del library


def test_other_preloaded_libraries_stay(library: Path) -> None:
    environment = preloaded.environment({"LD_PRELOAD": "/lib/other.so", "KEEP": "1"})
    assert environment["LD_PRELOAD"] == f"{library} /lib/other.so"
    assert environment["KEEP"] == "1"
    assert preloaded.environment(environment)["LD_PRELOAD"] == environment["LD_PRELOAD"]


def test_the_whole_interpreter_runs_on_it(library: Path, python: Any) -> None:
    code = "import json, threading, subprocess, sys, numpy\nprint(numpy.linalg.inv(numpy.eye(50)).sum())"
    run = python(code, LD_PRELOAD=str(library))
    assert (run.returncode, run.stdout) == (0, "50.0\n")


def test_other_programs_run_on_it(library: Path) -> None:
    for program in ("true", "ls", "sort"):
        found = shutil.which(program)
        if found:
            run = subprocess.run(
                [found], env={"LD_PRELOAD": str(library)}, input=b"b\na\n", capture_output=True, check=True
            )
            assert run.stderr == b""


def test_not_active_here() -> None:
    assert not preloaded.active()
    assert preloaded.counts(preloaded.state_address()) == {}


def test_objects_that_the_writer_cannot_take_over_are_refused() -> None:
    text = f"""
target triple = "{jit.triple()}"
@constant = constant [9 x i8] c"read only"
@data = global i64 7, section ".data"
define ptr @f() {{
  ret ptr @constant
}}
"""
    with pytest.raises(ValueError, match=r"\.rodata"):
        shared_object(jit.compiled(text), exports=["f"], pointers=("data", []), needed="libc.so.6")


def test_other_platforms_are_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preloaded.platform, "machine", lambda: "riscv64")
    with pytest.raises(HooksUnavailable, match="x86-64"):
        preloaded.library()
