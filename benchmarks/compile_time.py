"""How long compiling takes: fixed programs against the bars that were set for them, and how it grows with the program.

All figures are processor seconds. Cold: a new process compiles a small program first, so that LLVM is loaded, then
nothing is in the cache. Growth: the exponent of the best power law through all sizes, and that of the last step, which
the constant part of small programs cannot hide.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
SIZES = (10, 50, 200, 1000, 5000)
PATIENCE = 300.0
"""Seconds after which a measurement is given up."""


@dataclass(frozen=True)
class Row:
    """A program, the seconds that it took before compile time was worked on, and the bar that was set then."""

    title: str
    program: str
    before: str
    bar: float


COLD_ROWS = (
    Row("sum of squares", "sum of squares", "0.020", 0.012),
    Row("Rosenbrock", "Rosenbrock", "0.029", 0.017),
    Row("x'Ax", "x'Ax", "0.034", 0.020),
    Row("logsumexp", "logsumexp", "0.063", 0.038),
    Row("n-body", "n-body", "0.055", 0.033),
    Row("three-layer perceptron in NumPy", "perceptron", "1.8", 0.5),
    Row("1,000 scalar statements", "scalars_1000", "1.6", 0.6),
    Row("5,000 scalar statements", "scalars_5000", "30", 3.5),
    Row("200 loops, 1,000 statements", "loops_1000", "28", 5.0),
    Row("1,000 loops, 5,000 statements", "loops_5000", "> 1000", 28.0),
    Row("pressure projection with np.roll", "projection", "3.4-20", 0.8),
)
WARM_ROWS = (Row("Rosenbrock", "Rosenbrock", "0.25", 0.11), Row("perceptron", "perceptron", "0.49", 0.11))
EXPLAINED = ("Rosenbrock", "n-body", "Runge-Kutta", "Burgers", "mixture", "perceptron")

COLD = """
import sys, time, numpy as np, adcore as ad
from benchmarks.compile_programs import program
def given(made):
    return [ad.Duplicated(a, np.zeros_like(a)) if k in made.active else ad.Const(a) for k, a in enumerate(made.args)]
small, made = program("warm-up"), program(sys.argv[1])
ad.compile(small.f, *given(small), mode=ad.ReverseWithPrimal)
arguments = given(made)
started = time.process_time()
ad.compile(made.f, *arguments, mode=ad.ReverseWithPrimal)
print(time.process_time() - started)
"""

FIRST_GRADIENT = """
import sys, time
import numpy
started = time.process_time()
from benchmarks.compile_programs import program
made = program(sys.argv[1])
programs = time.process_time() - started
import adcore as ad
ad.value_and_grad(made.f, wrt=made.active)(*made.args)
print(time.process_time() - programs)
"""

CHECK = """
import sys, time, numpy as np, adcore as ad, pytest_adalloc
from benchmarks.compile_programs import program
made, small = program(sys.argv[1]), program("warm-up")
handle = type(ad.compile(small.f, ad.Duplicated(small.args[0], np.zeros(4))))
explain, spent = handle.explain, [0.0]
def timed(self):
    started = time.process_time()
    try:
        return explain(self)
    finally:
        spent[0] += time.process_time() - started
handle.explain = timed
pytest_adalloc.check(made.f, *made.args)
spent[0], started = 0.0, time.process_time()
pytest_adalloc.check(made.f, *made.args)
print(spent[0] / (time.process_time() - started))
"""


def compile_time(largest: int = SIZES[-1]) -> None:
    """Print everything; of the families, and of rows that have a size, programs of at most `largest` statements."""
    rows = [row for row in COLD_ROWS if _size(row.program) <= largest]
    _rows("gradient with value, cold", rows, COLD, ADCORE_CACHE="off")
    with tempfile.TemporaryDirectory() as cache:
        # Python's own compiled files as well, whatever the caller's settings are.
        warm = {"ADCORE_CACHE": cache, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": f"{cache}/modules"}
        for row in WARM_ROWS:
            _seconds(FIRST_GRADIENT, row.program, **warm)
        _rows("new process to first gradient, everything in the cache", WARM_ROWS, FIRST_GRADIENT, **warm)
        print("\nshare of a warm check that goes into an explanation which nobody reads")
        for name in EXPLAINED:
            share = _seconds(CHECK, name, ADCORE_CACHE=cache)
            print(f"  {name:34} {'-' if share is None else f'{share:.0%}':>8}", flush=True)
    _growth(largest)


def _rows(title: str, rows: Sequence[Row], code: str, **environment: str) -> None:
    print(f"\n{title}, processor seconds\n  {'':34} {'before':>8} {'now':>8} {'bar':>8}")
    for row in rows:
        found = _least(code, row.program, **environment)
        now = "none" if found is None else f"{found:.3f}"
        verdict = "" if found is not None and found <= row.bar else "  over the bar"
        print(f"  {row.title:34} {row.before:>8} {now:>8} {row.bar:>8.3f}{verdict}", flush=True)


def _growth(largest: int) -> None:
    sizes = [size for size in SIZES if size <= largest]
    print("\ngrowth with the number of statements, cold, processor seconds; exponents: all sizes, the last step")
    print("  {:10}".format("") + "".join(f"{size:>9}" for size in sizes) + f"{'all':>8}{'last':>7}")
    for family in ("scalars", "loops", "calls", "arrays"):
        found = []
        for size in sizes:
            seconds = _seconds(COLD, f"{family}_{size}", ADCORE_CACHE="off")
            if seconds is None:
                break
            found.append(seconds)
        figures = "".join(f"{seconds:9.3f}" for seconds in found) + f"{'-':>9}" * (len(sizes) - len(found))
        exponents = (_exponent(sizes[: len(found)], found), _exponent(sizes[: len(found)][-2:], found[-2:]))
        print(f"  {family:10}{figures}{exponents[0]:8.2f}{exponents[1]:7.2f}", flush=True)


def _exponent(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """The slope of the least-squares line through the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0]) if len(seconds) > 1 else float("nan")


def _size(program: str) -> int:
    size = program.rsplit("_", 1)[-1]
    return int(size) if size.isdigit() else 0


def _least(code: str, program: str, **environment: str) -> float | None:
    """The least of several runs in processes of their own, fewer where one takes long."""
    best = _seconds(code, program, **environment)
    for _ in range(4 if best is not None and best < 1.0 else 0):
        again = _seconds(code, program, **environment)
        best = min(best, again) if best is not None and again is not None else best
    return best


def _seconds(code: str, program: str, **environment: str) -> float | None:
    """The number that a new interpreter prints; None where it takes too long, or fails."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, program],
            cwd=ROOT,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        print(f"{program} failed: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    return float(done.stdout)
