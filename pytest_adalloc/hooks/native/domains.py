"""Shims of Python's memory domains and of NumPy's data handler; they find the original by number, not by context."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_adalloc.hooks import layout
from pytest_adalloc.hooks.native.spelling import FUNCTION, element, word

_DOMAIN_SHAPES = {
    "malloc": ("ptr", "ptr %context, i64 %a", "%a"),
    "calloc": ("ptr", "ptr %context, i64 %a, i64 %b", "mul"),
    "realloc": ("ptr", "ptr %context, ptr %a, i64 %b", "%b"),
    "free": ("void", "ptr %context, ptr %a", ""),
}


def domains() -> Iterable[str]:
    """One function per domain and call."""
    for domain, name in enumerate(layout.DOMAIN_NAMES):
        for position, call in enumerate(layout.DOMAIN_CALLS, start=1):
            result, parameters, size = _DOMAIN_SHAPES[call]
            if name == "numpy" and call == "free":
                parameters += ", i64 %b"
            yield _shim(domain, name, call, position, result, parameters, size)


def _shim(domain: int, name: str, call: str, position: int, result: str, parameters: str, size: str) -> str:
    first = layout.DOMAINS + domain * layout.DOMAIN_WORDS
    counter = first + 2 if call == "free" else first
    measured = "  %size = mul i64 %a, %b" if size == "mul" else f"  %size = add i64 0, {size or 0}"
    passed = parameters.replace("%context", "%original.context")
    give = f"musttail call void %original({passed})\n  ret void"
    if result != "void":
        give = f"%r = musttail call {result} %original({passed})\n  ret {result} %r"
    return f"""
define {result} @adalloc_{name}_{call}({parameters}) {FUNCTION} {{
  %armed = load atomic i64, ptr @adalloc_state monotonic, align 8
  %idle = icmp eq i64 %armed, 0
  br i1 %idle, label %pass, label %ask, !prof !0
ask:
  %pointer = call ptr @llvm.thread.pointer()
  %thread = ptrtoint ptr %pointer to i64
  %same = icmp eq i64 %armed, %thread
  %every = icmp eq i64 %armed, -1
  %counted = or i1 %same, %every
  br i1 %counted, label %count, label %pass
count:
{measured}
  %calls = atomicrmw add ptr {word(counter)}, i64 1 monotonic
  %bytes = atomicrmw add ptr {word(first + 1)}, i64 %size monotonic
  br label %pass
pass:
  %original.context = load ptr, ptr {element("adalloc_domain_originals", 5 * domain)}
  %original = load ptr, ptr {element("adalloc_domain_originals", 5 * domain + position)}
  {give}
}}
"""
