"""Does memory grow with every call? A trend of the process's memory over many calls.

Balanced allocation and release leave no trace here; this finds leaks and arenas that grow. Resident memory alone would
miss a leak that fills the holes of a fragmented heap, so where the C library tells how many bytes are in use, that is
a trend too. The slope is Theil and Sen's, the median of all pairwise slopes, so that one jump of an arena is no trend.
"""

from __future__ import annotations

import ctypes
import gc
import os
import statistics
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from ctypes import c_size_t
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Literal, NoReturn

PAGE = 4096


@dataclass(frozen=True)
class GrowthReport:
    """Resident (``rss``), unshared (``uss``) and ``allocated`` memory in bytes, before the first batch and after each
    one.

    The fields that end in ``_per_call`` are slopes in bytes. ``verdict`` is "grows" when the allocated memory rises
    steadily, or both resident and unshared memory do; "unclear" when only one of these does; else "flat". A series is
    empty, and its slope None, where the system does not tell it.
    """

    calls: int
    rss: tuple[int, ...]
    uss: tuple[int, ...]
    allocated: tuple[int, ...]
    rss_per_call: float
    uss_per_call: float | None
    allocated_per_call: float | None
    verdict: Literal["flat", "grows", "unclear"]

    def __bool__(self) -> NoReturn:
        raise TypeError("a GrowthReport is no boolean: compare .verdict instead")

    def __str__(self) -> str:
        slopes = {"resident": self.rss_per_call, "unshared": self.uss_per_call, "allocated": self.allocated_per_call}
        told = ", ".join(f"{slope:.0f} bytes {name}" for name, slope in slopes.items() if slope is not None)
        return f"memory {self.verdict} over {self.calls} calls: {told} a call"


def growth(
    run: Callable[[int], object], *, calls: int = 4000, batches: int = 16, threshold: float = 256.0
) -> GrowthReport:
    """Run ``run(n)``, which makes n calls, in equal batches and judge the trend.

    ``threshold`` is the slope in bytes a call from which steady growth counts; below it lies the noise of a running
    interpreter. A batch must be able to show the threshold in whole pages, so short runs raise ``ValueError``.
    """
    size = calls // batches
    if batches < 4 or size < 1 or size * threshold < PAGE:
        raise ValueError(f"{calls} calls in {batches} batches cannot show a growth of {threshold:g} bytes a call")
    run(size)
    gc.collect()
    _give_back()
    samples = [_memory()]
    for _ in range(batches):
        run(size)
        samples.append(_memory())
    rss, uss, allocated = (_series(column) for column in zip(*samples, strict=True))
    slopes = [_slope(series) / size if series else None for series in (rss, uss, allocated)]
    rising = [
        slope is not None and slope >= threshold and _climbs(series)
        for series, slope in zip((rss, uss, allocated), slopes, strict=True)
    ]
    resident = rising[:2] if uss else rising[:1]
    grows = rising[2] or all(resident)
    verdict: Literal["flat", "grows", "unclear"] = "grows" if grows else "unclear" if any(resident) else "flat"
    return GrowthReport(size * batches, rss, uss, allocated, slopes[0] or 0.0, slopes[1], slopes[2], verdict)


def measure_growth(call: Callable[..., object], *args: object, calls: int = 4000, batches: int = 16) -> GrowthReport:
    """Whether memory grows with ``call(*args)``: a slope of 256 bytes a call or more that most batches show.

    A report's ``verdict`` is "grows", "flat" or "unclear". Raises ``ValueError`` where so few calls can show nothing.
    """

    def run(count: int) -> None:
        for _ in range(count):
            call(*args)

    return growth(run, calls=calls, batches=batches)


def _series(values: Iterable[int | None]) -> tuple[int, ...]:
    """The samples of one kind; empty when one of them is missing."""
    known = tuple(values)
    return tuple(value for value in known if value is not None) if None not in known else ()


def _slope(values: Sequence[int]) -> float:
    """Median slope per batch."""
    return statistics.median((values[j] - values[i]) / (j - i) for i, j in combinations(range(len(values)), 2))


def _climbs(values: Sequence[int]) -> bool:
    steps = [after - before for before, after in pairwise(values)]
    return sum(step > 0 for step in steps) * 2 > len(steps)


def _give_back() -> None:
    # Freed memory that the allocator still holds would take in a leak of some size without a trace.
    with suppress(AttributeError, OSError):
        ctypes.PyDLL(None).malloc_trim(0)


def _memory() -> tuple[int, int | None, int | None]:
    """Resident, unshared and allocated bytes."""
    import psutil

    process = psutil.Process(os.getpid())
    resident = int(process.memory_info().rss)
    try:
        unshared: int | None = int(process.memory_full_info().uss)
    except (psutil.Error, OSError, AttributeError, NotImplementedError):
        unshared = None
    return resident, unshared, _allocated()


class _Mallinfo(ctypes.Structure):
    _fields_ = tuple(
        (name, c_size_t)
        for name in ("arena", "free_chunks", "fast_chunks", "maps", "mapped", "_1", "_2", "used", "free", "releasable")
    )


def _allocated() -> int | None:
    """Bytes that glibc has handed out; None with another C library."""
    try:
        ask = ctypes.PyDLL(None).mallinfo2
    except (AttributeError, OSError):
        return None
    ask.restype = _Mallinfo
    state = ask()
    return int(state.used + state.mapped)
