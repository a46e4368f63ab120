"""Run random programs: `python -m tests.fuzz --count 5000 --seed 1`."""

from __future__ import annotations

import argparse
import collections
import tempfile
import time
from pathlib import Path

from tests.fuzz.checks import THOROUGH, Mismatch, check, innermost, usual_depth
from tests.fuzz.programs import draw


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--thorough", action="store_true", help="all checks for every program")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long")
    parser.add_argument("--keep", type=Path, help="folder for the sources of programs that fail")
    options = parser.parse_args()
    counts: collections.Counter[str] = collections.Counter()
    failures: list[tuple[int, str]] = []
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(options.seed, options.seed + options.count):
            if time.perf_counter() - started > options.seconds:
                break
            counts["drawn"] += 1
            program = draw(seed)
            try:
                report = check(program, Path(folder), THOROUGH if options.thorough else usual_depth(seed))
            except Exception as error:
                text = str(error) if isinstance(error, Mismatch) else innermost(error)
                failures.append((seed, text))
                print(f"seed {seed}: {text[:1500]}", flush=True)
                if options.keep:
                    options.keep.mkdir(parents=True, exist_ok=True)
                    (options.keep / f"program_{seed}.py").write_text(program.source)
                continue
            counts["run"] += 1
            counts.update(report.checks)
            counts.update(["refused"] if report.refused else [])
            counts.update([f"raises {report.raised}"] if report.raised else [])
            if report.refused:
                print(f"seed {seed}: refused: {report.refused}", flush=True)
    seconds = time.perf_counter() - started
    print(f"{counts.pop('drawn', 0)} programs from seed {options.seed} in {seconds:.0f} s: {len(failures)} failed")
    print(", ".join(f"{name} {n}" for name, n in sorted(counts.items())))
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
