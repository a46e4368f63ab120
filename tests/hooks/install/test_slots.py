"""Relocation slots: found, patched, chained, verified and given back, in every shape that the loader leaves them."""

from __future__ import annotations

import ctypes
import random
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from pytest_adalloc.hooks import measure_native
from pytest_adalloc.hooks.entries import NAMES
from pytest_adalloc.hooks.install import loaded_objects
from pytest_adalloc.hooks.install.loaded_objects import definition, first_definition
from pytest_adalloc.hooks.install.process import installed
from pytest_adalloc.hooks.install.slots import linked_address


def word(address: int) -> ctypes.c_uint64:
    return ctypes.c_uint64.from_address(address)


def slot_of(path: Path, symbol: str, kind: str = "") -> loaded_objects.RelocationSlot:
    hooks = installed()
    hooks.refresh()
    slots = (s for s in hooks.slots.watched() if s.owner.name == str(path) and s.symbol == symbol)
    return next(s for s in slots if kind in ("", s.kind))


def test_objects_and_definitions() -> None:
    objects, generation = loaded_objects.loaded_objects()
    assert loaded_objects.loader_generation() == generation
    assert len(objects) > 5
    libc = next(o for o in objects if o.file_name.startswith("libc.so"))
    assert definition(libc, "malloc") == ctypes.cast(ctypes.CDLL(libc.name).malloc, ctypes.c_void_p).value
    assert definition(libc, "no such name") is None
    assert first_definition(objects, "malloc", linked_address) == definition(libc, "malloc")
    low, high = libc.span()
    assert low < (definition(libc, "free") or 0) < high


def test_every_slot_of_libc_and_python_is_hooked() -> None:
    hooks = installed()
    hooks.refresh()
    assert hooks.slots.lost() == []
    kinds = {slot.kind for slot in hooks.slots.watched()}
    assert {"jump", "data"} <= kinds
    libc = {s.symbol for s in hooks.slots.watched() if s.owner.file_name.startswith("libc.so")}
    assert {"malloc", "free"} <= libc


def test_patching_is_idempotent_and_removal_is_complete(paths: Any) -> None:
    hooks = installed()
    hooks.refresh()
    assert hooks.slots.patch() == 0
    slot = slot_of(paths.path, "malloc", "jump")
    assert word(slot.address).value != hooks.slots.originals["malloc"]
    restored = hooks.slots.remove()
    assert restored > 10
    assert len(hooks.slots.lost()) > 10
    assert hooks.slots.remove() == 0
    assert hooks.slots.patch() == restored
    assert hooks.slots.lost() == []


def test_read_only_pages_are_closed_again(paths: Any) -> None:
    del paths
    hooks = installed()

    def rights() -> dict[int, int]:
        from pytest_adalloc.hooks.install.slots import memory_regions

        regions = memory_regions()
        return {
            slot.address: next(r for low, high, r in regions if low <= slot.address < high)
            for slot in hooks.slots.watched()
        }

    hooks.refresh()
    hooks.slots.remove()
    before = rights()
    assert any(not right & 2 for right in before.values()), "no slot lies in a read-only page"
    hooks.slots.patch()
    assert rights() == before


def test_a_lazily_bound_library_is_hooked_before_its_first_call(build: Any) -> None:
    path = build("paths.c", "liblazy.so", "-shared", "-fPIC", "-pthread", "-ldl", "-Wl,-z,lazy", "-Wl,-z,norelro")
    library = ctypes.CDLL(str(path), mode=ctypes.DEFAULT_MODE)
    address = ctypes.cast(library.p_calloc, ctypes.c_void_p).value
    report = measure_native(address or 0, 0, calls=3, warmup=0)
    assert report.by_function == {"calloc": 3}


