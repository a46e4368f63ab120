"""What each way of watching has to say about one count: the slots, the preloaded library, the processor."""

from __future__ import annotations

from pytest_adalloc.hooks.count.drivers import Driver
from pytest_adalloc.hooks.count.window import Window, vouched_window
from pytest_adalloc.hooks.entries import EVERY
from pytest_adalloc.hooks.install.hooks import Hooks
from pytest_adalloc.hooks.install.plan import WindowPlan
from pytest_adalloc.hooks.reports import Witness
from pytest_adalloc.hooks.witness import preloaded
from pytest_adalloc.hooks.witness.breakpoints import AT_ONCE, BUDGET, NAME, placed, places

CHEAP = 2_000  # hits, some 20 milliseconds: so many are always worth it
FEW = 8  # calls, where every call costs hits


def cross_check(hooks: Hooks, driver: Driver, window: Window, plan: WindowPlan, calls: int) -> tuple[Witness, ...]:
    """Every witness; the breakpoints watch up to so many further calls, and are left out for 0."""
    first: tuple[Witness, ...] = (window.entries_witness(plan.scope, plan["done"]), slots_witness(hooks))
    if hooks.mirror:
        first = (*first, preloaded.cross_check(window.evidence(plan.scope)))
    around = hooks.nested and plan.scope == "process"
    if not calls or plan.status or around:
        reason = "the measured call failed" if plan.status else "left out on request"
        # The processor watches one thread: the outer recording would miss what the others do meanwhile.
        reason = "a recording of the whole process is open around it" if around and calls else reason
        return (*first, Witness(NAME, "not asked", reason))
    if hooks.entry_points.complete:
        calls = min(calls, FEW)  # a second opinion on what every call has shown already
    return (*first, breakpoints_witness(hooks, driver, calls, _busiest(window, plan)))


def _busiest(window: Window, plan: WindowPlan) -> int:
    """Requests of the busiest call; the interpreter's own are known for all calls together."""
    everybody = sum(site.count for site in window.raw() if EVERY[site.entry].counts)
    return max(max(map(int, plan.counts)), -(-everybody // max(plan["done"], 1)))


def slots_witness(hooks: Hooks) -> Witness:
    """The hooks themselves, after ``vouch`` has found them alive."""
    watched = hooks.slots.watched()
    libraries = len({slot.owner for slot in watched})
    return Witness(
        "relocation slots", "agrees", f"both canaries seen, {len(watched)} slots of {libraries} libraries read back"
    )


def breakpoints_witness(hooks: Hooks, driver: Driver, calls: int, busiest: int) -> Witness:
    """Let breakpoints and hooks watch the same calls, a few entries in each pass, and say whether they agree.

    ``busiest`` is how many requests the busiest of the counted calls made. Raises ``HooksDead`` when the hooks die in
    one of these windows, as in any other.
    """
    affordable = affordable_calls(calls, busiest)
    if not affordable:
        return Witness(NAME, "unavailable", f"one call makes {busiest} requests, and it stops after {BUDGET} hits")
    watched = list(places(hooks).items())
    total = 0
    for start in range(0, len(watched), AT_ONCE):
        with hooks.paused(), placed(hooks, watched[start : start + AT_ONCE]) as breakpoints:
            if breakpoints.refusal:
                return Witness(NAME, "unavailable", breakpoints.refusal)
            _, window, void = vouched_window(hooks, driver, affordable)
            if void:
                return Witness(NAME, "unavailable", "libraries came or went while they watched")
            evidence = window.evidence("thread")
            witness = breakpoints.cross_check(evidence)
        if witness.state != "agrees":
            return witness
        total += sum(breakpoints.counts(evidence.canaries).values())
    number = f"{calls} calls" if affordable == calls else f"{affordable} of {calls} calls"
    return Witness(NAME, "agrees", f"{total} entries of {len(watched)} functions in {number}")


def affordable_calls(calls: int, busiest: int) -> int:
    """How many of the calls the processor watches: all where they ask for nothing or little, else a few, and none where
    one alone would exceed the budget of hits, each of which costs some 10 microseconds.
    """
    if busiest * calls <= CHEAP:
        return calls
    return max(CHEAP // busiest, min(FEW, BUDGET // busiest))
