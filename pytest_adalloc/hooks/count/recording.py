"""Watch a block of Python: what native code allocates inside it, or that it does not.

    with record() as allocations: ...   # an AllocationReport when the block has ended
    with forbid(): ...                  # stops at the first allocation of native code

A block cannot be repeated, so there is no second window when libraries came or went: the report names that as a blind
spot.
"""

from __future__ import annotations

import linecache
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any

from pytest_adalloc.hooks import layout
from pytest_adalloc.hooks.attribute.lines import Line
from pytest_adalloc.hooks.attribute.sites import CodeRange, attribute
from pytest_adalloc.hooks.count.cross_checks import slots_witness
from pytest_adalloc.hooks.count.measuring import setting
from pytest_adalloc.hooks.count.python_domains import DomainColumns, counted_domains
from pytest_adalloc.hooks.count.stopping import Stopper
from pytest_adalloc.hooks.count.window import Snapshot, Window, blind_spots, canary_or_die, vouch
from pytest_adalloc.hooks.errors import AllocationForbidden, HooksDead
from pytest_adalloc.hooks.install.counters import RawSite, first_site
from pytest_adalloc.hooks.install.hooks import Hooks
from pytest_adalloc.hooks.install.plan import WindowPlan
from pytest_adalloc.hooks.install.process import installed
from pytest_adalloc.hooks.reports import AllocationReport, Scope, StackFrame, Witness
from pytest_adalloc.hooks.witness import preloaded
from pytest_adalloc.hooks.witness.breakpoints import NAME, Breakpoints, watched

CAME_OR_WENT = "libraries were loaded or unloaded inside the block"
NEW_CALLS, NEW_ALLOCATORS = "calls out of new ones were not watched", "allocators that came with them were not watched"


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


NUMBER = 8  # bytes that NumPy asks for where a number of Python is an operand


@contextmanager
def record(
    *, scope: Scope = "thread", address_table: Sequence[CodeRange] | None = None, witness: bool = False
) -> Iterator[Recording]:
    """Record the native allocations of a block, as one call; the interpreter's own are told apart.

    ``witness`` sets breakpoints on malloc, calloc, realloc and posix_memalign, as many as the processor has. Each hit
    costs some 20 microseconds, the interpreter's own included, so this is for blocks that allocate little.
    An exception of the block passes through; the report tells what came before it.
    """
    hooks = installed()
    recording = Recording()
    with (
        hooks.opened(scope),
        hooks.paused(),
        counted_domains(hooks) as domains,
        watched(hooks, witness) as breakpoints,
    ):
        hooks.refresh()
        plan = WindowPlan(calls=1, scope=scope, mirror=hooks.mirror, events=hooks.events, chained=hooks.chained)
        block = _Block(hooks, plan, Snapshot.take(hooks), address_table, domains, breakpoints if witness else None)
        hooks.begin(plan.address)
        start = hooks.words[layout.ALLOCATIONS], hooks.words[layout.BYTES]
        try:
            yield recording
        except BaseException:
            block.close(*start)
            with suppress(HooksDead):  # a report beside the block's own exception is welcome, and no more
                recording.report = block.report()
            raise
        block.close(*start)
        recording.report = block.report()


@contextmanager
def forbid(
    *, scope: Scope = "thread", witness: bool = True, at_once: bool = True, max_numpy: int | None = None
) -> Iterator[Recording]:
    """Stop the block at the first allocation of native code, with its backtrace and the line of Python.

    Raises ``AllocationForbidden`` out of the line that allocates, in whatever function that is, so that nothing after
    it runs but what cleans up. At the end of the block it is raised where no Python runs any more, where only a second
    witness saw an allocation, and always with ``at_once=False``, which leaves the block untraced: tracing makes Python
    code some thirty times slower, native code not at all.
    An exception that the allocating call itself raises passes through unchanged. See ``stopping`` for how.
    More than ``max_numpy`` requests of NumPy for the data of arrays are forbidden too, at the end of the block: NumPy
    hands out small blocks that it has kept, which is no native allocation until it has none left. By default all are
    forbidden but those for single numbers, such as the 2.0 of ``np.multiply(x, 2.0, out=x)``.
    """
    __tracebackhide__ = True
    words = installed().words
    stopper = Stopper(words)
    note = _FirstNote(words)
    recording = running = Recording()  # until the block has begun there is no other one
    try:
        with record(scope=scope, witness=witness) as running, note.taken():
            with stopper.watching() if at_once else nullcontext():
                yield recording
            stopper.find_line()
    except AllocationForbidden as problem:
        recording.report = running.report
        if problem is stopper.raised and running.report is not None:
            _complete(problem, running.report, note, stopper.line)
        raise
    except BaseException:
        recording.report = running.report
        raise
    report = recording.report = running.report
    if report is not None and (report.allocs or report.unseen):
        raise _complete(stopper.raised or AllocationForbidden(), report, note, stopper.line if note.site else None)
    if report is not None:
        _hold_arrays(report, max_numpy)


