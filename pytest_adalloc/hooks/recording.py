"""Watch a block of Python: what native code allocates inside it, or that it does not.

    with record() as allocations: ...   # an AllocationReport when the block has ended
    with forbid(): ...                  # fails when native code allocates

A block cannot be repeated, so there is no second window when libraries came or went: the report names that as a blind
spot.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pytest_adalloc.hooks import layout, strict
from pytest_adalloc.hooks.breakpoints import NAME, watched
from pytest_adalloc.hooks.errors import AllocationForbidden
from pytest_adalloc.hooks.install import Hooks, installed
from pytest_adalloc.hooks.observe import (
    Scope,
    Snapshot,
    Window,
    blind_spots,
    canary_or_die,
    setting,
    slots_witness,
    vouch,
)
from pytest_adalloc.hooks.python_domains import counted_domains
from pytest_adalloc.hooks.report import AllocationReport, Witness
from pytest_adalloc.hooks.sites import AddressRow
from pytest_adalloc.hooks.window import Plan

CAME_OR_WENT = "libraries were loaded or unloaded inside the block; calls out of new ones were not watched"


class Recording:
    """The report of a block, complete when the block has ended; attributes are those of ``AllocationReport``."""

    report: AllocationReport | None = None

    def __getattr__(self, name: str) -> Any:
        if self.report is None:
            raise AttributeError(f"{name}: the recording has not ended yet")
        return getattr(self.report, name)

    def __bool__(self) -> bool:
        raise TypeError("a Recording is no boolean: compare .allocs_per_call or .by_function instead")

    def __str__(self) -> str:
        return "a recording that has not ended yet" if self.report is None else str(self.report)


@contextmanager
def record(
    *, scope: Scope = "thread", address_table: Sequence[AddressRow] | None = None, witness: bool = False
) -> Iterator[Recording]:
    """Record the native allocations of a block, as one call; the interpreter's own are told apart.

    ``witness`` sets breakpoints on malloc, calloc, realloc and posix_memalign, as many as the processor has. Each hit
    costs some 20 microseconds, the interpreter's own included, so this is for blocks that allocate little.
    """
    hooks = installed()
    recording = Recording()
    with hooks.opened(scope), counted_domains(hooks) as domains, watched(hooks, witness) as breakpoints:
        hooks.refresh()
        plan = Plan(calls=1, scope=scope, mirror=hooks.mirror, events=breakpoints.events, chained=hooks.chained)
        before = Snapshot.take(hooks)
        hooks.begin(plan.address)
        count, size = hooks.words[layout.ALLOCATIONS], hooks.words[layout.BYTES]
        try:
            yield recording
        finally:
            plan.counts[0], plan.sizes[0] = hooks.words[layout.ALLOCATIONS] - count, hooks.words[layout.BYTES] - size
            hooks.end(plan.address)
        window = Window(hooks, before, Snapshot.take(hooks), address_table)
        spots = blind_spots(hooks, window.after)
        witnesses = [breakpoints.testify(window) if witness else Witness(NAME, "not asked", "left out on request")]
        if hooks.mirror and scope == "thread":
            witnesses.append(strict.testify(window))
        witnesses[:0] = _slots(hooks, plan)
        spots = spots if hooks.slots.unchanged() else (*spots, CAME_OR_WENT)
        recording.report = AllocationReport(
            (plan.counts[0],),
            (plan.sizes[0],),
            **window.fields(),
            **setting(plan, "python", domains, tuple(witnesses), spots),
        )


@contextmanager
def forbid(*, scope: Scope = "thread", witness: bool = True) -> Iterator[Recording]:
    """Fail when native code allocates inside the block, with the place and its backtrace, raised at the end.

    Raises ``AllocationForbidden``, also when only a second witness saw an allocation. An exception of the block itself
    passes through unchanged.
    """
    with record(scope=scope, witness=witness) as recording:
        yield recording
    report = recording.report
    if report is None or not (report.allocs or report.unseen):
        return
    site = report.sites[0] if report.sites else None
    stack = "".join(f"\n    {frame}" for frame in site.stack) if site else ""
    raise AllocationForbidden(f"{report}" + (f"\n  first seen at{stack}" if stack else ""))


def _slots(hooks: Hooks, plan: Plan) -> list[Witness]:
    if not hooks.slots.unchanged():
        # The slots of a library that is gone cannot be read.
        canary_or_die(plan)
        return []
    vouch(hooks, plan)
    return [slots_witness(hooks)]