def test_a_foreign_hook_is_called_and_not_bypassed(build: Any) -> None:
    """Someone else patched a slot first, and again after us: both times our hook passes on to theirs."""
    path = build("paths.c", "libforeign.so", "-shared", "-fPIC", "-pthread", "-ldl")
    library = ctypes.CDLL(str(path))
    address = ctypes.cast(library.p_malloc, ctypes.c_void_p).value or 0
    hooks = installed()
    calls: list[int] = []
    prototype = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_size_t)
    malloc = prototype(hooks.slots.originals["malloc"])
    theirs = [prototype(lambda n, i=i: calls.append(i) or malloc(n)) for i in range(2)]
    for number, function in enumerate(theirs):
        slot = slot_of(path, "malloc", "jump")
        with hooks.slots.opened([slot.address]):
            word(slot.address).value = ctypes.cast(function, ctypes.c_void_p).value or 0
        calls.clear()
        report = measure_native(address, 0, calls=3, warmup=0, witness=False)
        assert report.by_function["malloc"] >= 3
        assert calls == [number] * 3
    assert any("libforeign.so: malloc" in name for name in hooks.slots.foreign)
    slot = slot_of(path, "malloc", "jump")
    with hooks.slots.opened([slot.address]):
        word(slot.address).value = hooks.slots.originals["malloc"]
    hooks.refresh()


def test_a_data_word_that_the_program_changed_is_left_alone(build: Any) -> None:
    path = build("paths.c", "libdata.so", "-shared", "-fPIC", "-pthread", "-ldl")
    library = ctypes.CDLL(str(path))
    hooks = installed()
    objects, _ = loaded_objects.loaded_objects()
    owner = next(o for o in objects if o.name == str(path))
    slot = next(s for s in loaded_objects.relocation_slots(owner, NAMES) if s.kind == "absolute")
    mine = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_size_t)(lambda n: hooks.slots.originals["malloc"] and 0)
    address = ctypes.cast(mine, ctypes.c_void_p).value or 0
    word(slot.address).value = address
    hooks.refresh()
    assert word(slot.address).value == address
    assert hooks.slots.lost() == []
    del library


NAMESPACE = """
import ctypes, sys
from pytest_adalloc.hooks import measure_native
from pytest_adalloc.hooks.install.process import installed
opener = ctypes.CDLL(None).dlmopen
opener.restype, opener.argtypes = ctypes.c_void_p, [ctypes.c_long, ctypes.c_char_p, ctypes.c_int]
library = ctypes.CDLL(sys.argv[1])
function = ctypes.cast(library.p_malloc, ctypes.c_void_p).value
assert not [spot for spot in measure_native(function, 0, calls=3).blind_spots if "loader" in spot]
handle = opener(-1, sys.argv[2].encode(), 2)
assert handle
apart = ctypes.cast(ctypes.CDLL("apart", handle=handle).p_malloc, ctypes.c_void_p).value
report = measure_native(apart, 0, calls=3)
assert report.allocs_per_call == (1, 1, 1), report
assert not [spot for spot in report.blind_spots if "loader" in spot]
points = installed().entry_points
points.suspend("left out")
report = measure_native(apart, 0, calls=3)
assert report.allocs_per_call == (0, 0, 0), report
(spot,) = [spot for spot in report.blind_spots if "loader" in spot]
assert "apart.so" in spot and "libc.so.6" in spot, spot
"""


def test_a_library_in_a_namespace_of_its_own_is_named(paths: Any, python: Any, tmp_path: Path) -> None:
    apart = tmp_path / "apart.so"
    shutil.copy(paths.path, apart)
    run = python(NAMESPACE, str(paths.path), str(apart))
    if "dlmopen" in run.stderr and "AttributeError" in run.stderr:
        pytest.skip("this C library has no dlmopen")
    assert run.returncode == 0, run.stderr


def test_a_library_that_is_closed_and_opened_again(build: Any, tmp_path: Path) -> None:
    import _ctypes

    copy = tmp_path / "libreopened.so"
    shutil.copy(build("paths.cpp", "libpathscpp.so", "-shared", "-fPIC", "-std=c++17"), copy)
    for _ in range(3):
        library = ctypes.CDLL(str(copy))
        address = ctypes.cast(library.c_new, ctypes.c_void_p).value or 0
        assert measure_native(address, 0, calls=2, witness=False).by_function == {"malloc": 2}
        _ctypes.dlclose(library._handle)
    assert measure_native(ctypes.cast(ctypes.CDLL(None).getpid, ctypes.c_void_p).value or 0, 0, calls=1).calls == 1


