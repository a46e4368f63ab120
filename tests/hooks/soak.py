"""A soak of the hooks: abuse in processes of their own, round after round, for a bounded time.

    python -m tests.hooks.soak --seconds 60             # every case at least once, then again until the time is over
    python -m tests.hooks.soak --only threads --only dlclose
    python -m tests.hooks.soak --list

A case passes when its process ends well *and* its counts are exact: where the number of allocations is known, it is
compared; where it is not, an LD_PRELOAD counter watches the same calls. The exit code is the number of cases that
failed. A case whose software is absent is skipped with the reason. The cases of `test_robustness` take part.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.hooks.test_robustness import CASES, ENVIRONMENTS, HEAD

ROOT = Path(__file__).parents[2]
SOURCES = Path(__file__).parent / "sources"
LIMIT = 120  # seconds for one process, a busy machine included
SCALE = 10  # how much longer the long cases run here than in the tests

# What a reference under LD_PRELOAD says of the same calls.
REFERENCE = """
KINDS = ("malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign", "valloc", "pvalloc")
reference = ctypes.CDLL(None)
def seen_by_hooks(report):
    totals = dict.fromkeys(KINDS, 0)
    for counts in (report.by_function, report.interpreter, report.other_threads):
        for kind in KINDS:
            totals[kind] += counts.get(kind, 0)
    return totals
def seen_by_reference():
    return {kind: reference.counter_read(number) for number, kind in enumerate(KINDS)}
def seen_with_the_loader():
    of_loader = map(reference.counter_read_loader, range(len(KINDS)))
    return {kind: count + more for (kind, count), more in zip(seen_by_reference().items(), of_loader)}
"""

# Libraries that come during the block have slots that nobody has rewritten yet: fewer are seen, and the report says so.
# What is seen is never more than there was; what the library does afterwards is seen exactly.
IMPORT = """
with record(scope="process") as allocations:
    reference.counter_watch(1)
    import {module}
    reference.counter_watch(0)
hooked, counted = seen_by_hooks(allocations), seen_with_the_loader()
assert sum(counted.values()) > 1000, counted
assert all(hooked[kind] <= counted[kind] for kind in KINDS), (hooked, counted)
assert any("loaded or unloaded inside the block" in spot for spot in allocations.blind_spots)
sound()
for _ in range(3):
    {again}  # what it loads on first use
for _ in range(5):
    with record(scope="process") as allocations:
        reference.counter_watch(1)
        {again}
        reference.counter_watch(0)
    assert seen_by_hooks(allocations) == seen_by_reference(), (seen_by_hooks(allocations), seen_by_reference())
sound()
"""


@dataclass(frozen=True)
class Case:
    """One program, what it needs, and the environment that it runs in."""

    script: str
    needs: tuple[str, ...] = ()
    preload: str = ""  # "counter", "jemalloc"
    environ: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()


OWN = {
    "import_scipy": Case(
        REFERENCE
        + IMPORT.format(module="scipy.linalg, scipy.optimize, scipy.sparse", again="scipy.linalg.lu([[1.0]])"),
        ("scipy",),
        "counter",
    ),
    "import_torch": Case(
        REFERENCE + IMPORT.format(module="torch", again="torch.ones(100).sum().item()"), ("torch",), "counter"
    ),
    "import_jax": Case(
        REFERENCE + IMPORT.format(module="jax.numpy", again="float(sys.modules['jax'].numpy.ones(100).sum())"),
        ("jax",),
        "counter",
    ),
    "threads_through_rounds_of_patching": Case("""
library.f_churn.argtypes = [ctypes.c_long]
stop = threading.Event()
def churn():
    while not stop.is_set(): library.f_churn(500)
threads = [threading.Thread(target=churn) for _ in range(4)]
for thread in threads: thread.start()
slots = installed().slots
for number in range(100 * int(sys.argv[2])):
    slots.remove(); slots.patch()
    if number % 100 == 0: sound()
stop.set()
for thread in threads: thread.join()
sound()
"""),
    "threads_are_counted_exactly": Case("""