def _hold_arrays(report: AllocationReport, limit: int | None) -> None:
    asked = report.python.get("numpy")
    if asked is None or (asked.bytes <= NUMBER * asked.calls if limit is None else asked.calls <= limit):
        return
    allowed = f"{limit or 0} allowed in this forbid() block (max_numpy={asked.calls} allows them)"
    kept = "NumPy hands small blocks out again without asking malloc, until it has none left"
    problem = AllocationForbidden(
        f"NumPy was asked for the data of {asked.calls} arrays; {allowed}\n  {kept}\n{report}"
    )
    problem.report = report
    raise problem


class _FirstNote:
    """Asks the hooks for the first allocation of a block. An outer block that waits for its own hears of it too."""

    site: RawSite | None = None

    def __init__(self, words: memoryview) -> None:
        self._words = words

    @contextmanager
    def taken(self) -> Iterator[None]:
        words = self._words
        outer = words[layout.FIRST]
        frames = slice(layout.FIRST_FRAMES, layout.FIRST_FRAMES + layout.FIRST_CAPACITY)
        fields = slice(layout.FIRST_ENTRY, layout.FIRST_COUNT + 1), frames
        kept = [bytes(words[part]) for part in fields]
        words[layout.FIRST] = layout.WANTED
        try:
            yield
        finally:
            self.site = first_site(words)
            if self.site is None or outer == layout.KNOWN:
                for part, raw in zip(fields, kept, strict=True):
                    words[part] = memoryview(raw).cast("Q")
                words[layout.FIRST] = outer
            elif outer == layout.NOT_WANTED:
                words[layout.FIRST] = outer


def _complete(
    problem: AllocationForbidden, report: AllocationReport, note: _FirstNote, line: Line | None
) -> AllocationForbidden:
    """Give the exception its message: where, who called whom, and what the report says."""
    text = []
    if note.site is not None:
        (first,) = attribute([note.site], table=None)
        place = f" while {line[0]}:{line[1]} ran" if line else ""
        text = [f"{first.function} of {first.bytes} bytes{place}: the first native allocation of a forbid() block"]
        source = linecache.getline(line[0], line[1]).strip() if line else ""
        text += [f"    {source}"] if source else []
        text += ["  backtrace of that allocation:", *(f"    {frame}" for frame in _until_python(first.stack))]
    problem.args = ("\n".join([*text, str(report)]),)
    problem.report = report
    return problem


def _until_python(stack: Sequence[StackFrame]) -> Iterator[StackFrame]:
    """The frames of native code up to the interpreter's loop: what is beyond it, the line of Python tells."""
    for frame in stack:
        yield frame
        if frame.symbol.startswith("_PyEval_EvalFrame"):
            return


@dataclass
class _Block:
    """The window of one block."""

    hooks: Hooks
    plan: WindowPlan
    before: Snapshot
    table: Sequence[CodeRange] | None
    domains: DomainColumns
    breakpoints: Breakpoints | None

    def close(self, allocations: int, size: int) -> None:
        """End the window; the arguments are the counters at its start."""
        words, plan = self.hooks.words, self.plan
        plan.counts[0], plan.sizes[0] = words[layout.ALLOCATIONS] - allocations, words[layout.BYTES] - size
        self.hooks.end(plan.address)

    def report(self) -> AllocationReport:
        """What the window saw. Raises ``HooksDead`` where that cannot be vouched for."""
        hooks, plan = self.hooks, self.plan
        window = Window(hooks, self.before, Snapshot.take(hooks), self.table)
        spots = blind_spots(hooks, window.after)
        witnesses, evidence = _slots(hooks, plan), window.evidence(plan.scope)
        witnesses.insert(0, window.entries_witness(plan.scope, 0))
        if self.breakpoints is None:
            witnesses.append(Witness(NAME, "not asked", "left out on request"))
        else:
            witnesses.append(self.breakpoints.cross_check(evidence))
            spots = (*spots, *self.breakpoints.unwatched(hooks))
        if hooks.mirror:
            witnesses.append(preloaded.cross_check(evidence))
        if not hooks.slots.unchanged():
            unseen = NEW_ALLOCATORS if hooks.entry_points.complete else NEW_CALLS
            spots = (*spots, f"{CAME_OR_WENT}; {unseen}")
        return AllocationReport(
            (plan.counts[0],),
            (plan.sizes[0],),
            **window.fields(plan.scope),
            **setting(plan, "python", self.domains, tuple(witnesses), spots),
        )


def _slots(hooks: Hooks, plan: WindowPlan) -> list[Witness]:
    if not hooks.slots.unchanged():
        # The slots of a library that is gone cannot be read.
        canary_or_die(plan)
        return []
    vouch(hooks, plan)
    return [slots_witness(hooks)]