def test_the_old_hash_table(build: Any) -> None:
    path = build("paths.c", "liboldhash.so", "-shared", "-fPIC", "-pthread", "-ldl", "-Wl,--hash-style=sysv")
    library = ctypes.CDLL(str(path))
    objects, _ = loaded_objects.loaded_objects()
    owner = next(o for o in objects if o.name == str(path))
    address = ctypes.cast(library.p_malloc, ctypes.c_void_p).value
    assert definition(owner, "p_malloc") == address
    assert measure_native(address or 0, 0, calls=2).by_function == {"malloc": 2}


HOST = r"""
/* A non-PIE program that embeds Python and takes malloc's address: its linkage entry becomes everyone's malloc. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
static void *(*volatile taken)(size_t);
int main(int argc, char **argv) {
    void *python = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
    int (*run)(int, char **) = python ? (int (*)(int, char **))dlsym(python, "Py_BytesMain") : NULL;
    if (!run) return fprintf(stderr, "%s\n", dlerror()), 9;
    taken = malloc;
    argv[1] = argv[0];
    free(taken(10));
    return run(argc - 1, argv + 1);
}
"""


def test_a_program_that_is_not_position_independent(paths: Any, tmp_path: Path) -> None:
    shared = Path(sysconfig.get_config_var("LIBDIR") or "") / (sysconfig.get_config_var("INSTSONAME") or "-")
    compiler = shutil.which("gcc")
    if not shared.exists() or shared.suffix == ".a" or compiler is None:
        pytest.skip("needs a shared libpython and a compiler")
    source, host = tmp_path / "host.c", tmp_path / "host"
    source.write_text(HOST)
    subprocess.run([compiler, "-no-pie", "-fno-pie", str(source), "-o", str(host), "-ldl"], check=True, timeout=60)
    code = (
        "import ctypes, sys\n"
        "from pytest_adalloc.hooks import measure_native\n"
        "from pytest_adalloc.hooks.install.process import installed\n"
        "from pytest_adalloc.hooks.install.slots import linked_address\n"
        "hooks = installed()\n"
        "print(linked_address('malloc') != hooks.slots.originals['malloc'])\n"
        "library = ctypes.CDLL(sys.argv[1])\n"
        "f = ctypes.cast(library.p_strdup, ctypes.c_void_p).value\n"
        "print(dict(measure_native(f, 0, calls=4).by_function), hooks.slots.lost())\n"
    )
    root = str(Path(__file__).parents[3])
    environ = {"PYTHONPATH": ":".join([root, *sys.path]), "PYTHONHOME": sys.base_prefix, "HOME": str(tmp_path)}
    command = [str(host), str(shared), "-c", code, str(paths.path)]
    run = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=60, check=False)
    assert run.stdout == "True\n{'malloc': 4} []\n", run.stderr


def test_random_loads_and_unloads_never_leave_a_slot_behind(build: Any, tmp_path: Path) -> None:
    import _ctypes

    source = build("paths.cpp", "libpathscpp.so", "-shared", "-fPIC", "-std=c++17")
    copies = [shutil.copy(source, tmp_path / f"lib{i}.so") for i in range(4)]
    chance, loaded = random.Random(5), {}
    hooks = installed()
    for _ in range(60):
        path = chance.choice(copies)
        if path in loaded:
            _ctypes.dlclose(loaded.pop(path)._handle)
        else:
            loaded[path] = ctypes.CDLL(str(path))
        if chance.random() < 0.5:
            hooks.refresh()
            assert hooks.slots.lost() == []
    for library in loaded.values():
        _ctypes.dlclose(library._handle)
