"""A kernel that allocates on purpose, built through the same link path as the code under test.

Code that is linked at run time resolves ``malloc`` on its own, so the relocation slots miss it; its linker has to be
given the hooks' addresses. Whether it took them is not to be believed but seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pytest_adalloc.hooks.count.measuring import measure_native
from pytest_adalloc.hooks.errors import HooksDead
from pytest_adalloc.hooks.install.process import hook_addresses

CANARY_KERNEL = "adalloc_canary_kernel"
CALLS = 3
PER_CALL = {"malloc": 3, "calloc": 1, "realloc": 1}
FREES_PER_CALL = 4


def check_link_path(link: Callable[[bytes, Mapping[str, int]], int], *, symbol: str = CANARY_KERNEL) -> None:
    """Raise ``HooksDead`` unless code that ``link`` loads allocates through the hooks.

    ``link(object_code, imports)`` loads a relocatable object, binding its undefined symbols to the addresses in
    ``imports``, and returns the address of ``symbol``, which is ``int32 kernel(void *)``. The code must stay loaded
    until this function returns.
    """
    from pytest_adalloc.hooks.install import jit

    imports = {name: address for name, address in hook_addresses().items() if name in (*PER_CALL, "free")}
    address = link(jit.object_code(_text(symbol, jit.triple())), imports)
    report = measure_native(address, 0, calls=CALLS, witness=False)
    expected = {name: CALLS * count for name, count in PER_CALL.items()}
    past = any(site.past_slots for site in report.sites)
    if past or dict(report.by_function) != expected or report.frees != CALLS * FREES_PER_CALL:
        seen = "none of them" if past else f"{dict(report.by_function)} and {report.frees}"
        raise HooksDead(
            f"code that is linked this way allocates past the hooks: a canary kernel made {expected} and "
            f"{CALLS * FREES_PER_CALL} frees, the hooks saw {seen}. "
            "Its linker must bind malloc, calloc, realloc and free to the addresses of hook_addresses()"
        )


def _text(symbol: str, triple: str) -> str:
    # Emitted without an optimizer, which would drop a pair of malloc and free.
    return f"""
target triple = "{triple}"
declare ptr @malloc(i64)
declare ptr @calloc(i64, i64)
declare ptr @realloc(ptr, i64)
declare void @free(ptr)
define i32 @{symbol}(ptr %frame) nounwind uwtable {{
  %a = call ptr @malloc(i64 24)
  %b = call ptr @malloc(i64 4000)
  %c = call ptr @malloc(i64 1)
  %d = call ptr @calloc(i64 3, i64 8)
  %e = call ptr @realloc(ptr %a, i64 200)
  call void @free(ptr %b)
  call void @free(ptr %c)
  call void @free(ptr %d)
  call void @free(ptr %e)
  ret i32 0
}}
"""
