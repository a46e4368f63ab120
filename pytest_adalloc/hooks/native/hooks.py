"""Hooks: load the armed word, and when it is zero jump to the function that the hook stands for.

    hook:     if not armed: jump original          ; one for each entry, five instructions
              jump watched(description)
    watched:  if the armed thread is not this one: count it among the others; jump original
              jump counted(description)
    counted:  add to the site, or note(entry, size, return address); jump original

Every entry takes integers and pointers only, at most six. These travel in registers whatever their types are, so one
``watched`` and one ``counted`` serve all entries: little to compile, and little to keep in the caches. The description
of the entry travels in the register of the static chain (``nest``), which no C function uses.

All are entered by jumps, so that the return address stays the caller's. A tail call with the register of the static
chain cannot be spelled ``musttail``; the canary and the tests would see a call in its place, because then sites would
be named after the hooks.

Where functions are patched, the original counts its calls as well, and has to know which ones a hook has counted. So
a hook leaves a word in the register of the static chain: the place of the return address, mixed with the original's
mark. No other call can have it there, be it of another thread or of a signal handler; the patched function clears it.
"""

from __future__ import annotations

from pytest_adalloc.hooks import layout
from pytest_adalloc.hooks.entries import ENTRIES, NUMBER, AllocatorEntry
from pytest_adalloc.hooks.native.spelling import FUNCTION, allocates, key_of, site_at, slot_of, word

REGISTERS = 6
# The original, the entry's number, the rule for the bytes that are asked for, and the mark by which a patched original
# knows that its call is announced.
DESCRIPTION = "{ptr, i64, i64, i64}"
DESCRIPTION_BYTES = 32
MARK_OFFSET = 24


def _add(base: str, index: int, amount: str, name: str) -> str:
    """Add to a word without a lock."""
    return f"""  %{name}.at = getelementptr i64, ptr {base}, i64 {index}
  %{name}.old = load i64, ptr %{name}.at, align 8
  %{name}.new = add i64 %{name}.old, {amount}
  store i64 %{name}.new, ptr %{name}.at, align 8
"""


def _pass_on(description: str) -> str:
    """Jump to the original, which is told that this call is counted."""
    return f"""  %original = load ptr, ptr {description}
  %mark.at = getelementptr i8, ptr {description}, i64 {MARK_OFFSET}
  %mark = load i64, ptr %mark.at
  %place = call ptr @llvm.addressofreturnaddress.p0()
  %place.int = ptrtoint ptr %place to i64
  %told.int = xor i64 %place.int, %mark
  %told = inttoptr i64 %told.int to ptr
  %r = tail call i64 %original(ptr nest %told, {_DECLARED})
  ret i64 %r"""


# What a call asks for, by rule: nothing, a parameter, or the product of the first two.
RULES: dict[tuple[int, ...], int] = {(): 0, (0,): 1, (1,): 2, (2,): 3, (0, 1): 4}

_DECLARED = ", ".join(f"i64 %p{i}" for i in range(REGISTERS))


def hooks() -> str:
    """All hooks of a layer, their table of descriptions, and the functions behind them."""
    rows = ", ".join(
        f"{DESCRIPTION} {{ptr null, i64 {NUMBER[entry.name]}, i64 {RULES[entry.size]}, i64 0}}" for entry in ENTRIES
    )
    table = f"@adalloc_descriptions = dso_local global [{len(ENTRIES)} x {DESCRIPTION}] [{rows}], align 8\n"
    return (
        table
        + "".join(map(_hook, ENTRIES))
        + _watched("watched", _COUNT_OTHER)
        + _watched("released", "  br label %pass")
        + _COUNTED
    )


def _hook(entry: AllocatorEntry) -> str:
    description = f"getelementptr ({DESCRIPTION}, ptr @adalloc_descriptions, i64 {NUMBER[entry.name]})"
    return f"""
define i64 @adalloc_hook_{entry.name}({_DECLARED}) {FUNCTION} {{
  %armed = load atomic i64, ptr @adalloc_state monotonic, align 8
  %idle = icmp eq i64 %armed, 0
  br i1 %idle, label %pass, label %watch, !prof !0
pass:
{_pass_on(description)}
watch:
  %w = tail call i64 @{"watched" if entry.counts else "released"}(ptr nest {description}, {_DECLARED})
  ret i64 %w
}}
"""