library.f_churn.argtypes = [ctypes.c_long]
for round in range(20):
    sizes = [100 + 37 * round + n for n in range(6)]
    start, done = threading.Barrier(7), threading.Barrier(7)
    def work(size):
        start.wait(); library.f_churn(size); done.wait()
    threads = [threading.Thread(target=work, args=(size,)) for size in sizes]
    for thread in threads: thread.start()
    scope = ("thread", "process")[round % 2]
    with record(scope=scope) as allocations:
        start.wait(); library.f_churn(11); done.wait()
    for thread in threads: thread.join()
    ours = [site.count for site in allocations.sites if "paths" in site.library]
    if scope == "thread":
        assert ours == [11], allocations
        # The interpreter of the other threads allocates as well, for their locks.
        assert sum(sizes) <= allocations.other_threads["malloc"] <= sum(sizes) + 60, allocations
    else:
        assert sum(ours) == 11 + sum(sizes), allocations
"""),
    "threads_against_the_reference": Case(
        REFERENCE
        + """
library.f_churn.argtypes = [ctypes.c_long]
# The loader's own requests for a new thread have no slot, so the threads start before.
for round in range(10):
    start, done = threading.Barrier(5), threading.Barrier(5)
    def work(): start.wait(); library.f_churn(5000); done.wait()
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads: thread.start()
    time.sleep(0.05)
    with record(scope="process") as allocations:
        reference.counter_watch(1)
        start.wait(); done.wait()
        time.sleep(0.05)
        reference.counter_watch(0)
    for thread in threads: thread.join()
    assert seen_by_hooks(allocations) == seen_by_reference(), (seen_by_hooks(allocations), seen_by_reference())
""",
        preload="counter",
    ),
    "signals_against_the_reference": Case(
        REFERENCE
        + """
import signal
seen = []
signal.signal(signal.SIGALRM, lambda *_: (seen.append(1), library.p_calloc(None)))
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
while len(seen) < 500:
    before = len(seen)
    with record() as allocations:
        began = len(seen)
        for _ in range(300): library.p_malloc(None)
        inside = len(seen) - began
    late = len(seen) - before + 1
    assert allocations.by_function["malloc"] == 300, allocations
    assert inside - 1 <= allocations.by_function.get("calloc", 0) <= late, (str(allocations), inside, late)
signal.setitimer(signal.ITIMER_REAL, 0)
""",
        preload="counter",
    ),
    "dlclose": Case("""
import _ctypes, shutil, tempfile
with tempfile.TemporaryDirectory() as directory:
    for number in range(60):
        path = f"{directory}/copy{number % 3}.so"
        shutil.copy(sys.argv[1], path)
        copy = ctypes.CDLL(path)
        address_of = lambda name: ctypes.cast(getattr(copy, name), ctypes.c_void_p).value
        assert measure_native(address_of("p_malloc"), 0, calls=3, witness=False).allocs_per_call == (1, 1, 1)
        with record() as allocations:
            copy.p_strdup(None)
            _ctypes.dlclose(copy._handle)
            library.p_malloc(None)
        assert allocations.by_function.get("malloc", 0) >= 2, allocations
        sound()
        os.remove(path)
"""),
    "fork_of_many_children": Case("""
for number in range(30):
    with record() as allocations:
        child = os.fork()
        if child == 0:
            for _ in range(100): library.p_malloc(None)
            os._exit(0)
        library.p_malloc(None)
        assert os.waitpid(child, 0)[1] == 0
    assert allocations.by_function == {"malloc": 1}, allocations
sound()
"""),
    "exit_while_armed_in_every_scope": Case("""
for scope in ("thread", "process"):
    recording = record(scope=scope); recording.__enter__()
    if os.fork() == 0: sys.exit(0)
    assert os.wait()[1] == 0
    recording.__exit__(None, None, None)
recording = record(scope="process"); recording.__enter__()
import atexit; atexit.register(library.p_malloc, None)
"""),
    # Not by its timer: that one reads frames of running threads, which ends plain Python programs as well.
    "faulthandler_dumps_while_armed": Case("""
