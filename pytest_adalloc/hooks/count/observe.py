"""Count the native allocations of calls, one by one, in a window that proves on both ends that the counters live.

    report = measure_native(address, frame, calls=100)      # int32 kernel(void *frame), driven by native code alone
    report = measure(function, argument, calls=100)          # any callable

A window is: patch what was loaded since, warm up, arm, canary, calls, canary, disarm, read every slot back. A dead
canary or a lost slot is ``HooksDead``. When libraries came or went meanwhile, the window is void and measured again.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from ctypes import c_uint64, c_void_p
from dataclasses import dataclass, replace
from typing import Any, Literal

from pytest_adalloc.hooks import layout
from pytest_adalloc.hooks.attribute import sites
from pytest_adalloc.hooks.attribute.lines import Line, python_lines
from pytest_adalloc.hooks.attribute.sites import AddressRow, RawSite
from pytest_adalloc.hooks.count.python_domains import DomainColumns, counted_domains
from pytest_adalloc.hooks.count.window import Plan, Restore
from pytest_adalloc.hooks.entries import BY_NAME, ENTRIES, NAMES
from pytest_adalloc.hooks.errors import HooksDead
from pytest_adalloc.hooks.install.install import CANARY_BYTES, Hooks, installed
from pytest_adalloc.hooks.reports import AllocationReport, DomainCount, ShapeCount, Site, Witness
from pytest_adalloc.hooks.witness import preloaded as strict

Scope = Literal["thread", "process"]

VOID_WINDOWS = 5  # how often a window is repeated because libraries came or went
WITNESS_CALLS = 8  # calls per pass of the second witness: every hit costs a trap of the processor

RAW_SYSTEM_CALLS = "memory taken by raw system calls, and allocators that hand out memory which they took earlier"


def measure_native(
    address: int,
    frame: int,
    *,
    calls: int,
    warmup: int = 1,
    restore: Sequence[Restore] = (),
    scope: Scope = "thread",
    address_table: Sequence[AddressRow] | None = None,
    witness: bool = True,
) -> AllocationReport:
    """Count the allocations of native code ``int32 kernel(void *frame)``, call by call.

    Before each call every block of ``restore`` (destination, source, bytes) is copied back, outside the count. A call
    that returns something other than zero ends the loop: it is the last one counted, and its value is the report's
    ``status``. Raises ``HooksDead`` when the count cannot be vouched for, ``ValueError`` for a negative number of
    calls.
    """
    driver = Driver(address, frame, tuple(restore))
    return observe(driver, calls=calls, warmup=warmup, scope=scope, address_table=address_table, witness=witness)


def measure(
    call: Callable[..., object],
    *args: object,
    calls: int = 100,
    warmup: int = 1,
    scope: Scope = "thread",
    witness: bool = True,
    others: Sequence[Sequence[object]] = (),
) -> AllocationReport:
    """Count the native allocations of ``call(*args)``, call by call.

    Function pointers (of ctypes or cffi, Numba's ``cfunc`` and ``njit``, SciPy's ``LowLevelCallable``) are called by
    native code alone; what their wrappers for Python ask for is seen when they are called in a lambda. Anything else is
    called from Python; then the interpreter's own allocations are told apart by caller and reported under
    ``interpreter``.

    ``others`` are further lists of arguments, of other shapes, for a few calls each: ``by_shape`` has what a call takes
    with each, and where that differs the pattern is "shape-dependent".
    """
    report = observe(_driver(call, args), calls=calls, warmup=warmup, scope=scope, witness=witness)
    if not others:
        return report
    counts = [_shape_count(args, report)]
    for more in others:
        few = observe(_driver(call, tuple(more)), calls=FEW, warmup=max(warmup, 1), scope=scope, witness=False)
        counts.append(_shape_count(more, few))
    return replace(report, by_shape=tuple(counts))


FEW = 5  # calls with arguments of another shape; the largest is taken, so that one hit of a cache is no answer


def _shape_count(args: Sequence[object], report: AllocationReport) -> ShapeCount:
    # The first call may set something up, which is no matter of shapes.
    steady = slice(1, None) if report.calls > 1 else slice(None)
    largest = max(report.allocs_per_call[steady]), max(report.bytes_per_call[steady])
    return ShapeCount(", ".join(map(_shape, args)), *largest)


def _shape(argument: object) -> str:
    shape = getattr(argument, "shape", None)
    if isinstance(shape, tuple):
        return str(shape)
    if isinstance(argument, (list, tuple, bytes, str)):
        return f"{type(argument).__name__} of {len(argument)}"
    return repr(argument) if isinstance(argument, (bool, int, float)) else type(argument).__name__


def _driver(call: Callable[..., object], args: tuple[object, ...]) -> Driver:
    from pytest_adalloc.hooks.count.pointers import as_kernel

    hooks = installed()
    with hooks.paused():  # the compiler works for us
        kernel = as_kernel(call, args)
    if kernel is not None:
        return Driver(kernel.address, 0, locked=kernel.needs_interpreter, kept=kernel)
    return python_driver(hooks, call, args)


@dataclass(frozen=True)
class Driver:
    """What a window calls: native code, with the memory that is restored before each call and the objects that it
    needs alive.
    """

    address: int
    frame: int
    restore: tuple[Restore, ...] = ()
    name: str = "native"
    locked: bool = False  # keep the interpreter's lock during the calls
    kept: object = None

    def plan(self, hooks: Hooks, calls: int, **options: Any) -> Plan:
        """The plan of a window over so many calls."""
        return Plan(
            kernel=self.address,
            frame=self.frame,
            restore=self.restore,
            calls=calls,
            mirror=hooks.mirror,
            events=hooks.events,
            chained=hooks.chained,
            **options,
        )

    def warm_up(self, hooks: Hooks, calls: int) -> None:
        """Call without counting."""
        plan = self.plan(hooks, calls, counted=False)
        (hooks.locked_calls if self.locked else hooks.calls)(plan.address)

    def drive(self, hooks: Hooks, plan: Plan) -> None:
        """Call inside the window; an exception of a Python callable comes out here."""
        with _collector_off():
            (hooks.locked_window if self.locked else hooks.window)(plan.address)


def python_driver(hooks: Hooks, call: Callable[..., object], args: tuple[object, ...]) -> Driver:
    """A Python callable, called by the native loop through the interpreter's C API: no Python of ours runs between the
    calls.
    """
    api = ctypes.pythonapi
    addresses = (ctypes.cast(function, c_void_p).value or 0 for function in (api.PyObject_Call, api.Py_DecRef))
    frame = (c_uint64 * 4)(id(call), id(args), *addresses)
    return Driver(
        hooks.core["adalloc_python"], ctypes.addressof(frame), name="python", locked=True, kept=(call, args, frame)
    )


@contextmanager
def _collector_off() -> Iterator[None]:
    # What the collector would free or finalize is no part of the call, and comes at any time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def observe(
    driver: Driver,
    *,
    calls: int,
    warmup: int,
    scope: Scope,
    address_table: Sequence[AddressRow] | None = None,
    witness: bool = True,
) -> AllocationReport:
    """One vouched window over ``calls`` calls, and the second witness over a few more."""
    if calls < 1 or warmup < 0:
        raise ValueError(f"calls must be at least 1 and warmup at least 0, not {calls} and {warmup}")
    hooks = installed()
    with hooks.opened(scope), counted_domains(hooks) as domains:
        hooks.refresh()
        driver.warm_up(hooks, warmup)
        plan, window, repeats = vouched_window(hooks, driver, calls, scope=scope)
        fields = replace(window, table=address_table).fields(scope, _lines(hooks, driver, plan))
        done = plan["done"]
        counts, sizes = tuple(plan.counts[:done]), tuple(plan.sizes[:done])
        spots = blind_spots(hooks, window.after)
        witnesses = _witnesses(hooks, driver, window, plan, min(calls, WITNESS_CALLS) if witness else 0)
        fields |= setting(plan, driver.name, domains, witnesses, spots)
        return AllocationReport(counts, sizes, **fields, status=plan.status, repeats=repeats)


def vouched_window(hooks: Hooks, driver: Driver, calls: int, **options: Any) -> tuple[Plan, Window, int]:
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


def vouch(hooks: Hooks, plan: Plan) -> None:
    """Raise ``HooksDead`` unless both canaries were seen and every slot still leads to a hook."""
    canary_or_die(plan)
    astray = hooks.slots.astray()
    if astray:
        raise HooksDead(
            f"{len(astray)} relocation slots lost their hook while the window was open: {', '.join(astray[:5])}. "
            "Something else rewrites them; calls through these slots were not counted"
        )


def canary_or_die(plan: Plan) -> None:
    """Raise ``HooksDead`` unless both canaries were seen."""
    if not plan.canary_lives():
        raise HooksDead(plan.obituary())


def setting(
    plan: Plan, driven: str, domains: DomainColumns, witnesses: tuple[Witness, ...], spots: tuple[str, ...]
) -> dict[str, Any]:
    """The fields of a report that do not come from its sites."""
    python: Mapping[str, DomainCount] = domains.counts(plan)
    return {
        "scope": plan.scope,
        "driven": driven,
        "python": python,
        "witnesses": witnesses,
        "blind_spots": (*spots, *domains.blind_spots),
    }


def _lines(hooks: Hooks, driver: Driver, plan: Plan) -> dict[int, Line]:
    if driver.name != "python" or not any(plan.counts):
        return {}

    def once() -> None:
        with hooks.paused():
            driver.drive(hooks, driver.plan(hooks, 1))

    return python_lines(hooks, once)


def _witnesses(hooks: Hooks, driver: Driver, window: Window, plan: Plan, asked: int) -> tuple[Witness, ...]:
    """What each way of watching says; ``asked`` is the number of calls for the breakpoints, 0 to leave them out."""
    from pytest_adalloc.hooks.witness.breakpoints import NAME, cross_examine

    first: tuple[Witness, ...] = (slots_witness(hooks),)
    if hooks.mirror:
        first = (*first, strict.testify(window, plan.scope))
    around = hooks.nested and plan.scope == "process"
    if not asked or plan.status or around:
        reason = "the measured call failed" if plan.status else "left out on request"
        # The processor watches one thread: the outer recording would miss what the others do meanwhile.
        reason = "a recording of the whole process is open around it" if around and asked else reason
        return (*first, Witness(NAME, "not asked", reason))
    return (*first, cross_examine(hooks, driver, asked))


def slots_witness(hooks: Hooks) -> Witness:
    """The hooks themselves, after ``vouch`` has found them alive."""
    watched = hooks.slots.watched()
    libraries = len({slot.owner for slot in watched})
    return Witness(
        "relocation slots", "agrees", f"both canaries seen, {len(watched)} slots of {libraries} libraries read back"
    )


@dataclass(frozen=True)
class Snapshot:
    """The counters at one moment."""

    sites: dict[int, RawSite]
    others: tuple[int, ...]
    canaries: int
    lost: int
    preloaded: dict[str, int]

    @classmethod
    def take(cls, hooks: Hooks) -> Snapshot:
        words = hooks.words
        return cls(
            sites.read_sites(words),
            sites.calls_of_others(words),
            words[layout.CANARIES],
            words[layout.LOST],
            strict.counts(hooks.mirror),
        )


@dataclass(frozen=True)
class Window:
    """What happened between two snapshots, without the canaries."""

    hooks: Hooks
    before: Snapshot
    after: Snapshot
    table: Sequence[AddressRow] | None = None

    def raw(self) -> list[RawSite]:
        """The sites of the window, of every class."""
        canaries = self.after.canaries - self.before.canaries
        found = (self._difference(site, canaries) for site in self.after.sites.values())
        return [site for site in found if site.count > 0]

    def fields(self, scope: str, lines: Mapping[int, Line] | None = None) -> dict[str, Any]:
        """The part of a report that comes from the counters; ``lines`` are lines of Python by the key of a site."""
        raw = self.raw()
        native = [site for site in raw if site.kind == layout.NATIVE]
        counted = [site for site in native if ENTRIES[site.entry].counts]
        named: tuple[Site, ...] = sites.attribute(counted, self.table, lines)
        return {
            "by_function": by_function(counted),
            "frees": sum(site.count for site in native if not ENTRIES[site.entry].counts),
            "sites": named,
            "interpreter": by_function(
                site for site in raw if site.kind == layout.INTERPRETER and ENTRIES[site.entry].counts
            ),
            "other_threads": {
                name: after - before
                for name, before, after in zip(NAMES, self.before.others, self.after.others, strict=False)
                if scope == "thread" and after > before and BY_NAME[name].counts
            },
        }

    def _difference(self, site: RawSite, canaries: int) -> RawSite:
        old = self.before.sites.get(site.key)
        own = canaries if site.key in self.hooks.canary_keys else 0
        count = site.count - (old.count if old else 0) - own
        size = site.bytes - (old.bytes if old else 0) - own * CANARY_BYTES
        return RawSite(site.key, site.entry, site.kind, site.culprit, site.caller, count, size, site.frames)


def by_function(raw: Iterable[RawSite]) -> dict[str, int]:
    """Calls per entry point, the most frequent first."""
    totals: dict[str, int] = {}
    for site in raw:
        name = NAMES[site.entry]
        totals[name] = totals.get(name, 0) + site.count
    return dict(sorted(totals.items(), key=lambda pair: -pair[1]))


def blind_spots(hooks: Hooks, after: Snapshot) -> tuple[str, ...]:
    """What the slots of this process cannot see."""
    spots = [RAW_SYSTEM_CALLS]
    if hooks.unlisted:
        spots.append(f"{', '.join(hooks.unlisted)}: not in the loader's list (dlmopen?); their allocator is another")
    if after.lost:
        spots.append(f"{after.lost} calls found the table of sites full; they are counted but not attributed")
    if not hooks.ranges_fit:
        spots.append(
            "more libraries than the caller's table holds; some of the interpreter's own calls count as native"
        )
    return tuple(spots)
