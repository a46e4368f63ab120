"""Random programs: Python, the interpreter of the IR and machine code agree, and so do their derivatives."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz.checks import check, innermost, usual_depth
from tests.fuzz.programs import draw

FEWEST_CHECKED = 0.9
"""So many of the programs have to be compiled: a generator of refused programs would prove nothing."""


def test_random_programs(seeds: range, tmp_path: Path) -> None:
    refused, failures = 0, []
    for seed in seeds:
        program = draw(seed)
        try:
            refused += bool(check(program, tmp_path, usual_depth(seed)).refused)
        except Exception as error:
            failures.append(f"seed {seed}: {innermost(error)}")
    assert not failures, "\n".join(failures)
    assert refused <= (1 - FEWEST_CHECKED) * len(seeds)
