"""How much longer a gradient takes than its primal, measured so that a busy machine is noticed.

    round:  primal  gradient  primal again      one after the other, so that all meet the same machine
    ratio   fastest gradient / fastest primal
    spread  fastest primal / fastest primal again, the larger by the smaller: what the machine does to equal things

The fastest of many rounds is what the code takes; whatever else runs only ever adds to it (Chen and Revels, "Robust
benchmarking in noisy environments", 2016).
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_adalloc.checks.subjects.subject import GradientSubject, TimedCall, Unmet
from pytest_adalloc.checks.trial import Trial
from pytest_adalloc.checks.verdict import diagnostics

ROUNDS = 40
BATCH = 50e-6  # seconds that one timing takes at least, where calls can be repeated as they are
BUDGET = 0.4  # seconds for one measurement
TRIES = 4  # measurements of a ratio that is too close to the limit for this machine


@dataclass(frozen=True)
class TimeRatio:
    """A ratio of times, and the factor by which equal calls differed meanwhile (1: not at all). Times in seconds."""

    ratio: float
    spread: float
    primal: float
    gradient: float

    def verdict(self, limit: float) -> bool | None:
        """Whether the ratio is within the limit; None where the machine was too busy to tell."""
        if self.ratio * self.spread <= limit:
            return True
        return False if self.ratio / self.spread > limit else None

    def __str__(self) -> str:
        return f"{self.ratio:.2f} times the primal ({_time(self.gradient)} to {_time(self.primal)})"


def hold_time(trial: Trial, subject: GradientSubject) -> None:
    """Raise Unmet where the gradient takes longer than `max_ratio` times its primal."""
    limit = trial.options.max_ratio
    if limit is None:
        return
    trial.progress("timing", 0, 1)
    primal, gradient = subject.timed()
    for _ in range(TRIES):
        found = time_ratio(primal, gradient)
        within = found.verdict(limit)
        if within is not None:
            break
    trial.learn(ratio=found.ratio)
    if within is None:
        busy = f"two runs of the primal differ by {100 * (found.spread - 1):.0f}%"
        trial.note(f"max_ratio={limit:g} could not be judged: the gradient took {found}, and {busy} on this machine")
    elif within:
        trial.note(f"time: {found}; at most {limit:g} is allowed")
    else:
        raise Unmet("too slow", diagnostics.too_slow(trial.about, str(found), limit, found.spread))


def time_ratio(primal: TimedCall, gradient: TimedCall) -> TimeRatio:
    """The ratio, from interleaved rounds."""
    calls = (primal, gradient, primal)
    counts = [_repetitions(call) for call in calls[:2]]
    counts.append(counts[0])
    best = [math.inf] * 3
    ends = time.perf_counter() + BUDGET
    for done in range(ROUNDS):
        for k, (call, count) in enumerate(zip(calls, counts, strict=True)):
            best[k] = min(best[k], _timed(call, count))
        if done >= 2 and time.perf_counter() > ends:
            break
    own = _overhead()
    first, slope, again = (max(each - own / count, 1e-9) for each, count in zip(best, counts, strict=True))
    fastest = min(first, again)
    return TimeRatio(slope / fastest, max(first, again) / fastest, fastest, slope)


def _repetitions(call: TimedCall) -> int:
    """How many calls one timing holds: one where its arguments have to be put back before each."""
    if call.restore is not None:
        return 1
    took = min(_timed(call, 1) for _ in range(3))
    return max(1, min(100_000, math.ceil(BATCH / max(took, 1e-9))))


def _timed(call: TimedCall, count: int) -> float:
    """Seconds that a call takes, of `count` in a row."""
    if call.restore is not None:
        call.restore()
    function = call.function
    started = time.perf_counter()
    for _ in range(count):
        function()
    return (time.perf_counter() - started) / count


def _overhead() -> float:
    """What reading the clock takes."""
    times: Sequence[float] = [_timed(TimedCall(_nothing), 1) for _ in range(50)]
    return min(times)


def _nothing() -> None:
    pass


def _time(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
