"""What a patched function calls while somebody counts: was the call announced, and if not, who made it?

announced by a hook of a slot     the hook has counted it; here it only proves that both see the same calls
out of an allocator               its own account: realloc that asks malloc, malloc that maps an arena
passed on by the call before      the same return address in the same place: a tail call inside an allocator
out of a profiler's hook          ours calls it, and it calls on: counted in front of it
anything else                     native code that came past the slots: counted now, like any other
"""

from __future__ import annotations

from pytest_adalloc.hooks import layout
from pytest_adalloc.hooks.entries import NUMBER
from pytest_adalloc.hooks.native.spelling import FUNCTION, word

_PUSHED = ("rax", "r8", "r9", "r10", "rcx", "rdx", "rsi", "rdi")  # the last ones are the first words of the block
_VECTORS = 16


def entered(triple: str) -> str:
    """The counter that patched functions call, with the address of the word that ends all counting."""
    if not triple.startswith("x86_64"):
        return _DISARM + _NO_ENTRY
    return _assembly() + _DISARM + _entered() + _forwarded() + _row_of()


_DISARM = f"""
; For a forked child, in which nobody is measured.
define void @adalloc_disarm() {FUNCTION} {{
  store atomic i64 0, ptr {word(layout.ARMED)} seq_cst, align 8
  ret void
}}
"""

_NO_ENTRY = f"""
define void @adalloc_entry() {FUNCTION} {{
  ret void
}}
"""


def _assembly() -> str:
    """Called by a trampoline with the mark of the place on the stack, and the caller's return address above it.

    The usual case, an announced call of the one thread that is watched, is dealt with here; all else is left to
    ``adalloc_entered``, with every register saved.
    """
    last = {name: 8 * (layout.LAST + getattr(layout, f"LAST_{name}")) for name in ("PLACE", "SLOT", "RETURN")}
    arguments = {"rdi": layout.LAST_FIRST, "rsi": layout.LAST_SECOND, "rdx": layout.LAST_SIZE}
    lines = [
        ".text",
        ".globl adalloc_entry",
        ".p2align 4",
        ".type adalloc_entry,@function",
        "adalloc_entry:",
        ".cfi_startproc",
        ".cfi_def_cfa %rsp, 24",
        "pushq %r11",
        ".cfi_def_cfa_offset 32",
        "leaq 24(%rsp), %r11",
        "xorq %r10, %r11",
        "cmpq 16(%rsp), %r11",
        "movl $0, %r11d",
        "jne 1f",
        "xorl %r10d, %r10d",
        "movq %fs:0, %r11",
        f"cmpq adalloc_state+{8 * layout.ARMED}(%rip), %r11",
        "je 3f",
        f"cmpq $-1, adalloc_state+{8 * layout.ARMED}(%rip)",
        "movl $1, %r11d",
        "je 1f",
        "2: popq %r11",
        ".cfi_def_cfa_offset 24",
        "retq",
        ".cfi_def_cfa_offset 32",
        # Inside of a backtrace that is taken for us nothing counts.
        f"3: cmpq $0, adalloc_state+{8 * layout.UNWINDING}(%rip)",
        "movl $1, %r11d",
        "jne 1f",
        "leaq adalloc_state(%rip), %r10",
        "movzwl 16(%rsp), %r11d",
        f"incq {8 * layout.PASSED}(%r10,%r11,8)",
        f"movq %r11, {last['PLACE']}(%r10)",
        "leaq 24(%rsp), %r11",
        f"movq %r11, {last['SLOT']}(%r10)",
        "movq 24(%rsp), %r11",
        f"movq %r11, {last['RETURN']}(%r10)",
        *(f"movq %{register}, {8 * (layout.LAST + at)}(%r10)" for register, at in arguments.items()),
        "xorl %r10d, %r10d",
        "jmp 2b",
        "1: pushq %rbp",
        ".cfi_def_cfa_offset 40",
        ".cfi_offset %rbp, -40",
        "movq %rsp, %rbp",
        ".cfi_def_cfa_register %rbp",
        *(f"pushq %{register}" for register in _PUSHED),
        "movq %rsp, %rdx",
        "andq $-16, %rsp",
        f"subq ${16 * _VECTORS}, %rsp",
        *(f"movaps %xmm{number}, {16 * number}(%rsp)" for number in range(_VECTORS)),
        "movzwl 24(%rbp), %edi",
        "movl %r11d, %esi",
        "leaq 32(%rbp), %rcx",
        "callq adalloc_entered",
        *(f"movaps {16 * number}(%rsp), %xmm{number}" for number in range(_VECTORS)),
        f"leaq -{8 * len(_PUSHED)}(%rbp), %rsp",
        *(f"popq %{register}" for register in reversed(_PUSHED)),
        "popq %rbp",
        ".cfi_def_cfa %rsp, 32",
        "jmp 2b",
        ".cfi_endproc",
        ".size adalloc_entry, .-adalloc_entry",
    ]
    return "".join(f'module asm "{line}"\n' for line in lines)


