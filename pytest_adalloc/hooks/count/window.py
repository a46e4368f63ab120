"""One window: the counters at both ends, what lies between them, and whether it can be vouched for.

A dead canary or a lost slot is ``HooksDead``. When libraries came or went meanwhile, the window is void and measured
again.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_adalloc.hooks import layout
from pytest_adalloc.hooks.attribute import sites
from pytest_adalloc.hooks.attribute.lines import Gains
from pytest_adalloc.hooks.attribute.sites import CodeRange
from pytest_adalloc.hooks.count.drivers import Driver
from pytest_adalloc.hooks.entries import BY_NAME, EVERY, NAMES
from pytest_adalloc.hooks.errors import HooksDead
from pytest_adalloc.hooks.install.counters import RawSite, calls_of_others, column, read_sites
from pytest_adalloc.hooks.install.hooks import Hooks
from pytest_adalloc.hooks.install.plan import CANARY_BYTES, WindowPlan
from pytest_adalloc.hooks.reports import Site, Witness
from pytest_adalloc.hooks.witness import entries, preloaded
from pytest_adalloc.hooks.witness.entries import EntryCounts
from pytest_adalloc.hooks.witness.evidence import Evidence

VOID_WINDOWS = 5  # how often a window is repeated because libraries came or went

RAW_SYSTEM_CALLS = "memory taken by raw system calls, and allocators that hand out memory which they took earlier"
HIDDEN_POINTERS = "calls through pointers that no relocation slot holds, but where a breakpoint sees them"


@dataclass(frozen=True)
class Snapshot:
    """The counters at one moment."""

    sites: dict[int, RawSite]
    others: tuple[int, ...]
    canaries: int
    spilled: int
    preloaded: dict[str, int]
    patched: tuple[tuple[int, ...], ...] = ()

    @classmethod
    def take(cls, hooks: Hooks) -> Snapshot:
        words = hooks.words
        return cls(
            read_sites(words),
            calls_of_others(words),
            words[layout.CANARIES],
            words[layout.SPILLED],
            preloaded.counts(hooks.mirror),
            tuple(column(words, start) for start in (layout.PASSED, layout.HIDDEN, layout.INNER)),
        )


@dataclass(frozen=True)
class Window:
    """What happened between two snapshots, without the canaries."""

    hooks: Hooks
    before: Snapshot
    after: Snapshot
    table: Sequence[CodeRange] | None = None

    @property
    def canaries(self) -> int:
        """How many canaries asked for memory."""
        return self.after.canaries - self.before.canaries

    def raw(self) -> list[RawSite]:
        """The sites of the window, of every class."""
        found = (self._difference(site) for site in self.after.sites.values())
        return [site for site in found if site.count > 0]

    def evidence(self, scope: str) -> Evidence:
        """What the hooks counted, for witnesses to compare with."""
        later = self.after.preloaded
        beside = {name: count - self.before.preloaded[name] for name, count in later.items()}
        return Evidence(by_function(self.raw()), self._announced(), self.canaries, scope, beside)

    def _announced(self) -> dict[str, int]:
        """Calls by function that hooks of relocation slots counted."""
        return by_function(site for site in self.raw() if not site.past_slots)

    @property
    def entries(self) -> EntryCounts:
        """What the patched functions counted."""
        pairs = zip(self.before.patched, self.after.patched, strict=True)
        return EntryCounts(*(tuple(map(operator.sub, after, before)) for before, after in pairs))

    def entries_witness(self, scope: str, calls: int) -> Witness:
        """Whether patched functions and hooks saw the same calls; ``calls`` is 0 for a block."""
        # Of what does not fit into the table of sites it is not known how it came.
        scope = "process" if self.after.spilled else scope
        return entries.cross_check(self.hooks, self.entries, self._announced(), self.canaries, scope, calls)

    def fields(self, scope: str, lines: Mapping[int, Gains] | None = None) -> dict[str, Any]:
        """The part of a report that comes from the counters; ``lines`` are shares of lines of Python by site."""
        raw = self.raw()
        native = [site for site in raw if site.kind == layout.NATIVE]
        counted = [site for site in native if EVERY[site.entry].counts]
        named: tuple[Site, ...] = sites.attribute(counted, self.table, lines)
        return {
            "by_function": by_function(counted),
            "frees": sum(site.count for site in native if not EVERY[site.entry].counts),
            "sites": named,
            "interpreter": by_function(
                site for site in raw if site.kind == layout.INTERPRETER and EVERY[site.entry].counts
            ),
            "other_threads": {
                name: after - before
                for name, before, after in zip(NAMES, self.before.others, self.after.others, strict=False)
                if scope == "thread" and after > before and BY_NAME[name].counts
            },
        }

    def _difference(self, site: RawSite) -> RawSite:
        old = self.before.sites.get(site.key)
        own = self.canaries if site.key in self.hooks.canary_keys else 0
        count = site.count - (old.count if old else 0) - own
        size = site.bytes - (old.bytes if old else 0) - own * CANARY_BYTES
        return RawSite(
            site.key, site.entry, site.kind, site.responsible, site.caller, count, size, site.frames, site.past_slots
        )


def by_function(raw: Iterable[RawSite]) -> dict[str, int]:
    """Calls per entry point, the most frequent first."""
    totals: dict[str, int] = {}
    for site in raw:
        name = NAMES[site.entry]
        totals[name] = totals.get(name, 0) + site.count
    return dict(sorted(totals.items(), key=lambda pair: -pair[1]))


def vouched_window(hooks: Hooks, driver: Driver, calls: int, **options: Any) -> tuple[WindowPlan, Window, int]:
    """A window whose count is complete, and how many void ones came before it."""
    for void in range(VOID_WINDOWS):
        hooks.refresh()
        with hooks.paused():
            plan = driver.plan(hooks, calls, **options)
            before = Snapshot.take(hooks)
            driver.drive(hooks, plan)
            after = Snapshot.take(hooks)
        if hooks.slots.unchanged():
            vouch(hooks, plan)
            return plan, Window(hooks, before, after), void
    raise HooksDead(f"libraries were loaded or unloaded in each of {VOID_WINDOWS} windows; no count is complete")


def vouch(hooks: Hooks, plan: WindowPlan) -> None:
    """Raise ``HooksDead`` unless both canaries were seen and every slot still leads to a hook."""
    canary_or_die(plan)
    lost = hooks.slots.lost()
    if lost:
        raise HooksDead(
            f"{len(lost)} relocation slots lost their hook while the window was open: {', '.join(lost[:5])}. "
            "Something else rewrites them; calls through these slots were not counted"
        )
    unpatched = hooks.entry_points.lost()
    if unpatched:
        raise HooksDead(
            f"{len(unpatched)} patched functions lost their first instruction while the window was open: "
            f"{', '.join(unpatched[:5])}. Something else rewrites them; calls of these functions were not counted"
        )


def canary_or_die(plan: WindowPlan) -> None:
    """Raise ``HooksDead`` unless both canaries were seen."""
    if not plan.canary_lives():
        raise HooksDead(plan.canary_report())


def blind_spots(hooks: Hooks, after: Snapshot) -> tuple[str, ...]:
    """What the slots of this process cannot see."""
    spots = [RAW_SYSTEM_CALLS]
    if hooks.entry_points.reason:
        spots.append(HIDDEN_POINTERS)
    if hooks.unlisted and hooks.entry_points.reason:
        spots.append(f"{', '.join(hooks.unlisted)}: not in the loader's list (dlmopen?); their allocator is another")
    if after.spilled:
        spots.append(f"{after.spilled} calls found the table of sites full; they are counted but not attributed")
    if not hooks.ranges_fit:
        spots.append(
            "more libraries than the caller's table holds; some of the interpreter's own calls count as native"
        )
    return tuple(spots)
