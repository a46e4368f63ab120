"""What is asked of the compiler: the user's `Options`, and the `Request` for one specialisation that follows from them.

Data only: nothing here loads a stage of the compiler, so that a call whose code is known already needs none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from adcore.runtime.alias_guard import Groups
from adcore.runtime.values.arguments import refuse
from adcore.signature import LiveAttributes, Signature

if TYPE_CHECKING:
    from adcore.lower import SweepPart
    from adcore.ops import Table

Workspace = int | Literal["auto", "heap"]
Fastmath = bool | Literal["sums"]
"""What rounding may change: nothing; the order of sums; products, divisions and functions as well."""


@dataclass(frozen=True)
class Options:
    """How to compile; `ops`: a table of ops other than the language's own."""

    workspace: Workspace = "auto"
    fastmath: Fastmath = False
    boundscheck: bool = True
    shadows: Literal["add", "overwrite"] = "add"
    ops: Table | None = field(default=None, repr=False, hash=False, compare=False)

    def __post_init__(self) -> None:
        valid = self.workspace in ("auto", "heap") or (
            isinstance(self.workspace, int) and not isinstance(self.workspace, bool) and self.workspace >= 0
        )
        if not valid:
            refuse(f'workspace={self.workspace!r}: give "auto", "heap", or a number of bytes')
        if self.fastmath not in (False, True, "sums"):
            refuse(f'fastmath={self.fastmath!r}: give False, "sums", or True')
        if self.shadows not in ("add", "overwrite"):
            refuse(f'shadows={self.shadows!r}: give "add" or "overwrite"')


@dataclass(frozen=True)
class Sweep:
    """One differentiation: `kinds` per parameter ("const", "active", "duplicated"); for reverse, `seeds` per result:
    whether it is differentiated; for forward, `width` tangents at once. `aliases` groups the parameters whose memory
    overlaps. `overwritten`: the parameters of a reverse sweep, shadows, that it sets instead of adding to them."""

    sweep: Literal["forward", "reverse"]
    kinds: tuple[str, ...]
    seeds: tuple[bool, ...] = ()
    aliases: Groups = ()
    width: int = 1
    overwritten: tuple[int, ...] = ()


@dataclass(frozen=True)
class Variant:
    """Which specialisation of a function is wanted: for which sweeps and aliasing, and how it keeps values.

    `limit`: bytes that the reverse sweep may keep for the primal leaves `values` of the given `shapes`, which the plan
    goes by (None: no limit; 0: nothing may be kept, whatever the shapes). `part`: one half of the only sweep.
    """

    sweeps: tuple[Sweep, ...] = ()
    aliases: Groups = ()
    part: SweepPart = "whole"
    heap: bool = False
    limit: int | None = None
    shapes: str = ""
    values: tuple[Any, ...] | None = field(default=None, compare=False, repr=False)


def standard_ops() -> Table:
    """The language's own ops."""
    from adcore.ops import TABLE

    return TABLE


@dataclass(frozen=True)
class Request:
    """What to compile.

    `sweeps` are applied in order, each to the function that the one before made; `aliases` groups the parameters of
    the last one. `limit`: bytes that the last reverse sweep may keep for `values`, the primal leaves of a call (None:
    no limit; 0: nothing may be kept, whatever the shapes). `part`: one half of the only sweep, a reverse one. `live`:
    the objects of the call, of which the signature need not say all that the program reads.
    """

    function: Callable[..., Any]
    signature: Signature
    sweeps: tuple[Sweep, ...] = ()
    aliases: Groups = ()
    limit: int | None = None
    values: tuple[Any, ...] | None = field(default=None, compare=False)
    heap: bool = False
    fastmath: Fastmath = False
    boundscheck: bool = True
    ops: Table = field(default_factory=standard_ops, compare=False)
    part: SweepPart = "whole"
    live: LiveAttributes | None = field(default=None, compare=False, repr=False)

    @property
    def primal_aliases(self) -> Groups:
        """The alias classes among the primal's own parameters."""
        return self.sweeps[0].aliases if self.sweeps else self.aliases


__all__ = ["Groups", "Options", "Request", "Sweep", "Variant", "Workspace"]
