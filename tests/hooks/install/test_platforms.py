"""Where there is no backend, or less of one: a clear statement, and no crash on import."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from pytest_adalloc.hooks import HooksUnavailable, available, measure, measure_native
from pytest_adalloc.hooks.install import process, slots
from pytest_adalloc.hooks.witness import breakpoints

HAS_BACKEND = available()[0]
needs_backend = pytest.mark.skipif(not HAS_BACKEND, reason="no backend on this platform")


@pytest.mark.parametrize(("platform", "machine"), [("darwin", "arm64"), ("win32", "AMD64"), ("linux", "riscv64")])
def test_other_platforms_say_what_is_missing(monkeypatch: pytest.MonkeyPatch, platform: str, machine: str) -> None:
    monkeypatch.setattr(process.sys, "platform", platform)
    monkeypatch.setattr(process.platform, "machine", lambda: machine)
    works, reason = available()
    assert not works
    assert (platform if platform != "linux" else machine) in reason
    monkeypatch.setattr(process, "_installed", process._installed.__wrapped__)
    with pytest.raises(HooksUnavailable, match=r"need Linux|know x86-64"):
        process.hook_addresses()


def test_import_needs_nothing_but_the_standard_library(python: Any) -> None:
    """And the numbers of ELF (`adcore.abi.elf`), which need nothing else themselves."""
    plugin = Path(process.__file__).parents[2]
    code = (
        "import sys, types\n"
        "for name in ('llvmlite', 'numpy', 'psutil', 'pytest', 'adcore.errors'): sys.modules[name] = None\n"
        "sys.platform = 'darwin'\n"
        f"for name, path in (('pytest_adalloc', {str(plugin)!r}), ('adcore', {str(plugin.parent / 'adcore')!r})):\n"
        "    parent = sys.modules[name] = types.ModuleType(name); parent.__path__ = [path]\n"
        "import pytest_adalloc.hooks as hooks\n"
        "print(hooks.available()[0])\n"
        "try: hooks.measure(lambda: None)\n"
        "except hooks.HooksUnavailable as error: print(error)\n"
        "ours = {name for name in sys.modules if name.startswith('adcore') and sys.modules[name] is not None}\n"
        "assert ours <= {'adcore', 'adcore.abi', 'adcore.abi.elf', 'adcore.abi.elf_images'}, ours\n"
    )
    run = python(code)
    assert run.stdout == "False\nthe allocator hooks need Linux; this is darwin\n", run.stderr


@needs_backend
@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EACCES, "refused"),
        (errno.EPERM, "refused"),
        (errno.ENOENT, "no hardware breakpoints"),
        (errno.ENOSPC, "a debugger"),
        (errno.ENOSYS, "no hardware breakpoints"),
    ],
)
def test_refused_breakpoints_are_stated(monkeypatch: pytest.MonkeyPatch, number: int, said: str) -> None:
    def refuse(address: int) -> Any:
        raise breakpoints.Refused(number, "no")

    monkeypatch.setattr(breakpoints, "_breakpoint", refuse)
    report = measure(lambda: None, calls=2)
    (witness,) = (w for w in report.witnesses if w.name == breakpoints.NAME)
    assert (witness.state, said in witness.detail) == ("unavailable", True)
    assert said in str(report)
    assert report.pattern == "none"
    assert breakpoints.available()[0] is False


@pytest.mark.skipif(not breakpoints.available()[0], reason="no breakpoints on this machine")
def test_a_breakpoint_that_never_fires_is_no_witness(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breakpoints, "_enter", lambda name, address: None)
    report = measure(lambda: None, calls=2)
    assert {w.name: w.state for w in report.witnesses}[breakpoints.NAME] == "unavailable"
    assert "did not count a call that was made to prove it" in str(report)


FILTERED = """
import ctypes, struct
libc = ctypes.CDLL(None, use_errno=True)
# Load the system call's number; when it is perf_event_open, answer with EPERM; allow everything else.
program = [(0x20, 0, 0, 0), (0x15, 0, 1, 298), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *each) for each in program))
class Program(ctypes.Structure): _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))
filtered = Program(len(program), ctypes.addressof(code))
assert libc.prctl(38, 1, 0, 0, 0) == 0
if libc.prctl(22, 2, ctypes.byref(filtered)): raise SystemExit(77)
from pytest_adalloc.hooks import forbid, measure
from pytest_adalloc.hooks.witness import breakpoints
print(*breakpoints.available())
report = measure(lambda: None, calls=2)
print({w.name: w.state for w in report.witnesses}, report.pattern)
with forbid() as seen: pass
print({w.name: w.state for w in seen.witnesses})
"""


@needs_backend
@pytest.mark.skipif(process.platform.machine() != "x86_64", reason="the filter is written for x86-64")
def test_a_container_that_forbids_perf_event_open(python: Any) -> None:
    """As Docker's filter of system calls does it."""
    run = python(FILTERED)
    if run.returncode == 77:
        pytest.skip("this system lets nobody filter system calls")
    first, *rest = run.stdout.splitlines()
    assert first.startswith("False perf_event_open was refused"), run.stderr
    states = "{'entries': 'agrees', 'relocation slots': 'agrees', 'hardware breakpoints': 'unavailable'}"
    assert rest == [f"{states} none", states], run.stderr


def test_a_c_library_that_lists_no_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "linked_address", lambda name: None)
    if HAS_BACKEND:
        works, reason = available()
        assert not works
        assert "dl_iterate_phdr" in reason


@needs_backend
def test_without_the_kernels_list_of_mappings(monkeypatch: pytest.MonkeyPatch, paths: Any) -> None:
    def absent() -> Any:
        raise FileNotFoundError("/proc/self/maps")

    hooks = process.installed()
    monkeypatch.setattr(slots, "memory_regions", absent)
    hooks.slots.remove()
    assert measure_native(paths.address("p_malloc"), 0, calls=3).allocs_per_call == (1, 1, 1)
    assert hooks.slots.lost() == []


@needs_backend
def test_a_c_library_without_backtrace(paths: Any) -> None:
    """As on musl: sites are known by return address alone, and the counts stay right."""
    import ctypes

    hooks = process.installed()
    word = ctypes.c_uint64.from_address(hooks.core["adalloc_libc"])
    before, keys = word.value, hooks.canary_keys
    word.value = 0
    try:
        hooks.canary_keys = process.learn_canary(hooks)
        report = measure_native(paths.address("p_malloc"), 0, calls=5, witness=False)
        assert report.allocs_per_call == (1,) * 5
        assert report.by_function == {"malloc": 5}
        strdup = measure_native(paths.address("p_strdup"), 0, calls=5, witness=False)
        assert strdup.by_function == {"malloc": 5}
    finally:
        word.value, hooks.canary_keys = before, keys
