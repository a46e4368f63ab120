"""The proof, on the emitted object, that a kernel cannot allocate.

Code can reach an allocator only through a symbol that it does not define or through a computed address. So the proof
has three parts: every undefined symbol is on the list below; the optimised LLVM IR contains no indirect call; and the
object takes no function's address (the relocations of code towards undefined symbols are all direct calls). What is
not on the list is *not proven*, and the reason says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from adcore.abi import elf
from adcore.abi.certificate import Certificate
from adcore.abi.faults import POLL
from adcore.abi.object_file import ObjectFile, read

VECTOR = "libmvec: the same computation in vector registers; lanes outside its range call the scalar function"

ALLOWED = {
    reason: frozenset(names.split())
    for reason, names in {
        "computed in registers and constant tables; keeps no state and takes no memory": """
            acos acosh asin asinh atan atan2 atanh cbrt cos cosh erf erfc exp exp2 exp10 expm1 hypot log log10 log1p
            log2 pow sin sincos sinh tan tanh""",
        "exact arithmetic on the bits of its operands": """
            fabs floor ceil trunc rint round roundeven nearbyint copysign sqrt fma fmin fmax fmod ldexp frexp""",
        "computed by series; its only state is the integer `signgam`": "lgamma",
        "computed by series and the elementary functions; keeps no state and takes no memory": "tgamma",
    }.items()
}
"""Why a function of the C mathematics library cannot allocate -> names (each with its float version, `f` appended)."""

BYTES = "moves, fills or compares the bytes that it is given"
BYTE_FUNCTIONS = frozenset({"memcpy", "memmove", "memset", "memcmp", "bcmp"})
_VECTOR_NAME = re.compile(r"_ZGV[bcde]N\d+v+_(?P<scalar>\w+)")

ALLOCATORS = frozenset({
    "malloc", "calloc", "realloc", "reallocarray", "free", "posix_memalign", "aligned_alloc", "memalign", "valloc",
    "pvalloc", "mmap", "munmap", "mremap", "brk", "sbrk", "strdup", "strndup", "asprintf", "_Znwm", "_Znam", "_ZdlPv",
    "_ZdaPv",
})  # fmt: skip
"""Names that the refusal can call by what they are; any other unknown name is refused just the same."""

DIRECT_CALLS = {
    elf.X86_64: frozenset({elf.RELATIVE_32, elf.CALL_32}),
    elf.AARCH64: frozenset({elf.CALL_26_AARCH64, elf.JUMP_26_AARCH64}),
}
"""ELF machine -> relocation kinds of direct calls and jumps."""


def reason(symbol: str) -> str:
    """Why a function outside the object is known not to allocate; empty if it is not known."""
    vector = _VECTOR_NAME.fullmatch(symbol)
    if vector:
        return VECTOR if _scalar_reason(vector["scalar"]) else ""
    if symbol == POLL:
        return "asks Python whether a signal has arrived; takes no memory unless one has"
    return BYTES if symbol in BYTE_FUNCTIONS else _scalar_reason(symbol)


def _scalar_reason(symbol: str) -> str:
    single = symbol[:-1] if symbol.endswith("f") else symbol
    return next((reason for reason, names in ALLOWED.items() if symbol in names or single in names), "")


def certify(object_code: bytes, llvm_ir: str, declared: Mapping[str, str] | None = None) -> Certificate:
    """The certificate of an object and the optimised LLVM IR that it was made from.

    `declared`: symbols that somebody vouches for, with the reason; the certificate repeats it.
    """
    obj, declared = read(object_code), declared or {}
    external = tuple(s for s in obj.undefined() if s != "_GLOBAL_OFFSET_TABLE_")
    unproven = [_refusal(symbol) for symbol in external if not (reason(symbol) or declared.get(symbol))]
    indirect = indirect_calls(llvm_ir)
    if indirect:
        unproven.append(f"{len(indirect)} indirect call{'s' * (len(indirect) > 1)}: {indirect[0]}")
    unproven += _address_uses(obj)
    trusted = tuple(f"{s} does not ({declared[s]})" for s in external if declared.get(s))
    return Certificate(not unproven, external, tuple(unproven), len(indirect), trusted)


def _refusal(symbol: str) -> str:
    return f"calls {symbol}, {'an allocator' if symbol in ALLOCATORS else 'which is not known not to allocate'}"


def _address_uses(obj: ObjectFile) -> list[str]:
    """Undefined symbols whose address the object takes rather than calls: it could call it later, unseen."""
    direct = DIRECT_CALLS.get(obj.machine)
    if direct is None:
        return [f"relocations of machine {obj.machine} are not known"]
    taken = {r.symbol.name for r in obj.relocations if not r.symbol.defined and r.symbol.name
             and not (r.in_code and r.kind in direct)}  # fmt: skip
    return [f"takes the address of {name}" for name in sorted(taken - {"_GLOBAL_OFFSET_TABLE_"})]


_CALL = re.compile(r'^\s*(?:%(?:[\w.$-]+|"[^"]*") = )?(?:tail |musttail |notail )?(?:call|invoke|callbr) (?P<rest>.*)$')
_CALLEE = re.compile(r"[^@%(]*(?:(?:\([^()]*\)|<[^>]*>)[^@%(]*)*(?P<callee>@|%|asm\b)")


def indirect_calls(llvm_ir: str) -> list[str]:
    """The calls of LLVM IR whose callee is not a named function, inline assembly included."""
    found = []
    # Few lines have a call: the search for the words is faster than the pattern by far.
    lines = [line for line in llvm_ir.split("\n") if "call" in line or "invoke" in line]
    for call in filter(None, map(_CALL.match, lines)):
        callee = _CALLEE.match(call["rest"])
        if callee is None or callee["callee"] != "@" or " asm " in call["rest"].split("@")[0]:
            found.append(call.group().strip())
    return found
