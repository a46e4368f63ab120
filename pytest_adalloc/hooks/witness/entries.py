"""What the patched functions saw: every call of an allocator, whatever pointer led there.

A call that a hook announced is counted by both, and both counts have to be equal; one that nobody announced came past
the relocation slots, and is counted here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_adalloc.hooks.install.hooks import Hooks
from pytest_adalloc.hooks.reports import Witness

NAME = "entries"


@dataclass(frozen=True)
class EntryCounts:
    """Calls of every patched function over a window, by number: announced by a hook, past the slots by native code,
    on the allocator's own account.
    """

    announced: Sequence[int]
    past_slots: Sequence[int]
    inner: Sequence[int]

    def by_function(self, hooks: Hooks) -> dict[str, int]:
        """Requests of native code that came past the slots, by function."""
        totals: dict[str, int] = {}
        for number, place in hooks.entry_points.places.items():
            if place.entries[0].counts and self.past_slots[number]:
                totals[place.name] = totals.get(place.name, 0) + self.past_slots[number]
        return totals


def cross_check(
    hooks: Hooks, counts: EntryCounts, announced: Mapping[str, int], canaries: int, scope: str, calls: int
) -> Witness:
    """Whether the patched functions saw what the hooks announced (calls by function, without the canaries)."""
    points = hooks.entry_points
    if points.reason:
        return Witness(NAME, "unavailable", points.reason)
    missed = _missed(hooks, counts, announced, canaries, exact=scope == "thread")
    if missed and not hooks.chained:
        return Witness(NAME, "disagrees", f"hooks and patched functions saw different calls: {missed}")
    total = len(points.places)
    seen = f"{total - len(points.left())} of {total} functions in {calls_of(calls)}"
    past = ", ".join(f"{name} x {count}" for name, count in counts.by_function(hooks).items())
    left = "; ".join(f"not {name} ({why})" for name, why in points.unpatched().items())
    details = [seen, f"past the relocation slots: {past}" if past else "", left]
    return Witness(NAME, "agrees", "; ".join(part for part in details if part))


def calls_of(calls: int) -> str:
    """A number of counted calls in words; 0 is a block."""
    return "the whole block" if not calls else "the call" if calls == 1 else f"all {calls} calls"


def _missed(hooks: Hooks, counts: EntryCounts, announced: Mapping[str, int], canaries: int, *, exact: bool) -> str:
    expected: dict[int, int] = {}
    names: dict[int, str] = {}
    for name, original in hooks.slots.originals.items():
        number = hooks.entry_points.number(hooks.behind(name) or original)
        if number is not None and hooks.entry_points.mark(hooks.entry_points.places[number].address):
            own = canaries if name in ("malloc", "free") else 0
            expected[number] = expected.get(number, 0) + (announced.get(name, 0) if exact else 0) + own
            names.setdefault(number, name)
    wrong = [
        f"{names[number]} x {counts.announced[number]} for {count}"
        for number, count in expected.items()
        if (counts.announced[number] != count if exact else counts.announced[number] < count)
    ]
    return ", ".join(wrong)