# A locked addition would be most of what another thread pays. So each thread has a row of counters of its own, found by
# its pointer, where it adds without a lock. Who finds the row taken by another adds under the lock: no count is lost. A
# row outlives its thread, and whoever has the same pointer later comes after it. What no report shows is not counted.
_COUNT_OTHER = f"""
  %number.at = getelementptr i64, ptr %entry, i64 1
  %number = load i64, ptr %number.at
  %spread = mul i64 %thread, {0x9E3779B97F4A7C15}  ; Knuth's multiplicative hash: 2^64 over the golden ratio
  %row = lshr i64 %spread, {64 - layout.ROW_BITS}
  %row.at = getelementptr [{layout.ROW_WORDS} x i64], ptr {word(layout.OTHER_ROWS)}, i64 %row
  %owner = load atomic i64, ptr %row.at monotonic, align 8
  %mine = icmp eq i64 %owner, %thread
  br i1 %mine, label %alone, label %claim, !prof !0
claim:
  %claimed = cmpxchg ptr %row.at, i64 0, i64 %thread monotonic monotonic
  %free = extractvalue {{i64, i1}} %claimed, 1
  br i1 %free, label %alone, label %shared
shared:
  %others = getelementptr i64, ptr {word(layout.OTHERS)}, i64 %number
  %sum = atomicrmw add ptr %others, i64 1 monotonic
  br label %pass
alone:
  %counters = getelementptr i64, ptr %row.at, i64 1
  %counter = getelementptr i64, ptr %counters, i64 %number
  %before = load atomic i64, ptr %counter monotonic, align 8
  %after = add i64 %before, 1
  store atomic i64 %after, ptr %counter monotonic, align 8
  br label %pass
"""


def _watched(name: str, count_other: str) -> str:
    return f"""
define internal i64 @{name}(ptr nest %entry, {_DECLARED}) noinline {FUNCTION} {{
  %armed = load atomic i64, ptr @adalloc_state monotonic, align 8
  %pointer = call ptr @llvm.thread.pointer()
  %thread = ptrtoint ptr %pointer to i64
  %same = icmp eq i64 %armed, %thread
  %every = icmp eq i64 %armed, -1
  %counted = or i1 %same, %every
  br i1 %counted, label %count, label %other
count:
  %c = musttail call i64 @counted(ptr nest %entry, {_DECLARED})
  ret i64 %c
other:
{count_other}
pass:
{_pass_on("%entry")}
}}
"""


# Nearly every call is of a site that is known and sits where its key points: it is counted here, with plain additions,
# since the armed thread alone writes then, and this is it. All else is for ``note``: new sites, sites that others
# displaced, libraries that allocate for their callers, windows on every thread (and who was on the way here when one
# ended), and who waits for the first allocation.
_COUNTED = f"""
define internal i64 @counted(ptr nest %entry, {_DECLARED}) noinline {FUNCTION} {{
  %armed = load atomic i64, ptr @adalloc_state monotonic, align 8
  %pointer = call ptr @llvm.thread.pointer()
  %thread = ptrtoint ptr %pointer to i64
  %returns = call ptr @llvm.returnaddress(i32 0)
  %caller = ptrtoint ptr %returns to i64
  %number.at = getelementptr i64, ptr %entry, i64 1
  %number = load i64, ptr %number.at
  %rule.at = getelementptr i64, ptr %entry, i64 2
  %rule = load i64, ptr %rule.at
  %product = mul i64 %p0, %p1
  %is.1 = icmp eq i64 %rule, 1
  %size.1 = select i1 %is.1, i64 %p0, i64 0
  %is.2 = icmp eq i64 %rule, 2
  %size.2 = select i1 %is.2, i64 %p1, i64 %size.1
  %is.3 = icmp eq i64 %rule, 3
  %size.3 = select i1 %is.3, i64 %p2, i64 %size.2
  %is.4 = icmp eq i64 %rule, 4
  %size = select i1 %is.4, i64 %product, i64 %size.3
{key_of("%caller", "%number")}
{slot_of("%key")}
{site_at("%slot", "%site")}
  %held = load atomic i64, ptr %site monotonic, align 8
  %found = icmp eq i64 %held, %key
  %class.at = getelementptr i64, ptr %site, i64 {layout.CLASS}
  %class = load atomic i64, ptr %class.at monotonic, align 8
  %native = icmp eq i64 %class, {layout.NATIVE}
  %own = icmp eq i64 %class, {layout.INTERPRETER}
  %settled = or i1 %native, %own
  %known = and i1 %found, %settled
  %single = icmp eq i64 %armed, %thread
  %unwinding = load atomic i64, ptr {word(layout.UNWINDING)} monotonic, align 8
  %calm = icmp eq i64 %unwinding, 0
  %asked = load atomic i64, ptr {word(layout.FIRST)} monotonic, align 8
  %unasked = icmp ne i64 %asked, {layout.WANTED}
  %c0 = and i1 %known, %single
  %c1 = and i1 %calm, %unasked
  %plain = and i1 %c0, %c1
  br i1 %plain, label %add, label %ask, !prof !0
ask:
  %noted = call i64 @adalloc_note(i64 %number, i64 %size, i64 %caller, i64 0)
  br label %pass
add:
{_add("%site", layout.COUNT, "1", "c")}{_add("%site", layout.SITE_BYTES, "%size", "b")}
{allocates("%number")}
  %totals = and i1 %native, %allocates
  br i1 %totals, label %sum, label %pass
sum:
{_add("@adalloc_state", layout.ALLOCATIONS, "1", "tc")}{_add("@adalloc_state", layout.BYTES, "%size", "tb")}
  br label %pass
pass:
{_pass_on("%entry")}
}}
"""