import faulthandler, signal, tempfile
faulthandler.enable()
with tempfile.TemporaryFile() as file:
    faulthandler.register(signal.SIGUSR1, file=file)
    for _ in range(200):
        with record() as allocations:
            for _ in range(25): library.p_malloc(None)
            os.kill(os.getpid(), signal.SIGUSR1)
            faulthandler.dump_traceback(file=file)
            for _ in range(25): library.p_malloc(None)
        assert allocations.by_function == {"malloc": 50}, allocations
    file.seek(0)
    assert file.read().count(b"most recent call first") >= 400
sound()
"""),
    "memray_counts_the_same": Case(
        """
import memray, tempfile
for native in (False, True):
    path = tempfile.mktemp(suffix=".bin")
    sound()
    with memray.Tracker(path, native_traces=native, trace_python_allocators=False):
        with record() as allocations:
            for _ in range(123): library.p_malloc(None)
        sound()
    # What the profiler itself allocates meanwhile is named as such.
    assert [site.count for site in allocations.sites if "paths" in site.library] == [123], allocations
    assert all("paths" in site.library or "memray" in site.library for site in allocations.sites), allocations
    sound()
    seen = [r for r in memray.FileReader(path).get_allocation_records() if r.size == 100]
    assert sum(r.n_allocations for r in seen) >= 123, len(seen)
    os.remove(path)
""",
        ("memray",),
    ),
    "memray_started_inside": Case(
        """
import memray, tempfile
path = tempfile.mktemp(suffix=".bin")
sound()
# It takes the slots over and gives back what it found at its own start: a window that it ends in is dead, and says so.
try:
    with record() as allocations:
        tracker = memray.Tracker(path); tracker.__enter__()
        for _ in range(50): library.p_malloc(None)
        tracker.__exit__(None, None, None)
except HooksDead as error:
    assert "dead" in str(error) or "lost their hook" in str(error), error
else:
    assert sum(site.count for site in allocations.sites if "paths" in site.library) == 50, allocations
os.remove(path)
sound()
""",
        ("memray",),
    ),
    "jemalloc": Case(
        """
for name in ("p_malloc", "p_calloc", "p_posix_memalign", "p_aligned_alloc", "p_memalign", "p_valloc"):
    report = measure_native(address(name), 0, calls=20)
    assert report.allocs_per_call == (1,) * 20, report
    assert not report.disagreement, report
import numpy as np
assert measure(lambda: np.zeros(5000), calls=10).allocs_per_call == (1,) * 10
sound()
""",
        preload="jemalloc",
    ),
    "a_preloaded_counter_counts_on": Case(
        REFERENCE
        + """
for name in ("p_malloc", "p_calloc", "p_realloc", "p_strdup", "p_valloc"):
    function = getattr(library, name)
    with record() as allocations:
        reference.counter_watch(1)
        for _ in range(200): function(None)
        reference.counter_watch(0)
    assert seen_by_hooks(allocations) == seen_by_reference()
""",
        preload="counter",
    ),
    "nested_records_in_every_scope": Case("""
library.f_churn.argtypes = [ctypes.c_long]
for round in range(30):
    scope = ("thread", "process")[round % 2]
    with record(scope=scope) as outer:
        library.f_churn(5)
        with record(scope=scope) as middle:
            library.f_churn(7)
            with record(scope=scope) as inner:
                library.f_churn(round)
            library.f_churn(2)
        library.f_churn(1)
    counts = [r.by_function.get("malloc", 0) for r in (outer, middle, inner)]
    assert counts == [15 + round, 9 + round, round], (counts, round)
    try:
        with record(scope=scope), record(scope=("process", "thread")[round % 2]): pass
    except HooksBusy: pass
    else: raise AssertionError("scopes were mixed")
"""),
    "spawned_pools": Case("""
import multiprocessing
def work(n):
    before = measure_native(address("p_malloc"), 0, calls=n, witness=False)
    return before.allocs_per_call == (1,) * n
if __name__ == "__main__":
    with record():
        for method in ("spawn", "forkserver", "fork"):
            with multiprocessing.get_context(method).Pool(2) as pool:
                assert all(pool.map(work, range(1, 7)))
    sound()
