"""Random programs: Python, the interpreter of the IR and machine code agree, and so do their derivatives."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz.checks import GRADIENT, PRIMAL, THOROUGH, check
from tests.fuzz.programs import draw

FEWEST_CHECKED = 0.9
"""So many of the programs have to be compiled: a generator of refused programs would prove nothing."""


def depth(seed: int) -> int:
    """Most programs are checked with their gradient, some as far as it goes."""
    return (THOROUGH, GRADIENT, PRIMAL, GRADIENT, PRIMAL)[seed % 5]


def test_random_programs(fuzz_count: int, fuzz_seed: int, tmp_path: Path) -> None:
    refused, failures = 0, []
    for seed in range(fuzz_seed, fuzz_seed + fuzz_count):
        program = draw(seed)
        try:
            refused += bool(check(program, tmp_path, depth(seed)).refused)
        except Exception as error:
            failures.append(f"seed {seed}: {error}")
    assert not failures, "\n".join(failures)
    assert refused <= (1 - FEWEST_CHECKED) * fuzz_count
