"""How long planning takes for large programs: from the simplified IR to the plan, and the compiler up to LLVM."""

from __future__ import annotations

import gc
import inspect
import statistics
import time
from collections.abc import Callable

import numpy as np

from adcore.analysis.affine.dependence import AliasClasses
from adcore.analysis.planning.facts import analyse
from adcore.analysis.planning.plan import Plan, Planner
from adcore.driver.pipeline import LOWERED, SIMPLIFIED, compile_request
from adcore.driver.request import Request, Sweep
from adcore.ir import Function
from adcore.ir.core import walk
from adcore.ops import TABLE
from adcore.runtime.values.arguments import signature
from benchmarks.large_programs import Large, large_programs

REPEATS = 3


def planning() -> None:
    """One line a program. Seconds are processor time; `compiler` is everything up to LLVM IR, planning included."""
    print("\nplanning of large programs; pairs: loads x stores to the same array, tests: those left to Fourier-Motzkin")
    head = ("program", "instructions", "loads", "stores", "pairs", "tests", "planning", "compiler")
    print("{:18} {:>12} {:>7} {:>7} {:>8} {:>6} {:>10} {:>10}".format(*head))
    for large in large_programs():
        print(_line(large), flush=True)


def _line(large: Large) -> str:
    function = large.function()
    given = signature(list(inspect.signature(function).parameters), large.args)
    kinds = tuple("duplicated" if np.asarray(a).dtype == float else "const" for a in large.args)
    request = Request(function, given, (Sweep("reverse", kinds, (True,)),))
    started = time.process_time()
    program: Function = compile_request(request, until=LOWERED).product(SIMPLIFIED)
    compiler = time.process_time() - started
    seconds, (made, _) = _median(lambda: _planned(program, kinds))
    loads = [i for i in walk(program.region) if i.op == "load"]
    pairs = sum(len(made.kills.reaching(load)) for load in loads)
    count, tests = len(made.structure.instructions()), made.dependence.conflicts.tests
    return (
        f"{large.name:18} {count:>12} {len(loads):>7} {len(made.stores):>7} {pairs:>8} {tests:>6} "
        f"{seconds:>8.3f} s {compiler:>8.2f} s"
    )


def _planned(function: Function, kinds: tuple[str, ...]) -> tuple[Planner, Plan]:
    made = analyse(function, kinds, (True,), AliasClasses(), TABLE)
    return made, made.plan()


def _median(run: Callable[[], tuple[Planner, Plan]]) -> tuple[float, tuple[Planner, Plan]]:
    taken = []
    for _ in range(REPEATS):
        gc.collect()
        started = time.process_time()
        result = run()
        taken.append(time.process_time() - started)
    return statistics.median(taken), result
