"""Length and kind of one x86-64 instruction, and the bytes that do the same at another address.

A table of what functions begin with, not a disassembler: whatever is not in it is refused, and the function is then
left alone. Opcodes are those of Intel's manual, volume 2, appendix A.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

Kind = Literal["plain", "relative", "jump", "branch", "end"]

LANDING_PAD = b"\xf3\x0f\x1e\xfa"  # endbr64, where indirect calls may arrive
LONGEST = 15


class NotDecoded(Exception):
    """An instruction that is not in the table, or that cannot run elsewhere."""


@dataclass(frozen=True)
class Instruction:
    """One instruction as it stands at its address.

    ``relative`` has a displacement of 32 bits from the instruction pointer at ``at``; ``jump`` and ``branch`` lead to
    ``target``, counted from the start of the instruction; after ``jump`` and ``end`` nothing that follows is reached.
    """

    raw: bytes
    kind: Kind = "plain"
    at: int = 0
    target: int = 0
    condition: int = 0

    @property
    def length(self) -> int:
        return len(self.raw)

    def moved(self, here: int, there: int) -> bytes:
        """Bytes that do at ``there`` what it does at ``here``. Raises ``NotDecoded`` if that is too far."""
        if self.kind == "relative":
            (distance,) = struct.unpack_from("<i", self.raw, self.at)
            return self.raw[: self.at] + near(distance + here - there) + self.raw[self.at + 4 :]
        goal = here + self.target
        if self.kind == "jump":
            return b"\xe9" + near(goal - there - 5)
        if self.kind == "branch":
            return bytes((0x0F, 0x80 | self.condition)) + near(goal - there - 6)
        return self.raw


def near(distance: int) -> bytes:
    """A displacement of 32 bits; raises ``NotDecoded`` where it does not fit."""
    if not -(2**31) <= distance < 2**31:
        raise NotDecoded("too far for a displacement of 32 bits")
    return struct.pack("<i", distance)


def decoded(code: bytes) -> Instruction:
    """The first instruction of ``code``, which has at least ``LONGEST`` bytes. Raises ``NotDecoded``."""
    try:
        return _Reader(code).instruction()
    except (IndexError, struct.error):
        raise NotDecoded("cut short") from None


# What follows an opcode: m a ModRM byte with what it brings, b that and 8 bits, z that and a number of operand size,
# i 8 bits, I a number of operand size, - nothing, J and L branches of 8 and 32 bits. A point is refused.
_ARITHMETIC = "mmmmiI.."
_ONE_BYTE = (
    _ARITHMETIC * 8  # 00 add, or, adc, sbb, and, sub, xor, cmp
    + "." * 16  # 40, prefixes
    + "-" * 16  # 50 push, pop
    + "...m....Izib...."  # 60 movsxd, push, imul
    + "J" * 16  # 70
    + "bz.bmmmmmmmmmmm."  # 80 arithmetic, test, xchg, mov, lea
    + "----------......"  # 90 nop, xchg, sign extension
    + "........iI......"  # a0 test
    + "iiiiiiiiNNNNNNNN"  # b0 mov, the second half with up to 64 bits
    + "bb.R..oO........"  # c0 shifts, ret, mov of a number
    + "mmmm............"  # d0 shifts
    + ".........L.S...."  # e0 jmp
    + "......gG......fF"  # f0 test, not, neg, mul, div, inc, dec, push, jmp
)
_TWO_BYTES = (
    ".....-.........."  # 00 syscall
    + "m" * 16  # 10 moves, hints
    + "........mmmmmmmm"
    + "." * 16
    + "m" * 16  # 40 cmov
    + "m" * 32  # 50 vectors
    + "bbbbmmm.....mmmm"  # 70
    + "C" * 16  # 80 branches
    + "m" * 16  # 90 set
    + "..-mbm.....mbm.m"  # a0 cpuid, bit tests, shifts, imul
    + "mm.m..mmm.bmmmmm"  # b0 cmpxchg, movzx, popcnt, bsf
    + "mmbmbbb.--------"  # c0 xadd, bswap
    + "m" * 47  # d0 vectors
    + "."
)
_PREFIXES = frozenset((0x66, 0x64, 0x65, 0x2E, 0x36, 0x3E, 0x26, 0xF2, 0xF3))


class _Reader:
    """Reads one instruction from its first byte to its last."""

    def __init__(self, code: bytes) -> None:
        self._code, self._at = code, 0
        self._displaced = 0

    def instruction(self) -> Instruction:
        if self._code.startswith(LANDING_PAD):
            return Instruction(LANDING_PAD)
        prefixes = set()
        while self._code[self._at] in _PREFIXES:
            prefixes.add(self._byte())
        wide = False
        if self._code[self._at] >> 4 == 4:
            wide = bool(self._byte() & 8)
        operand = 2 if 0x66 in prefixes and not wide else 4
        opcode = self._byte()
        if opcode == 0x0F:
            opcode = self._byte()
            return self._shaped(_TWO_BYTES[opcode], opcode, operand, wide)
        if prefixes & {0xF2, 0xF3} and opcode not in (0x90, 0xC3):
            raise NotDecoded("a repeated instruction")
        return self._shaped(_ONE_BYTE[opcode], opcode, operand, wide)

    def _byte(self) -> int:
        self._at += 1
        return self._code[self._at - 1]

    def _shaped(self, shape: str, opcode: int, operand: int, wide: bool) -> Instruction:
        if shape in "JLCS":
            return self._branch(shape, opcode, operand)
        group = self._code[self._at] >> 3 & 7  # of the instructions that share an opcode, which
        if (shape in "oO" and group) or (shape == "f" and group > 1) or (shape == "F" and group in (2, 3, 5, 7)):
            raise NotDecoded("a call, or an instruction that few programs have")
        if shape == ".":
            raise NotDecoded(f"opcode {opcode:02x}")
        if shape in "mbzoOgGfF":
            self._modrm()
        self._at += {"b": 1, "i": 1, "o": 1, "z": operand, "I": operand, "O": operand}.get(shape, 0)
        if shape == "N":
            self._at += 8 if wide else operand
        if shape in "gG" and group < 2:
            self._at += 1 if shape == "g" else operand
        if shape == "R" or (shape == "F" and group == 4):
            # An indirect jump that is relative to its own address would need both treatments.
            if self._displaced:
                raise NotDecoded("a jump through a word that is addressed relatively")
            return self._made("end")
        return self._made("relative" if self._displaced else "plain", at=self._displaced)

    def _modrm(self) -> None:
        modrm = self._byte()
        mode, register = modrm >> 6, modrm & 7
        if mode == 3:
            return
        if register == 4:
            base = self._byte() & 7
            self._at += 4 if mode == 0 and base == 5 else 0
        elif mode == 0 and register == 5:
            self._displaced = self._at
            self._at += 4
        self._at += (0, 1, 4)[mode]

    def _branch(self, shape: str, opcode: int, operand: int) -> Instruction:
        if operand == 2:
            raise NotDecoded("a branch of 16 bits")
        short = shape in "JS"
        (distance,) = struct.unpack_from("<b" if short else "<i", self._code, self._at)
        self._at += 1 if short else 4
        kind: Kind = "branch" if shape in "JC" else "jump"
        return self._made(kind, target=self._at + distance, condition=opcode & 15)

    def _made(self, kind: Kind, at: int = 0, target: int = 0, condition: int = 0) -> Instruction:
        if self._at > min(LONGEST, len(self._code)):
            raise NotDecoded("cut short")
        return Instruction(self._code[: self._at], kind, at, target, condition)
