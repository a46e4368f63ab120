"""`python -m tests.soundness.mutation`: which places of the compiler may be broken without any check seeing it.

    python -m tests.soundness.mutation rules
    python -m tests.soundness.mutation adcore.transform.diff.reverse_sweep adcore.analysis.strong_zeros [--all]

`--all` tries the forty programs of tests/analysis/planning/programs as well.

For each mutant a process of its own; a mutant is killed by the first program whose check does not pass. Survivors are
printed with their line. Some are equivalent: they only cost time or memory (docs/dev/mutation.md).
"""

from __future__ import annotations

import copy
import importlib
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import adcore as ad
from pytest_adalloc import check_gradient
from tests.analysis.planning import goldens
from tests.soundness.mutation.functions import FUNCTIONS
from tests.soundness.mutation.mutants import mutants
from tests.soundness.mutation.programs import Program, programs
from tests.soundness.mutation.rules import broken_rules

PATIENCE = 60  # seconds a program may take: some mutants never end


def survives(apply: Callable[[], None], tried: Sequence[Program]) -> bool:
    """Whether every program's check passes after the change, in a process of its own.

    What this process has compiled before is not compiled anew there."""
    child = os.fork()
    if child == 0:
        os._exit(_in_child(apply, tried))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _in_child(apply: Callable[[], None], tried: Sequence[Program]) -> int:
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    os.environ["ADCORE_CACHE"] = "off"  # what an unbroken compiler made says nothing
    try:
        apply()
        for f, args in tried:
            signal.alarm(PATIENCE)
            check_gradient(f, *args)
            assert leaves_alike(f, args)
    except BaseException:
        return 1
    return 0


def leaves_alike(f: Callable[..., Any], args: Sequence[Any]) -> bool:
    """Whether a gradient in place leaves the arguments as the function itself does, which no check of one asks, and
    whether it is the same where nothing may be kept: what was overwritten is then put back and done again."""
    if not all(isinstance(value, (float, int, np.ndarray)) for value in args):
        return True
    own, kept, given = (copy.deepcopy(args) for _ in range(3))
    f(*own)
    usual, activities = goldens.annotated(kept), goldens.annotated(given)
    try:
        gradient = ad.compile(f, *activities, mode=ad.Reverse, workspace=0)
    except ad.WorkspaceError:
        gradient = ad.compile(f, *activities, mode=ad.Reverse)
    gradient(*activities)
    ad.autodiff(ad.Reverse, f, *usual)
    found, right = ([a.shadow for a in made if isinstance(a, ad.Duplicated)] for made in (activities, usual))
    pairs = [*zip(own, given, strict=True), *zip(right, found, strict=True)]
    return all(np.allclose(one, other, rtol=1e-9, atol=1e-12) for one, other in pairs)


def _run(name: str, changes: Sequence[tuple[Any, Sequence[Program]]]) -> list[str]:
    started, survivors = time.monotonic(), []
    for change, tried in changes:
        if survives(change.apply, tried):
            survivors.append(str(change))
            print(f"  {change}", flush=True)
    took = time.monotonic() - started
    print(f"{name}: {len(changes)} mutants, {len(survivors)} survive ({took:.0f} s)", flush=True)
    return survivors


def main(wanted: Sequence[str]) -> None:
    """Print the survivors of each part."""
    check_gradient(lambda x: x * x, 1.5)  # everything is imported now
    tried = programs("--all" in wanted)
    assert survives(lambda: None, tried), "a program does not pass as it is"
    for name in wanted:
        if name == "--all":
            continue
        if name == "rules":
            changes = [(rule, FUNCTIONS.get(rule.op, ())) for rule in broken_rules()]
            _run(name, changes)
        else:
            module = importlib.import_module(name)
            _run(name, [(mutant, tried) for mutant in mutants(module)])


if __name__ == "__main__":
    main(sys.argv[1:] or ["rules"])
