"""What the hooks counted in a window, for witnesses to compare with what they saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Evidence:
    """The hooks' side of a cross-check."""

    hooked: Mapping[str, int]  # calls by entry, without the canaries
    announced: Mapping[str, int]  # of these, the ones that came by relocation slots
    canaries: int  # how many canaries asked for memory, as every witness sees them too
    scope: str
    preloaded: Mapping[str, int]  # calls by entry that the preloaded library counted; empty where there is none
