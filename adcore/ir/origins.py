"""Where numbers that are not finite come from, found by running a program in the reference interpreter.

Each NaN that is made from none carries the number of the instruction in its payload, which arithmetic, memory and the
conversion to float32 preserve: so the NaN of a result names the instruction that made it, and NaNs that are discarded
on the way (`np.where`) are not mistaken for it. Infinities carry nothing: the first one is told.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adcore.ir.core import Instr

FIRST_BIT = 29
"""Where float64 has what are the lowest bits of a payload of float32."""
PAYLOAD = 0x3FFFFF
GIVEN = 1
"""The payload of a NaN that the arguments hold."""


class TooLong(Exception):
    """The program runs for longer than was allowed."""


@dataclass(frozen=True)
class Origin:
    """The instruction that made a NaN or an infinity, at which iterations, of which operands; `infinity`: for a NaN
    made of an infinity, where the first of those was made."""

    instr: Instr
    operands: tuple[Any, ...]
    iterations: tuple[int, ...]
    infinity: Origin | None = None


class Origins:
    """Observes one run of at most `budget` instructions (`adcore.ir.interpreter.Observer`)."""

    def __init__(self, budget: int) -> None:
        self.left = budget
        self.infinities: list[Origin] = []
        self._nans: list[Origin] = []

    def __call__(
        self, instr: Instr, operands: list[Any], results: tuple[Any, ...], iterations: tuple[int, ...]
    ) -> tuple[Any, ...]:
        self.left -= 1
        if self.left < 0:
            raise TooLong
        if instr.op == "accumulate":
            # Its sum is made in memory.
            value, array, *index = operands
            cell = array[tuple(index)]
            array[tuple(index)] = self._seen(instr, [value], cell, iterations)
            return results
        return tuple(self._seen(instr, operands, result, iterations) for result in results)

    def _seen(self, instr: Instr, operands: list[Any], result: Any, iterations: tuple[int, ...]) -> Any:
        if not isinstance(result, (float, np.floating)) or math.isfinite(result):
            return result
        numbers = [v for v in operands if isinstance(v, (float, np.floating))]
        infinite = any(math.isinf(v) for v in numbers)
        if math.isinf(result):
            moved = any(isinstance(v, (np.ndarray, list)) for v in operands)  # read from memory: it was there before
            if numbers and not infinite and not moved and not any(v != v for v in numbers):
                self.infinities.append(Origin(instr, tuple(operands), iterations))
            return result
        known = tag_of(result) or next((tag_of(v) for v in numbers if v != v), 0)
        if not known:
            first = self.infinities[0] if infinite and self.infinities else None
            self._nans.append(Origin(instr, tuple(operands), iterations, first))
            known = GIVEN + len(self._nans)
        return tagged(result, known)

    def of(self, result: Any) -> Origin | None:
        """The origin of a result that is not finite; None where it was among the arguments, or nothing is known."""
        if math.isinf(result):
            return self.infinities[0] if self.infinities else None
        number = tag_of(result) - GIVEN - 1
        return self._nans[number] if 0 <= number < len(self._nans) else None


def marked(value: Any) -> Any:
    """A copy of an argument, whose NaNs are known again as given."""
    if isinstance(value, (list, tuple)):
        return [marked(item) for item in value]
    if isinstance(value, np.ndarray):
        copy = value.copy()
        if copy.dtype.kind == "f":
            copy[np.isnan(copy)] = tagged(copy.dtype.type(0.0), GIVEN)
        return copy
    if isinstance(value, (float, np.floating)):
        number = value if isinstance(value, np.float32) else float(value)
        return tagged(number, GIVEN) if number != number else number
    return value.item() if isinstance(value, np.generic) else value


def tagged(like: Any, number: int) -> Any:
    """A NaN of the type of `like` with a number in its payload."""
    if isinstance(like, np.float32):
        return np.array(0x7FC00000 | number, np.uint32).view(np.float32)[()]
    (nan,) = struct.unpack("<d", struct.pack("<Q", 0x7FF8 << 48 | number << FIRST_BIT))
    return nan


def tag_of(nan: Any) -> int:
    """The number in a NaN's payload; 0 for one that the processor just made."""
    if isinstance(nan, np.float32):
        return int(np.asarray(nan).view(np.uint32)) & PAYLOAD
    (bits,) = struct.unpack("<Q", struct.pack("<d", nan))
    return int(bits) >> FIRST_BIT & PAYLOAD


def unknown(values: Sequence[Any]) -> bool:
    """Whether an argument holds a number that is not finite."""
    return any(
        unknown(v) if isinstance(v, (list, tuple)) else np.asarray(v).dtype.kind == "f" and not np.all(np.isfinite(v))
        for v in values
    )


__all__ = ["Origin", "Origins", "TooLong", "marked", "tag_of", "tagged", "unknown"]
