"""The allocator as kernels reach it, under `workspace="heap"`: through words that an observer may rewrite.

Code that is linked at run time has no relocation slots. Without these words, whoever counts allocations by rewriting
such slots would miss ours.
"""

from __future__ import annotations

import ctypes
from functools import cache

from adcore.runtime.loading import linker
from adcore.runtime.loading.small_objects import object_code

SIGNATURES = {"malloc": ("ptr", "i64"), "free": ("void", "ptr")}


def entries() -> dict[str, int]:
    """The addresses to link `malloc` and `free` to: each jumps to where its word points, at first the C library's."""
    return _loaded()[0]


def words() -> dict[str, int]:
    """Where these words are, by name; empty while no kernel that allocates was loaded."""
    return _loaded()[1] if _loaded.cache_info().currsize else {}


@cache
def _loaded() -> tuple[dict[str, int], dict[str, int]]:
    exports = [f"adcore_{kind}_{name}" for name in SIGNATURES for kind in ("entry", "word")]
    loaded = linker.load(object_code(_module, "allocator"), exports)
    found = [{name: loaded[f"adcore_{kind}_{name}"] for name in SIGNATURES} for kind in ("entry", "word")]
    for name, at in found[1].items():
        ctypes.c_uint64.from_address(at).value = linker.resolve(name)
    _keep.append(loaded)
    return found[0], found[1]


_keep: list[linker.Loaded] = []


def _module() -> str:
    return "".join(_text(name, *types) for name, types in SIGNATURES.items())


def _text(name: str, result: str, parameter: str) -> str:
    value = "" if result == "void" else "%r = "
    give = "ret void" if result == "void" else f"ret {result} %r"
    # A jump, so that the allocator sees the kernel as its caller.
    return f"""
@adcore_word_{name} = global ptr null
define {result} @adcore_entry_{name}({parameter} %p) nounwind {{
  %target = load ptr, ptr @adcore_word_{name}
  {value}musttail call {result} %target({parameter} %p)
  {give}
}}
"""
