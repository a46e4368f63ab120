"""Literals of x87's 80-bit numbers: LLVM reads them in no other form than 0xK and twenty digits."""

from __future__ import annotations

import re
import struct
from fractions import Fraction

LITERAL = re.compile(r"(?<![\w.%@])(0x[0-9A-F]{16}|-?\d+\.\d+(?:e[+-]?\d+)?)(?![\w.])")
BIAS, BITS = 16383, 64


def with_literals(text: str) -> str:
    """LLVM IR with the doubles in lines about `x86_fp80` written as what they are in 80 bits."""
    return "\n".join(
        LITERAL.sub(lambda m: literal(_number(m.group(1))), line) if "x86_fp80" in line else line
        for line in text.split("\n")
    )


def _number(text: str) -> float:
    return float(struct.unpack(">d", bytes.fromhex(text[2:]))[0]) if text.startswith("0x") else float(text)


def literal(x: float) -> str:
    """The 80-bit literal that equals a double."""
    sign = 0x8000 if struct.pack(">d", x)[0] & 0x80 else 0
    if x != x:
        return f"0xK{sign | 0x7FFF:04X}C000000000000000"
    if x in (float("inf"), float("-inf")):
        return f"0xK{sign | 0x7FFF:04X}8000000000000000"
    if x == 0:
        return f"0xK{sign:04X}0000000000000000"
    whole = Fraction(abs(x))
    exponent = whole.numerator.bit_length() - whole.denominator.bit_length()
    if whole < Fraction(2) ** exponent:
        exponent -= 1
    mantissa = whole / Fraction(2) ** exponent * 2 ** (BITS - 1)
    return f"0xK{sign | (exponent + BIAS):04X}{mantissa.numerator:016X}"


__all__ = ["literal", "with_literals"]