"""),
}


def cases() -> dict[str, Case]:
    """All cases by name."""
    shared = {name: Case(text, environ=ENVIRONMENTS.get(name, {})) for name, text in CASES.items()}
    return {**shared, **OWN}


@dataclass(frozen=True)
class Bench:
    """The compiled helpers of a soak."""

    directory: Path
    library: Path
    counter: Path

    @classmethod
    def built(cls, directory: Path) -> Bench:
        """Compile them. Raises SystemExit when there is no compiler."""
        compiler = shutil.which("gcc") or shutil.which("cc")
        if compiler is None:
            raise SystemExit("the soak needs a C compiler")
        paths = []
        for source in ("paths.c", "counter.c"):
            path = directory / f"lib{source}.so"
            options = ["-O1", "-fno-builtin", "-Wno-deprecated-declarations", "-shared", "-fPIC", "-pthread"]
            subprocess.run([compiler, *options, str(SOURCES / source), "-o", str(path), "-ldl"], check=True)
            paths.append(path)
        return cls(directory, *paths)


def obstacle(case: Case) -> str:
    """Why a case cannot run here; empty when it can."""
    absent = [name for name in case.needs if importlib.util.find_spec(name) is None]
    if absent:
        return f"{', '.join(absent)} is not installed"
    return "jemalloc is not installed" if case.preload == "jemalloc" and not _jemalloc() else ""


def run(name: str, case: Case, bench: Bench, scale: int = 1) -> str:
    """Run a case once, the long ones with `scale` times as many rounds; what went wrong, empty when nothing did."""
    script = bench.directory / f"{name}.py"
    script.write_text(
        HEAD + "from pytest_adalloc.hooks import HooksBusy, HooksDead\n" + case.script + '\nprint("end of", __name__)\n'
    )
    environ = {**os.environ, **case.environ}
    environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    preload = {"counter": str(bench.counter), "jemalloc": _jemalloc()}.get(case.preload)
    if preload:
        environ["LD_PRELOAD"] = preload
    command = [sys.executable, str(script), str(bench.library), str(scale)]
    try:
        ended = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=LIMIT * scale, check=False)
    except subprocess.TimeoutExpired:
        return f"did not end within {LIMIT * scale} s"
    if ended.returncode == 0 and ended.stdout.endswith("end of __main__\n"):
        return ""
    return f"exit code {ended.returncode}\n{ended.stdout[-500:]}{ended.stderr[-3000:]}"


def _jemalloc() -> str:
    named = os.environ.get("ADALLOC_TEST_JEMALLOC", "")
    places = [str(path) for root in ("/usr/lib", "/usr/local/lib") for path in Path(root).glob("*/libjemalloc.so.2")]
    return named or next(iter(places), "")


def rounds(names: Sequence[str], seconds: float) -> Iterator[str]:
    """Every name once, then again and again until the time is over."""
    end = time.monotonic() + seconds
    yield from names
    while names and time.monotonic() < end:
        for name in names:
            if time.monotonic() >= end:
                return
            yield name


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the soak and print what happened; the number of cases that failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.hooks.soak", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="how long; every case runs once in any case")
    parser.add_argument("--only", action="append", default=[], metavar="TEXT", help="cases whose name contains this")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    options = parser.parse_args(arguments)
    chosen = {name: case for name, case in cases().items() if not options.only or any(t in name for t in options.only)}
    if options.list:
        print("\n".join(chosen))
        return 0
    absent = {name: reason for name, case in chosen.items() if (reason := obstacle(case))}
    passed = dict.fromkeys((name for name in chosen if name not in absent), 0)
    failed: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench.built(Path(directory))
        for name in rounds(list(passed), options.seconds):
            problem = run(name, chosen[name], bench, SCALE)
            passed[name] += not problem
            if problem and name not in failed:
                failed[name] = problem
                print(f"FAILED {name}: {problem}", flush=True)
    for name, count in passed.items():
        print(f"{count:>5} x {name}" + (" (failed)" if name in failed else ""))
    for name, reason in absent.items():
        print(f"skipped {name}: {reason}")
    print(f"{len(passed) - len(failed)} passed, {len(failed)} failed, {len(absent)} skipped")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
