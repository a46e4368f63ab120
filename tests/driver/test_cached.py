"""Processes that share a cache: warm ones compile nothing, damaged entries are compiled again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
import numpy as np
import adcore as ad
from adcore.driver import stages
from tests.driver import programs

emitted = []
emit = stages.emit
stages.emit = lambda *args: emitted.append(1) or emit(*args)
x = np.array([1.0, 2.0, 3.0])
print(ad.grad(programs.rosenbrock)(x).tolist(), ad.compile(programs.squares, x, mode=ad.Primal).certificate.proven)
print(len(emitted))
"""
ROOT = Path(__file__).parents[2]


def run(cache: Path | str) -> tuple[str, int]:
    environment = {**os.environ, "ADCORE_CACHE": str(cache), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment, check=True)
    values, count = done.stdout.splitlines()
    return values, int(count)


@pytest.mark.slow
def test_warm_processes_compile_nothing_and_damage_is_repaired(tmp_path: Path) -> None:
    expected = "[-400.0, 1002.0, -200.0] True"
    assert run(tmp_path) == (expected, 2)
    assert run(tmp_path) == (expected, 0)
    entries = sorted(tmp_path.glob("*.o"))
    for k, path in enumerate(entries):
        data = bytearray(path.read_bytes())
        data[len(data) * (k + 1) // (len(entries) + 1)] ^= 0x10
        path.write_bytes(bytes(data))
    assert run(tmp_path) == (expected, 2)
    assert run(tmp_path) == (expected, 0)


@pytest.mark.parametrize("cache", ["off", ""])
def test_without_a_cache(cache: str) -> None:
    assert run(cache) == ("[-400.0, 1002.0, -200.0] True", 2)
