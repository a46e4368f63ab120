"""Does memory grow with every call? A trend of the process's resident memory over many calls.

Balanced allocation and release leave no trace here; this finds leaks and arenas that grow. The slope is Theil and
Sen's, the median of all pairwise slopes, so that one jump of an arena is no trend.
"""

from __future__ import annotations

import ctypes
import gc
import os
import statistics
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Literal, NoReturn

PAGE = 4096


@dataclass(frozen=True)
class GrowthReport:
    """Resident (``rss``) and unshared (``uss``) memory in bytes, before the first batch and after each one.

    ``rss_per_call`` and ``uss_per_call`` are slopes in bytes. ``verdict`` is "grows" when both rise steadily, "flat"
    when neither does, "unclear" when they differ. ``uss`` is empty where the system does not tell it; then the
    resident memory decides.
    """

    calls: int
    rss: tuple[int, ...]
    uss: tuple[int, ...]
    rss_per_call: float
    uss_per_call: float
    verdict: Literal["flat", "grows", "unclear"]

    def __bool__(self) -> NoReturn:
        raise TypeError("a GrowthReport is no boolean: compare .verdict instead")

    def __str__(self) -> str:
        slopes = f"{self.rss_per_call:.0f} bytes resident and {self.uss_per_call:.0f} bytes unshared a call"
        return f"memory {self.verdict} over {self.calls} calls: {slopes}"


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
    rss = tuple(resident for resident, _ in samples)
    uss = tuple(unshared for _, unshared in samples if unshared is not None)
    slopes = [_slope(rss) / size, _slope(uss) / size if len(uss) == len(rss) else _slope(rss) / size]
    rising = [_rises(values, slope, threshold) for values, slope in zip((rss, uss or rss), slopes, strict=True)]
    verdict: Literal["flat", "grows", "unclear"] = "grows" if all(rising) else "unclear" if any(rising) else "flat"
    return GrowthReport(size * batches, rss, uss, slopes[0], slopes[1], verdict)


def measure_growth(call: Callable[..., object], *args: object, calls: int = 4000, batches: int = 16) -> GrowthReport:
    """The trend over ``call(*args)``."""

    def run(count: int) -> None:
        for _ in range(count):
            call(*args)

    return growth(run, calls=calls, batches=batches)


def _slope(values: Sequence[int]) -> float:
    """Median slope per batch."""
    return statistics.median((values[j] - values[i]) / (j - i) for i, j in combinations(range(len(values)), 2))


def _rises(values: Sequence[int], slope: float, threshold: float) -> bool:
    steps = [after - before for before, after in pairwise(values)]
    return slope >= threshold and sum(step > 0 for step in steps) * 2 > len(steps)


def _give_back() -> None:
    # Freed memory that the allocator still holds would take in a leak of some size without a trace.
    with suppress(AttributeError, OSError):
        ctypes.PyDLL(None).malloc_trim(0)


def _memory() -> tuple[int, int | None]:
    import psutil

    process = psutil.Process(os.getpid())
    resident = int(process.memory_info().rss)
    try:
        return resident, int(process.memory_full_info().uss)
    except (psutil.Error, OSError, AttributeError, NotImplementedError):
        return resident, None
