"""`python -m benchmarks [name ...]`: time gradients against hand-written C, then the compiler and the plugin.

`planning` among the names times planning of large programs. `compile` times compiling, against the bars set for it and
for programs of growing size; `compile 1000` leaves out programs of more than 1,000 statements."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import adcore as ad
import pytest_adalloc
from benchmarks import timing
from benchmarks.compile_time import compile_time
from benchmarks.kernels import Kernel, kernels, rosenbrock
from benchmarks.planning import planning

ROOT = Path(__file__).parents[1]


def main(names: list[str]) -> None:
    """Print all figures, or those of the kernels named, of `planning` and of `compile`."""
    print(f"{timing.pin()}, Python {sys.version.split()[0]}, NumPy {np.__version__}, load {os.getloadavg()[0]:.1f}")
    chosen = [kernel for kernel in kernels() if not names or kernel.name in names]
    if timing.peers(fast=True) is None:
        print("no C compiler: no hand-written twins, and calls are timed through Python")
    if chosen:
        gradients(chosen)
    if not names:
        overheads(chosen)
    if not names or "planning" in names:
        planning()
    if "compile" in names:
        compile_time(*(int(name) for name in names if name.isdigit()))


def gradients(chosen: list[Kernel]) -> None:
    """One line a kernel: value and gradient in one call, shadows cleared, written arguments restored."""
    print("\ngradient with value, medians; ratios to C, -O3 -march=native, the better of with and without -ffast-math")
    head = (
        "kernel",
        "size",
        "C primal",
        "our primal",
        "gradient",
        "C adjoint",
        "grad/C",
        "hand/C",
        "workspace",
        "cold",
    )
    print("{:15} {:>11} {:>10} {:>10} {:>10} {:>10} {:>7} {:>7} {:>11} {:>8}".format(*head))
    for kernel in chosen:
        print(line(kernel), flush=True)


def line(kernel: Kernel) -> str:
    """The figures of one kernel."""
    cold = cold_compile(kernel)
    primal, _ = timing.ours(kernel, gradient=False)
    gradient, handle = timing.ours(kernel, gradient=True)
    contestants = {"primal": primal, "gradient": gradient}
    for fast in (False, True):
        for name, adjoint in (("C primal", False), ("C adjoint", True)):
            if (twin := timing.theirs(kernel, adjoint, fast)) is not None:
                contestants[f"{name} {fast}"] = twin[0]
    for name, f in zip(("NumPy primal", "NumPy gradient"), kernel.numpy, strict=False):
        contestants[name] = timing.blas(f, kernel)
    found = timing.medians(contestants)
    best = {name: min((v for k, v in found.items() if k.startswith(name)), default=0.0) for name in ("C p", "C a")}
    own = found["gradient"]
    ratio, hand = (f"{v / best['C p']:.2f}" if best["C p"] and v else "-" for v in (own, best["C a"]))
    blas = "".join(f"\n{'':15} {name}: {ns(v)}" for name, v in found.items() if name.startswith("NumPy"))
    return (
        f"{kernel.name:15} {kernel.size:>11} {ns(best['C p']):>10} {ns(found['primal']):>10} {ns(own):>10} "
        f"{ns(best['C a']):>10} {ratio:>7} {hand:>7} {handle.workspace_bytes or 0:>9} B {cold:>5.0f} ms{blas}"
    )


def ns(value: float) -> str:
    """Nanoseconds, readable."""
    for unit, size in (("ms", 1e6), ("us", 1e3)):
        if value >= size:
            return f"{value / size:.2f} {unit}"
    return f"{value:.1f} ns" if value else "-"


COLD = """
import time, numpy as np, adcore as ad
from benchmarks.kernels import kernels, squared
ad.compile(squared, ad.Active(1.0))(1.0)
kernel = next(k for k in kernels() if k.name == {name!r})
given = [ad.Duplicated(a, np.zeros_like(a)) if k in kernel.active else ad.Const(a) for k, a in enumerate(kernel.args)]
started = time.perf_counter()
ad.compile(kernel.f, *given, mode=ad.ReverseWithPrimal)
print((time.perf_counter() - started) * 1e3)
"""


def cold_compile(kernel: Kernel, repeats: int = 3) -> float:
    """Milliseconds from the Python function to the linked gradient, nothing cached, the libraries already loaded."""
    return statistics.median(
        float(fresh(COLD.format(name=kernel.name), ADCORE_CACHE=tempfile.mkdtemp())) for _ in range(repeats)
    )


def fresh(code: str, **environment: str) -> str:
    """What a new interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def overheads(chosen: list[Kernel]) -> None:
    """What a call, a check, and the plugin's presence cost."""
    print("\noverheads, medians")
    x, shadow = np.array([1.0, 2.0]), np.zeros(2)
    handle = ad.compile(rosenbrock, ad.Duplicated(x, shadow))
    bound = handle.bind(x, shadow)
    print(f"  bound call of a two-element gradient      {per_call(bound):8.1f} ns")
    print(
        f"  the same handle called with its arrays    {per_call(lambda: handle(x, shadow)):8.1f} ns, a lambda included"
    )
    print(f"  an empty lambda, for comparison           {per_call(lambda: None):8.1f} ns")
    x = np.linspace(-1.0, 1.0, 8)
    pytest_adalloc.check(rosenbrock, x)
    check = milliseconds(lambda: pytest_adalloc.check(rosenbrock, x))
    print(f"  check of a small function, warm           {check:8.1f} ms")
    print(f"  import of the plugin in a pytest run      {import_time():8.2f} ms")


def per_call(f: Callable[[], Any], calls: int = 200_000) -> float:
    """Nanoseconds a call from Python, the loop's own taken off."""
    from itertools import repeat

    def run(g: Callable[[], Any] | None) -> float:
        started = time.perf_counter_ns()
        if g is None:
            for _ in repeat(None, calls):
                pass
        else:
            for _ in repeat(None, calls):
                g()
        return (time.perf_counter_ns() - started) / calls

    return statistics.median(run(f) - run(None) for _ in range(timing.REPEATS))


def milliseconds(f: Callable[[], Any]) -> float:
    taken = []
    for _ in range(timing.REPEATS):
        started = time.perf_counter()
        f()
        taken.append((time.perf_counter() - started) * 1e3)
    return statistics.median(taken)


IMPORT = """
import time, pytest, inspect, dataclasses, contextlib
started = time.perf_counter()
import pytest_adalloc.plugin
print((time.perf_counter() - started) * 1e3)
"""


def import_time() -> float:
    return statistics.median(float(fresh(IMPORT)) for _ in range(timing.REPEATS))


if __name__ == "__main__":
    main(sys.argv[1:])
