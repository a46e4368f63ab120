"""Every system call of a thread, by number: Linux can turn each into a signal, which any program may ask for.

The handler counts the call, makes it, and goes on behind it. Calls that start threads or processes, or end them, cannot
be made from a handler: they end the counting, and are made again where they stand.
"""

from __future__ import annotations

from pytest_adalloc.hooks import layout
from pytest_adalloc.hooks.native.spelling import FUNCTION, word

MASTER, ON, OFF = 59, 1, 0  # prctl's request and its modes
BLOCK, ALLOW = 1, 0  # what the selector says of calls from outside of the range that is always allowed
PRCTL, GETRUSAGE, RUSAGE_THREAD, RETURN = 157, 98, 1, 15
UNMADE = (15, 56, 57, 58, 59, 60, 231, 322, 435)  # sigreturn, clone, fork, vfork, exec, exit and their kin
REGISTERS = 40  # in a signal's context; then by number:
R8, R9, R10, RDI, RSI, RDX, RAX, RIP = 0, 1, 2, 8, 9, 12, 13, 16
RESTORER_BYTES = 16


def dispatch(triple: str) -> str:
    """``adalloc_observed(plan)``, which makes the calls of a plan and counts their system calls."""
    if not triple.startswith("x86_64"):
        return "".join(f"define void @{name}() {FUNCTION} {{\n  ret void\n}}\n" for name in SYMBOLS)
    return _restorer() + _handler() + _observed()


SYMBOLS = ("adalloc_observed", "adalloc_handler", "adalloc_restorer")


def _restorer() -> str:
    lines = (
        ".text",
        ".globl adalloc_restorer",
        ".p2align 4",
        "adalloc_restorer:",
        f"movl ${RETURN}, %eax",
        "syscall",
        "nop",
    )
    return "".join(f'module asm "{line}"\n' for line in lines) + "declare void @adalloc_restorer()\n"


def _raw(result: str, number: str, *arguments: str) -> str:
    """A system call without the C library."""
    given = [*arguments, *["0"] * (6 - len(arguments))]
    # The number, then the six registers of the kernel's convention.
    constraints = "={ax},{ax},{di},{si},{dx},{r10},{r8},{r9},~{rcx},~{r11},~{memory}"
    passed = ", ".join(f"i64 {value}" for value in (number, *given))
    return f'  {result} = call i64 asm sideeffect "syscall", "{constraints}"({passed})\n'


def _handler() -> str:
    numbers = {"number": RAX, "a0": RDI, "a1": RSI, "a2": RDX, "a3": R10, "a4": R8, "a5": R9, "rip": RIP}
    loads = "".join(
        f"  %{name}.at = getelementptr i8, ptr %context, i64 {REGISTERS + 8 * place}\n"
        f"  %{name} = load i64, ptr %{name}.at\n"
        for name, place in numbers.items()
    )
    cases = "\n".join(f"    i64 {number}, label %unmade" for number in UNMADE)
    return f"""
define void @adalloc_handler(i32 %signal, ptr %info, ptr %context) {FUNCTION} {{
start:
  store volatile i8 {ALLOW}, ptr {word(layout.SELECTOR)}
{loads}
  %low = load i64, ptr {word(layout.SYSTEM_LOW)}
  %high = load i64, ptr {word(layout.SYSTEM_HIGH)}
  %above = icmp uge i64 %rip, %low
  %below = icmp ult i64 %rip, %high
  %inside = and i1 %above, %below
  %first = select i1 %inside, i64 {layout.SYSTEM_CALLS}, i64 {layout.RAW_CALLS}
  %capped = call i64 @llvm.umin.i64(i64 %number, i64 {layout.SYSTEM_COUNT - 1})
  %at = add i64 %first, %capped
  %counter = getelementptr i64, ptr @adalloc_state, i64 %at
  %old = load i64, ptr %counter
  %new = add i64 %old, 1
  store i64 %new, ptr %counter
  switch i64 %number, label %make [
{cases}
  ]
unmade:
  %again = sub i64 %rip, 2
  store i64 %again, ptr %rip.at
  store i64 1, ptr {word(layout.SYSTEM_STOPPED)}
  ret void
make:
{_raw("%result", "%number", "%a0", "%a1", "%a2", "%a3", "%a4", "%a5")}
  store i64 %result, ptr %number.at
  store volatile i8 {BLOCK}, ptr {word(layout.SELECTOR)}
  ret void
}}
"""


def _observed() -> str:
    usage = f"ptrtoint (ptr {word(layout.USAGE)} to i64)"
    later = f"ptrtoint (ptr {word(layout.USAGE + layout.USAGE_WORDS)} to i64)"
    selector = f"ptrtoint (ptr {word(layout.SELECTOR)} to i64)"
    return f"""
define void @adalloc_observed(ptr %plan) {FUNCTION} {{
  store i64 0, ptr {word(layout.SYSTEM_STOPPED)}
  store volatile i8 {ALLOW}, ptr {word(layout.SELECTOR)}
  %start = ptrtoint ptr @adalloc_restorer to i64
{_raw("%refused", str(PRCTL), str(MASTER), str(ON), "%start", str(RESTORER_BYTES), selector)}
  store i64 %refused, ptr {word(layout.SYSTEM_REFUSED)}
  %works = icmp eq i64 %refused, 0
  br i1 %works, label %watch, label %done
watch:
{_raw("%before", str(GETRUSAGE), str(RUSAGE_THREAD), usage)}
  store volatile i8 {BLOCK}, ptr {word(layout.SELECTOR)}
  call void @adalloc_calls(ptr %plan)
  store volatile i8 {ALLOW}, ptr {word(layout.SELECTOR)}
{_raw("%after", str(GETRUSAGE), str(RUSAGE_THREAD), later)}
{_raw("%off", str(PRCTL), str(MASTER), str(OFF), "0", "0", "0")}
  br label %done
done:
  ret void
}}
"""
