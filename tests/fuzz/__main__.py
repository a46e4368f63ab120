"""Run random programs: `python -m tests.fuzz --count 5000 --seed 1 --log fuzz.jsonl`.

Every program goes through every check. Programs run in processes of a hundred, so that machine code which crashes or
does not end is one failed program, not the end of the run. With `--log` each result is a line of a file, and a run that
was interrupted goes on where it stopped. At the end stands what the programs were like; a run of at least a thousand in
which a feature never occurred (`tests/fuzz/features.py`) has failed.
"""

from __future__ import annotations

import argparse
import collections
import gc
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.fuzz.features import REQUIRED

CHUNK = 100
LONGEST = 600
"""Seconds after which a program is taken not to end."""
REPRESENTATIVE = 1000
"""From so many programs on, every feature has to occur."""

Record = dict[str, Any]


def main() -> int:
    options = _options()
    if options.worker:
        return worker(range(options.seed, options.seed + options.count))
    records = resumed(options.log, options.seed, options.count)
    if records:
        print(f"{len(records)} programs are in {options.log} already")
    started = time.perf_counter()
    missing = [s for s in range(options.seed, options.seed + options.count) if s not in records]
    for record in run(missing, started + options.seconds):
        records[record["seed"]] = record
        if options.log:
            with options.log.open("a") as log:
                log.write(json.dumps(record) + "\n")
        if record.get("failure"):
            print(f"seed {record['seed']}: {record['failure'][:1500]}", flush=True)
    print(f"{time.perf_counter() - started:.0f} s for {len(missing)} programs")
    return summary(records, options.seed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long")
    parser.add_argument("--log", type=Path, help="file of results, one a line; what it holds is not run again")
    parser.add_argument("--worker", action="store_true", help="run in this process and print results")
    return parser.parse_args()


def resumed(log: Path | None, first: int, count: int) -> dict[int, Record]:
    """Results of an earlier run."""
    if log is None or not log.exists():
        return {}
    found = [json.loads(line) for line in log.read_text().splitlines()]
    return {record["seed"]: record for record in found if first <= record["seed"] < first + count}


def run(seeds: Sequence[int], until: float) -> Iterator[Record]:
    """Results of the programs, from one process after the other."""
    todo = list(seeds)
    while todo and time.perf_counter() < until:
        end = next((k for k in range(1, min(CHUNK, len(todo))) if todo[k] != todo[0] + k), min(CHUNK, len(todo)))
        chunk, todo = todo[:end], todo[end:]
        for record in from_process(chunk, until):
            yield record
            chunk.remove(record["seed"])
        todo = chunk + todo


def from_process(seeds: Sequence[int], until: float) -> Iterator[Record]:
    """Results of consecutive seeds; the last one tells of a crash, if the process ends before its time."""
    command = [sys.executable, "-m", "tests.fuzz", "--worker", "--seed", str(seeds[0]), "--count", str(len(seeds))]
    done = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            yield json.loads(line)
            done += 1
            if time.perf_counter() > until:
                process.kill()
                return
    if done < len(seeds):
        status = process.returncode
        why = f"it did not end in {LONGEST} s" if status == -signal.SIGALRM else f"the process ended with {status}"
        yield {"seed": seeds[done], "failure": why, "checks": [], "features": []}


def worker(seeds: Sequence[int]) -> int:
    """Check programs in this process; one line of JSON each."""
    from tests.fuzz.programs import draw

    # Most of what lives is imported modules; looking through them again and again takes a tenth of the time.
    gc.collect()
    gc.freeze()
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            signal.alarm(LONGEST)  # nobody handles it: it ends the process, even one that is in machine code
            print(json.dumps(checked(draw(seed), Path(folder))), flush=True)
    return 0


def checked(program: Any, folder: Path) -> Record:
    """All checks of one program, as a record."""
    from tests.fuzz.checks import Mismatch, check, innermost

    try:
        report = check(program, folder)
    except Exception as error:
        text = str(error) if isinstance(error, Mismatch) else innermost(error)
        return {"seed": program.seed, "failure": text, "checks": [], "features": []}
    record: Record = {
        "seed": program.seed, "checks": sorted(set(report.checks)), "features": sorted(report.features),
    }  # fmt: skip
    return {**record, **{k: v for k, v in (("refused", report.refused), ("raised", report.raised)) if v}}


def summary(records: dict[int, Record], seed: int) -> int:
    """Print what was run, what it was like and what failed; the status of the run."""
    failed = [r for r in records.values() if r.get("failure")]
    count = max(len(records), 1)
    print(f"{len(records)} programs from seed {seed}: {len(failed)} failed")
    for title, key in (("checks passed", "checks"), ("programs and gradients with", "features")):
        counts = collections.Counter(name for record in records.values() for name in record[key])
        print(f"{title}: " + ", ".join(f"{name} {100 * n / count:.1f}%" for name, n in counts.most_common()))
    for key in ("refused", "raised"):
        print(f"{key}: {100 * sum(key in r for r in records.values()) / count:.1f}%")
    reasons = collections.Counter(r["refused"] for r in records.values() if "refused" in r)
    for why, n in reasons.most_common(12):
        print(f"  {n} refused: {why}")
    seen = {name for record in records.values() for name in record["features"]}
    never = sorted(REQUIRED - seen) if len(records) >= REPRESENTATIVE else []
    if never:
        print(f"never seen: {', '.join(never)}")
    for record in failed:
        print(f"failed: seed {record['seed']}: {record['failure'][:300]}")
    return 1 if failed or never else 0


if __name__ == "__main__":
    raise SystemExit(main())
