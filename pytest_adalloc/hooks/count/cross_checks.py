"""What each way of watching has to say about one count: the slots, the preloaded library, the processor."""

from __future__ import annotations

from pytest_adalloc.hooks.count.drivers import Driver
from pytest_adalloc.hooks.count.window import Window, vouched_window
from pytest_adalloc.hooks.install.hooks import Hooks
from pytest_adalloc.hooks.install.plan import WindowPlan
from pytest_adalloc.hooks.reports import Witness
from pytest_adalloc.hooks.witness import preloaded
from pytest_adalloc.hooks.witness.breakpoints import AT_ONCE, NAME, placed, places


def cross_check(hooks: Hooks, driver: Driver, window: Window, plan: WindowPlan, calls: int) -> tuple[Witness, ...]:
    """Every witness; the breakpoints watch so many further calls, and are left out for 0."""
    first: tuple[Witness, ...] = (slots_witness(hooks),)
    if hooks.mirror:
        first = (*first, preloaded.cross_check(window.evidence(plan.scope)))
    around = hooks.nested and plan.scope == "process"
    if not calls or plan.status or around:
        reason = "the measured call failed" if plan.status else "left out on request"
        # The processor watches one thread: the outer recording would miss what the others do meanwhile.
        reason = "a recording of the whole process is open around it" if around and calls else reason
        return (*first, Witness(NAME, "not asked", reason))
    return (*first, breakpoints_witness(hooks, driver, calls))


def slots_witness(hooks: Hooks) -> Witness:
    """The hooks themselves, after ``vouch`` has found them alive."""
    watched = hooks.slots.watched()
    libraries = len({slot.owner for slot in watched})
    return Witness(
        "relocation slots", "agrees", f"both canaries seen, {len(watched)} slots of {libraries} libraries read back"
    )


def breakpoints_witness(hooks: Hooks, driver: Driver, calls: int) -> Witness:
    """Let breakpoints and hooks watch the same calls, a few entries in each pass, and say whether they agree.

    Raises ``HooksDead`` when the hooks die in one of these windows, as in any other.
    """
    watched = list(places(hooks).items())
    total = 0
    for start in range(0, len(watched), AT_ONCE):
        with hooks.paused(), placed(hooks, watched[start : start + AT_ONCE]) as breakpoints:
            if breakpoints.refusal:
                return Witness(NAME, "unavailable", breakpoints.refusal)
            _, window, void = vouched_window(hooks, driver, calls)
            if void:
                return Witness(NAME, "unavailable", "libraries came or went while they watched")
            evidence = window.evidence("thread")
            witness = breakpoints.cross_check(evidence)
        if witness.state == "disagrees":
            return witness
        total += sum(breakpoints.counts(evidence.canaries).values())
    return Witness(NAME, "agrees", f"{total} entries of {len(watched)} functions in {calls} calls")
