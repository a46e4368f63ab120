"""The code that a patched function leads to, near the function.

    if nobody counts: do the displaced instruction; jump behind it
    push the mark of the place; call the counter; drop the mark; go on as above

The counter keeps every register: code inside of a library may know which ones its own functions leave alone.
"""

from __future__ import annotations

import struct

from pytest_adalloc.hooks.patching.decoder import Instruction, near
from pytest_adalloc.hooks.patching.memory import REACH

LONGEST = 96  # bytes of one trampoline, with the address of the counter behind it


def trampoline(here: int, site: int, displaced: Instruction, mark: int, armed: int, counter: int) -> bytes:
    """The code for ``here`` that stands for the instruction at ``site``. ``armed`` is the address of the word that is
    zero while nobody counts, ``mark`` a number of 32 bits that the ``counter`` finds below its return address.

    Raises ``NotDecoded`` where the code that follows is too far.
    """
    ask = _is_armed(here, armed)
    moved_at = here + len(ask) + 6
    moved = displaced.moved(site, moved_at)
    if displaced.kind not in ("jump", "end"):
        moved += b"\xe9" + near(site + displaced.length - (moved_at + len(moved) + 5))
    counts_at = moved_at + len(moved)
    to_counting = b"\x0f\x85" + near(counts_at - moved_at)
    return ask + to_counting + moved + _counting(counts_at, moved_at, mark, counter)


def _is_armed(here: int, armed: int) -> bytes:
    """Compare the word with zero."""
    distance = armed - (here + 8)
    if abs(distance) < REACH:
        return b"\x48\x83\x3d" + near(distance) + b"\0"
    # Through a register, which popping gives back without touching the flags.
    return b"\x41\x53\x49\xbb" + struct.pack("<Q", armed) + b"\x49\x83\x3b\x00\x41\x5b"


def _counting(here: int, back: int, mark: int, counter: int) -> bytes:
    """Push the mark, call the counter whose address stands behind this code, drop the mark, go back."""
    push, drop = b"\x68" + struct.pack("<i", mark), b"\x48\x8d\x64\x24\x08"
    jump_at = here + len(push) + 6 + len(drop)
    tail = drop + b"\xe9" + near(back - (jump_at + 5))
    return push + b"\xff\x15" + near(len(tail)) + tail + struct.pack("<Q", counter)
