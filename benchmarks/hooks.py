"""`python -m benchmarks.hooks`: what the allocator hooks cost, as minima and medians of many repetitions.

Installation is timed in fresh processes, as time of the processor, which a busy machine distorts least. A malloc is
timed in a native loop of malloc and free, directly and through the hooks: idle, armed for another thread, and armed for
this one. The machine's other work only ever adds time, so the minimum is what the code costs, and the median what one
meets. Compare what the pair itself costs with the 7 to 8 ns of an idle machine before you compare anything else.
"""

from __future__ import annotations

import ctypes
import statistics
import sys
import time
from collections.abc import Callable

from benchmarks import timing
from benchmarks.__main__ import fresh
from pytest_adalloc.hooks import layout
from pytest_adalloc.hooks.install import jit
from pytest_adalloc.hooks.install.hooks import Hooks
from pytest_adalloc.hooks.install.process import installed

PROCESSES = 9
LOOPS = 3000
PAIRS = 2000

INSTALL = """
import time
{imports}
import llvmlite.binding
from pytest_adalloc.hooks.install.process import installed
started = time.process_time()
hooks = installed()
first = time.process_time() - started
taken = []
for _ in range(200):
    started = time.perf_counter()
    hooks.refresh(); assert not hooks.slots.lost()
    taken.append(time.perf_counter() - started)
print(first * 1e3, min(taken) * 1e3)
"""
SCIPY = "import numpy, scipy.linalg, scipy.optimize, scipy.signal, scipy.stats"

# A loop of so many pairs, through pointers, so that nothing is optimised away.
LOOP = """
target triple = "{triple}"
define void @pairs(ptr %malloc, ptr %free, i64 %count) nounwind {{
start:
  br label %next
next:
  %i = phi i64 [0, %start], [%j, %next]
  %p = call ptr %malloc(i64 64)
  call void %free(ptr %p)
  %j = add i64 %i, 1
  %more = icmp ult i64 %j, %count
  br i1 %more, label %next, label %done
done:
  ret void
}}
"""


def main() -> None:
    """Print all figures."""
    print(f"{timing.pin()}, Python {sys.version.split()[0]}; minimum and median")
    for name, imports, cache in (
        ("first installation", "", "off"),
        ("first installation, SciPy loaded", SCIPY, "off"),
        ("installation from the cache", "", None),
        ("installation from the cache, SciPy loaded", SCIPY, None),
    ):
        environment = {} if cache is None else {"ADALLOC_CACHE": cache}
        fresh(INSTALL.format(imports=imports), **environment)
        runs = [fresh(INSTALL.format(imports=imports), **environment).split() for _ in range(PROCESSES)]
        show(name, [float(run[0]) for run in runs], "ms")
        if imports and cache is None:
            show("  verifying all slots again", [float(run[1]) for run in runs], "ms")
    for name, samples in per_malloc().items():
        show(name, samples, "ns a malloc")


def show(name: str, samples: list[float], unit: str) -> None:
    print(f"  {name:44} {min(samples):8.2f} {statistics.median(samples):8.2f} {unit}", flush=True)


def per_malloc() -> dict[str, list[float]]:
    """Nanoseconds that the hooks add to a pair of malloc and free, each round compared with a direct one beside it."""
    hooks = installed()
    at = jit.link([jit.compiled(LOOP.format(triple=jit.triple()))], ["pairs"])["pairs"]
    run = ctypes.PYFUNCTYPE(None, *[ctypes.c_uint64] * 3)(at)
    originals = hooks.slots.originals
    own = {name: hooks.layers[0][f"adalloc_hook_{name}"] for name in ("malloc", "free")}
    states = {
        "idle hooks": 0,
        "hooks armed for another thread": 8,  # nobody's thread pointer
        "hooks armed for this thread": hooks.thread(),
    }
    direct: list[float] = []
    through: dict[str, list[float]] = {name: [] for name in states}
    for _ in range(LOOPS):
        direct.append(timed(lambda: run(originals["malloc"], originals["free"], PAIRS)))
        for name, armed in states.items():
            with armed_for(hooks, armed):
                through[name].append(timed(lambda: run(own["malloc"], own["free"], PAIRS)))
    # Minima are compared with the minimum, medians with the median: a difference of two noisy numbers is neither.
    figures = {"malloc and free themselves": direct}
    for name, samples in through.items():
        extra = [min(samples) - min(direct), statistics.median(samples) - statistics.median(direct)]
        figures[f"{name} add"] = [extra[0], extra[1], max(extra)]
    return figures


class armed_for:
    """The hooks armed as given, for the length of a block."""

    def __init__(self, hooks: Hooks, owner: int) -> None:
        self._hooks, self._owner = hooks, owner

    def __enter__(self) -> None:
        self._hooks.words[layout.ARMED] = self._owner

    def __exit__(self, *_: object) -> None:
        self._hooks.words[layout.ARMED] = 0


def timed(run: Callable[[], object]) -> float:
    """Nanoseconds a pair."""
    started = time.perf_counter_ns()
    run()
    return (time.perf_counter_ns() - started) / PAIRS


if __name__ == "__main__":
    main()
