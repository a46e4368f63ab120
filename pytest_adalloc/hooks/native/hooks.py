"""A hook: load the armed word, and when it is zero jump to the function that the hook stands for."""

from __future__ import annotations

from pytest_adalloc.hooks import layout
from pytest_adalloc.hooks.entries import NUMBER, Entry
from pytest_adalloc.hooks.native.spelling import FUNCTION, element, word


def hook(entry: Entry) -> str:
    """The hook of one entry point and the functions behind it.

    Three functions, each entered by a jump so that the return address stays the caller's. The first two have no frame:
    one serves the idle hooks, the other the threads that nobody measures. The last one counts.
    """
    parameters = ", ".join(f"{kind} %p{i}" for i, kind in enumerate(entry.params))
    original = f"load ptr, ptr {element('adalloc_originals', NUMBER[entry.name])}"
    return f"""
define {entry.result} @adalloc_hook_{entry.name}({parameters}) {FUNCTION} {{
  %armed = load atomic i64, ptr @adalloc_state monotonic, align 8
  %idle = icmp eq i64 %armed, 0
  br i1 %idle, label %pass, label %watch, !prof !0
pass:
  %original = {original}
  {_jump(entry.result, "%original", parameters, "r")}
watch:
  {_jump(entry.result, f"@watched_{entry.name}", parameters, "w")}
}}
define internal {entry.result} @watched_{entry.name}({parameters}) noinline {FUNCTION} {{
  %armed = load atomic i64, ptr @adalloc_state monotonic, align 8
  %pointer = call ptr @llvm.thread.pointer.p0()
  %thread = ptrtoint ptr %pointer to i64
  %same = icmp eq i64 %armed, %thread
  %every = icmp eq i64 %armed, -1
  %counted = or i1 %same, %every
  br i1 %counted, label %count, label %other
count:
  {_jump(entry.result, f"@counted_{entry.name}", parameters, "c")}
other:
{_count_other(entry)}
  %original = {original}
  {_jump(entry.result, "%original", parameters, "r")}
}}
define internal {entry.result} @counted_{entry.name}({parameters}) noinline {FUNCTION} {{
  %armed = load atomic i64, ptr @adalloc_state monotonic, align 8
  %returns = call ptr @llvm.returnaddress(i32 0)
  %caller = ptrtoint ptr %returns to i64
{_size(entry)}
  call void @adalloc_note(i64 {NUMBER[entry.name]}, i64 %size, i64 %caller, i64 %armed)
  %original = {original}
  {_jump(entry.result, "%original", parameters, "r")}
}}
"""


def _count_other(entry: Entry) -> str:
    # A locked addition is most of what another thread pays, so what no report shows is not counted.
    if not entry.counts:
        return ""
    return f"  %before = atomicrmw add ptr {word(layout.OTHERS + NUMBER[entry.name])}, i64 1 monotonic"


def _jump(result: str, target: str, parameters: str, name: str) -> str:
    if result == "void":
        return f"musttail call void {target}({parameters})\n  ret void"
    return f"%{name} = musttail call {result} {target}({parameters})\n  ret {result} %{name}"


def _size(entry: Entry) -> str:
    factors = [f"%p{i}" for i in entry.size]
    if len(factors) == 2:
        return f"  %size = mul i64 {factors[0]}, {factors[1]}"
    return f"  %size = add i64 0, {factors[0] if factors else 0}"