def _entered() -> str:
    # The four arguments of the call that may say how much is asked for, and what a hook may have said.
    loads = "".join(
        f"  %a{at}.at = getelementptr i64, ptr %arguments, i64 {at}\n  %a{at} = load i64, ptr %a{at}.at\n"
        for at in range(5)
    )
    return f"""
@llvm.used = appending global [1 x ptr] [ptr @adalloc_entered], section "llvm.metadata"
define void @adalloc_entered(i64 %place, i64 %announced.32, ptr %arguments, ptr %slot) noinline {FUNCTION} {{
start:
  %announced = and i64 %announced.32, 4294967295
  %thread = call i64 @adalloc_thread()
  %armed = load atomic i64, ptr {word(layout.ARMED)} seq_cst, align 8
  %own = icmp eq i64 %armed, %thread
  %every = icmp eq i64 %armed, -1
  %watched = or i1 %own, %every
  br i1 %watched, label %look, label %leave
look:
  %nested = call i1 @unwinds(i64 %thread)
  br i1 %nested, label %leave, label %read
read:
{loads}
  %return = load i64, ptr %slot
  %slot.int = ptrtoint ptr %slot to i64
  %last = call ptr @row_of(i64 %thread, i1 %own)
  %row = mul i64 %place, {layout.PLACE_WORDS}
  %entry.at = getelementptr i64, ptr {word(layout.PLACES)}, i64 %row
  %entry = load i64, ptr %entry.at
  %rule.at = getelementptr i64, ptr %entry.at, i64 {layout.PLACE_RULE}
  %rule = load i64, ptr %rule.at
  %flags.at = getelementptr i64, ptr %entry.at, i64 {layout.PLACE_FLAGS}
  %flags = load i64, ptr %flags.at
  %product = mul i64 %a0, %a1
  %is.1 = icmp eq i64 %rule, 1
  %size.1 = select i1 %is.1, i64 %a0, i64 0
  %is.2 = icmp eq i64 %rule, 2
  %size.2 = select i1 %is.2, i64 %a1, i64 %size.1
  %is.3 = icmp eq i64 %rule, 3
  %size.3 = select i1 %is.3, i64 %a2, i64 %size.2
  %is.4 = icmp eq i64 %rule, 4
  %size = select i1 %is.4, i64 %product, i64 %size.3
  %known = icmp ne i64 %announced, 0
  br i1 %known, label %pass, label %ask
pass:
  br label %count
ask:
  ; Of the calls of syscall() those that ask for memory, by number: mmap, brk, mremap.
  %system.bit = and i64 %flags, {layout.OF_SYSTEM_CALLS}
  %system = icmp ne i64 %system.bit, 0
  %is.mmap = icmp eq i64 %a0, 9
  %is.brk = icmp eq i64 %a0, 12
  %is.mremap = icmp eq i64 %a0, 25
  %memory.0 = or i1 %is.mmap, %is.brk
  %memory = or i1 %memory.0, %is.mremap
  %nothing = xor i1 %memory, true
  %harmless = and i1 %system, %nothing
  br i1 %harmless, label %leave, label %caller
caller:
  %allocators = load i64, ptr {word(layout.ALLOCATORS)}
  %inside = call i1 @within(i64 %return, ptr {word(layout.ALLOCATORS + 1)}, i64 %allocators)
  %strangers = load i64, ptr {word(layout.STRANGERS)}
  %strange = call i1 @within(i64 %return, ptr {word(layout.STRANGERS + 1)}, i64 %strangers)
  ; Calls inside of a library without slots of ours are not announced: there only maps and releases are its own.
  %side.bits = and i64 %flags, {layout.MAPPING | layout.RELEASING}
  %side = icmp ne i64 %side.bits, 0
  %own.account = and i1 %strange, %side
  %tools = load i64, ptr {word(layout.TOOLS)}
  %tool = call i1 @within(i64 %return, ptr {word(layout.TOOLS + 1)}, i64 %tools)
  %in.0 = or i1 %inside, %own.account
  ; A hook's call of a function that is not patched, which went on to this one by a jump.
  %told = xor i64 %a4, %slot.int
  %goes.on = icmp eq i64 %told, {layout.PASSED_ON}
  %in.00 = or i1 %in.0, %goes.on
  %in.1 = or i1 %in.00, %tool
  br i1 %in.1, label %inner, label %tail
tail:
  %passed.on = call i1 @forwarded(ptr %last, i64 %thread, i64 %place, i64 %entry, i64 %flags, i64 %slot.int,
    i64 %return, i64 %a0, i64 %size)
  br i1 %passed.on, label %inner, label %new
inner:
  br label %count
new:
  %class = call i64 @adalloc_note(i64 %entry, i64 %size, i64 %return, i64 1)
  %native = icmp eq i64 %class, {layout.NATIVE}
  br i1 %native, label %count, label %remember
count:
  %column = phi i64 [{layout.PASSED}, %pass], [{layout.INNER}, %inner], [{layout.HIDDEN}, %new]
  %at = add i64 %column, %place
  %counter = getelementptr i64, ptr @adalloc_state, i64 %at
  %c = atomicrmw add ptr %counter, i64 1 monotonic
  br label %remember
remember:
{_remember(THREAD="%thread", PLACE="%place", SLOT="%slot.int", RETURN="%return", FIRST="%a0", SECOND="%a1", SIZE="%a2")}
  br label %leave
leave:
  ret void
}}
"""


