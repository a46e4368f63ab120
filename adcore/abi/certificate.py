"""The certificate of an object: whether it is proved that its code cannot allocate.

`adcore.lower.objects.certificate` makes it; it is kept with the code.
"""

from __future__ import annotations

from typing import NamedTuple


class Certificate(NamedTuple):
    """`proven`: nothing in the object can allocate. Otherwise `unproven` holds the reasons."""

    proven: bool
    external_symbols: tuple[str, ...]
    unproven: tuple[str, ...] = ()
    indirect_calls: int = 0
    declared: tuple[str, ...] = ()
    """Functions of a user's rules that the user declares not to allocate, each with the reason given."""

    def __str__(self) -> str:
        calls = ", ".join(self.external_symbols) or "nothing"
        if self.proven:
            trusting = f", trusting that {'; '.join(self.declared)}" if self.declared else ""
            return f"proven not to allocate{trusting}; calls {calls}"
        return "\n".join(["not proven:", *(f"  - {r}" for r in self.unproven), f"  calls {calls}"])