def _remember(**values: str) -> str:
    lines = []
    for name, value in values.items():
        at = getattr(layout, f"LAST_{name}")
        lines += [f"  %l{at} = getelementptr i64, ptr %last, i64 {at}", f"  store i64 {value}, ptr %l{at}"]
    return "\n".join(lines)


def _row_of() -> str:
    return f"""
; Where the call before this one is remembered. The watched thread has a row of its own; in windows of all threads two
; may share one, and then know it by the thread.
define internal ptr @row_of(i64 %thread, i1 %own) {FUNCTION} {{
  %spread = mul i64 %thread, {0x9E3779B97F4A7C15}
  %row = lshr i64 %spread, {64 - layout.ROW_BITS}
  %offset = mul i64 %row, {layout.LAST_WORDS}
  %shared = getelementptr i64, ptr {word(layout.LAST_ROWS)}, i64 %offset
  %last = select i1 %own, ptr {word(layout.LAST)}, ptr %shared
  br i1 %own, label %mine, label %give
mine:
  store i64 %thread, ptr {word(layout.LAST + layout.LAST_THREAD)}
  br label %give
give:
  ret ptr %last
}}
"""


def _forwarded() -> str:
    """Whether a call is what the call before it went on to by a jump."""
    loads = "".join(
        f"  %{name}.at = getelementptr i64, ptr %last, i64 {getattr(layout, f'LAST_{name}')}\n"
        f"  %{name} = load i64, ptr %{name}.at\n"
        for name in ("THREAD", "PLACE", "SLOT", "RETURN", "FIRST", "SECOND", "SIZE")
    )
    aligned = "".join(
        f"  %was.{name} = icmp eq i64 %before, {NUMBER[name]}\n" for name in ("aligned_alloc", "memalign")
    )
    return f"""
define internal i1 @forwarded(ptr %last, i64 %thread, i64 %place, i64 %entry, i64 %flags, i64 %slot, i64 %return,
    i64 %first, i64 %size) {FUNCTION} {{
{loads}
  %row = mul i64 %PLACE, {layout.PLACE_WORDS}
  %before.at = getelementptr i64, ptr {word(layout.PLACES)}, i64 %row
  %before = load i64, ptr %before.at
  %b.flags.at = getelementptr i64, ptr %before.at, i64 {layout.PLACE_FLAGS}
  %b.flags = load i64, ptr %b.flags.at
  %t = icmp eq i64 %THREAD, %thread
  %s = icmp eq i64 %SLOT, %slot
  %r = icmp eq i64 %RETURN, %return
  %p = icmp ne i64 %PLACE, %place
  %ts = and i1 %t, %s
  %rp = and i1 %r, %p
  %here = and i1 %ts, %rp
  ; One library's definition of a function that goes on to the next one's.
  %owner.at = getelementptr i64, ptr %before.at, i64 {layout.PLACE_OWNER}
  %owner = load i64, ptr %owner.at
  %now.row = mul i64 %place, {layout.PLACE_WORDS}
  %now.at = getelementptr i64, ptr {word(layout.PLACES)}, i64 %now.row
  %now.owner.at = getelementptr i64, ptr %now.at, i64 {layout.PLACE_OWNER}
  %now.owner = load i64, ptr %now.owner.at
  %elsewhere = icmp ne i64 %owner, %now.owner
  %same.entry = icmp eq i64 %before, %entry
  %alike = and i1 %same.entry, %elsewhere
  %same.first = icmp eq i64 %FIRST, %first
  %next = and i1 %alike, %same.first
  ; What allocates on and on: realloc of nothing, small alignments, operator new, each for malloc of as much.
  %to.malloc = icmp eq i64 %entry, {NUMBER["malloc"]}
  %none = icmp eq i64 %FIRST, 0
  %was.realloc = icmp eq i64 %before, {NUMBER["realloc"]}
  %fresh = and i1 %was.realloc, %none
  %fresh.size = icmp eq i64 %SECOND, %size
  %case.realloc = and i1 %fresh, %fresh.size
{aligned}
  %was.aligned = or i1 %was.aligned_alloc, %was.memalign
  %small = icmp ule i64 %FIRST, 16
  %case.aligned.0 = and i1 %was.aligned, %small
  %case.aligned = and i1 %case.aligned.0, %fresh.size
  %was.posix = icmp eq i64 %before, {NUMBER["posix_memalign"]}
  %posix.small = icmp ule i64 %SECOND, 16
  %posix.size = icmp eq i64 %SIZE, %size
  %case.posix.0 = and i1 %was.posix, %posix.small
  %case.posix = and i1 %case.posix.0, %posix.size
  %was.new = icmp eq i64 %before, {NUMBER["operator new"]}
  %new.size = icmp eq i64 %FIRST, %size
  %case.new = and i1 %was.new, %new.size
  %m.0 = or i1 %case.realloc, %case.aligned
  %m.1 = or i1 %case.posix, %case.new
  %m.2 = or i1 %m.0, %m.1
  %asked = and i1 %to.malloc, %m.2
  ; What releases: realloc to nothing, operator delete, for the same block.
  %releasing = and i64 %flags, {layout.RELEASING}
  %is.release = icmp ne i64 %releasing, 0
  %b.releasing = and i64 %b.flags, {layout.RELEASING}
  %b.release = icmp ne i64 %b.releasing, 0
  %gives = or i1 %b.release, %was.realloc
  %g.0 = and i1 %is.release, %gives
  %given = and i1 %g.0, %same.first
  %any.0 = or i1 %next, %asked
  %any = or i1 %any.0, %given
  %answer = and i1 %here, %any
  ret i1 %answer
}}
"""
