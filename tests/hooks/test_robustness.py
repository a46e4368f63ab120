"""Abuse, each case in a process of its own with a time limit: no crash, no lost count, no invented one.

``ADALLOC_TEST_SOAK=N`` multiplies the rounds of the long cases.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.samples import sample

SOAK = int(os.environ.get("ADALLOC_TEST_SOAK", "1"))

HEAD = """
import ctypes, os, sys, threading, time
from pytest_adalloc.hooks import measure, measure_native, record, forbid
from pytest_adalloc.hooks.install.process import installed
library = ctypes.CDLL(sys.argv[1])
address = lambda name: ctypes.cast(getattr(library, name), ctypes.c_void_p).value
def sound():
    report = measure_native(address("p_malloc"), 0, calls=10, witness=False)
    assert report.allocs_per_call == (1,) * 10, report
    assert measure_native(address("p_nothing"), 0, calls=10, witness=False).allocs_per_call == (0,) * 10
"""

CASES = {
    "importing_a_large_library_while_armed": """
with record() as allocations:
    import numpy, numpy.linalg, numpy.random, numpy.fft
assert allocations.allocs_per_call[0] > 100, allocations
sound()
""",
    "fork_while_armed": """
with record() as allocations:
    child = os.fork()
    if child == 0:
        kept = [bytes(5000) for _ in range(1000)]
        library.p_malloc(None)
        os._exit(7 if installed().words[0] == 0 else 1)
    library.p_malloc(None)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
assert status == 7, status
assert allocations.by_function == {"malloc": 1}, allocations
sound()
""",
    "measuring_in_a_forked_child": """
sound()
child = os.fork()
if child == 0:
    sound()
    os._exit(5)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
sound()
""",
    "fork_while_another_thread_measures": """
inside, leave = threading.Event(), threading.Event()
def hold():
    with record(): inside.set(); leave.wait()
thread = threading.Thread(target=hold); thread.start(); inside.wait()
child = os.fork()
if child == 0:
    sound()
    os._exit(5)
leave.set(); thread.join()
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
sound()
""",
    "subprocess_while_armed": """
import subprocess
with record() as allocations:
    assert subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True).stdout == b"1\\n"
    library.p_malloc(None)
assert allocations.by_function.get("malloc", 0) >= 1
sound()
""",
    "multiprocessing_spawn_and_fork": """
import multiprocessing
if __name__ == "__main__":
    with record() as allocations:
        for method in ("fork", "spawn"):
            with multiprocessing.get_context(method).Pool(2) as pool:
                assert pool.map(abs, [-1, -2, -3]) == [1, 2, 3]
    sound()
""",
    "threads_allocate_through_rounds_of_patching": """
library.f_churn.argtypes = [ctypes.c_long]
stop = threading.Event()
def churn():
    while not stop.is_set(): library.f_churn(2000)
threads = [threading.Thread(target=churn) for _ in range(4)]
for thread in threads: thread.start()
slots = installed().slots
for number in range(60 * int(sys.argv[2])):
    slots.remove(); slots.patch()
    if number % 20 == 0: sound()
stop.set()
for thread in threads: thread.join()
sound()
""",
    "signals_while_armed": """
import signal
seen = []
signal.signal(signal.SIGALRM, lambda *_: seen.append(bytearray(5000)))
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
while len(seen) < 150:
    with record() as allocations:
        for _ in range(200): library.p_malloc(None)
    assert allocations.by_function == {"malloc": 200}, allocations
signal.setitimer(signal.ITIMER_REAL, 0)
sound()
""",
    "exit_while_armed": """
import faulthandler; faulthandler.enable()
recording = record(); recording.__enter__()
library.p_malloc(None)
""",
    "exit_with_threads_that_allocate": """
library.f_churn.argtypes = [ctypes.c_long]
sound()
for _ in range(3): threading.Thread(target=lambda: [library.f_churn(10000) for _ in range(10**9)], daemon=True).start()
time.sleep(0.2)
""",
    "faulthandler_and_tracemalloc_active": """
import faulthandler, tracemalloc
faulthandler.enable(); tracemalloc.start()
sound()
with record() as allocations:
    tracemalloc.stop(); tracemalloc.start()
    kept = [object() for _ in range(100)]
sound()
tracemalloc.stop(); sound()
""",
    "tracemalloc_started_inside_and_left_on": """
import tracemalloc
with record():
    tracemalloc.start()
kept = [bytes(2000) for _ in range(1000)]
assert tracemalloc.get_traced_memory()[0] > 10**6
sound(); tracemalloc.stop(); sound()
kept = [bytes(2000) for _ in range(1000)]
""",
    "debug_allocator": """
sound()
assert measure(object, calls=5).python["obj"].calls == 5
""",
    "deep_nesting": """
def nest(depth):
    with record() as allocations:
        library.p_malloc(None)
        inner = nest(depth - 1) if depth else 0
    assert allocations.by_function == {"malloc": 1 + inner}, (depth, allocations)
    return 1 + inner
assert nest(20) == 21
""",
    "recursion_and_exceptions_inside": """
def dive(n): return dive(n + 1)
for _ in range(5):
    try: measure(dive, 0)
    except RecursionError: pass
sound()
""",
    "a_thread_that_ends_while_measured_elsewhere": """
for _ in range(50):
    thread = threading.Thread(target=lambda: [library.p_malloc(None) for _ in range(100)])
    with record() as allocations:
        thread.start(); thread.join()
    assert "malloc" not in allocations.by_function or allocations.by_function["malloc"] <= 3, allocations
    assert allocations.other_threads["malloc"] >= 100
""",
    "more_threads_than_rows_of_counters": """
# Nothing but this calls pvalloc, so the count is exact; of 80 threads some share a row, and add under the lock.
ready, done = threading.Barrier(81), threading.Barrier(81)
def work():
    ready.wait(); [library.p_pvalloc(None) for _ in range(200)]; done.wait()
for _ in range(2):
    threads = [threading.Thread(target=work) for _ in range(80)]
    for thread in threads: thread.start()
    with record() as allocations:
        ready.wait(); done.wait()
    for thread in threads: thread.join()
    assert allocations.other_threads["pvalloc"] == 80 * 200, allocations
    assert "pvalloc" not in allocations.by_function, allocations
""",
    "scopes_in_turn_while_threads_allocate": """
# A thread that the end of a window finds inside a hook must not be counted in the next one, which is not its own.
library.f_churn.argtypes = [ctypes.c_long]
stop = threading.Event()
def churn():
    while not stop.is_set(): library.f_churn(2000)
threads = [threading.Thread(target=churn, daemon=True) for _ in range(12)]
for thread in threads: thread.start()
seen = 0
for _ in range(40):
    with record(scope="process") as everything: time.sleep(0.002)
    with record() as own: time.sleep(0.02)
    seen += everything.allocs
    assert not own.allocs and not own.sites and not own.frees, own
assert seen
stop.set()
for thread in threads: thread.join()
""",
    "many_windows": """
before = len(os.listdir("/proc/self/fd"))
for _ in range(100): measure(lambda: None, calls=2)
assert len(os.listdir("/proc/self/fd")) == before
""",
}
ENVIRONMENTS = {"debug_allocator": {"PYTHONMALLOC": "debug"}}


@pytest.mark.parametrize("case", sample(list(CASES), quick=9))
def test_survives(case: str, paths: Any, python: Any, tmp_path: Path) -> None:
    script = tmp_path / f"{case}.py"
    script.write_text(HEAD + CASES[case] + '\nprint("end of", __name__)\n')
    start = f"import os, sys; os.execv(sys.executable, [sys.executable, {str(script)!r}, *sys.argv[1:]])"
    run = python(start, str(paths.path), str(SOAK), timeout=60 * SOAK, **ENVIRONMENTS.get(case, {}))
    assert run.returncode == 0, run.stderr
    assert run.stdout.endswith("end of __main__\n"), run.stderr


TESTS = """
import ctypes, os
import pytest
from pytest_adalloc.hooks import measure_native
library = ctypes.CDLL(os.environ["ADALLOC_TEST_LIBRARY"])

@pytest.mark.parametrize("name", ["p_malloc", "p_nothing"] * 6)
def test_counts(name):
    address = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
    expected = 1 if name == "p_malloc" else 0
    assert measure_native(address, 0, calls=5).allocs_per_call == (expected,) * 5
"""


@pytest.mark.parametrize("options", [["-n", "2"], ["--cov", "--cov-report="]], ids=["xdist", "cov"])
def test_under_other_plugins(options: list[str], paths: Any, tmp_path: Path) -> None:
    module = "xdist" if "-n" in options else "pytest_cov"
    pytest.importorskip(module, reason=f"{module} is not installed")
    (tmp_path / "test_counts.py").write_text(TESTS)
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "ADALLOC_TEST_LIBRARY": str(paths.path)}
    environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    plugin = ["-p", "xdist" if module == "xdist" else "pytest_cov"]
    command = [sys.executable, "-m", "pytest", "-q", "--rootdir", str(tmp_path), *plugin, *options, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, env=environ, cwd=tmp_path, timeout=60, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "12 passed" in run.stdout


def test_memray_at_the_same_time(paths: Any, python: Any, tmp_path: Path) -> None:
    if importlib.util.find_spec("memray") is None:
        pytest.skip("memray is not installed")
    code = (
        HEAD
        + f"""
import memray
sound()
with memray.Tracker({str(tmp_path / "out.bin")!r}, native_traces=False):
    sound()
    library.p_malloc(None)
sound()
records = list(memray.FileReader({str(tmp_path / "out.bin")!r}).get_allocation_records())
assert any(record.size == 100 for record in records)
print("end")
"""
    )
    run = python(code, str(paths.path))
    assert run.stdout.endswith("end\n"), run.stderr


def test_installed_while_memray_runs(paths: Any, python: Any, tmp_path: Path) -> None:
    if importlib.util.find_spec("memray") is None:
        pytest.skip("memray is not installed")
    code = f"""
import memray
with memray.Tracker({str(tmp_path / "out.bin")!r}, native_traces=False):
    {HEAD.strip().splitlines()[0]}
    exec({HEAD!r})
    sound()
    report = measure_native(address("h_cached"), 0, calls=5)
    assert report.allocs_per_call == (1,) * 5 and not report.disagreement, report
print("end")
"""
    run = python(code, str(paths.path))
    assert run.stdout.endswith("end\n"), run.stderr


def test_jemalloc_preloaded(paths: Any, python: Any) -> None:
    """``ADALLOC_TEST_JEMALLOC`` names the library where it is not installed."""
    named = os.environ.get("ADALLOC_TEST_JEMALLOC")
    places = [path for root in ("/usr/lib", "/usr/local/lib") for path in Path(root).glob("*/libjemalloc.so.2")]
    if not (named or places):
        pytest.skip("jemalloc is not installed")
    code = (
        HEAD
        + """
sound()
report = measure_native(address("p_valloc"), 0, calls=5)
assert not report.disagreement, report
print(report.witnesses[-1].state)
"""
    )
    run = python(code, str(paths.path), LD_PRELOAD=named or str(places[0]))
    assert run.stdout in ("agrees\n", "unavailable\n"), run.stderr


def test_another_malloc_preloaded(build: Any, paths: Any, python: Any) -> None:
    """The reference counter replaces malloc; it is what the hooks must find and pass on to."""
    counter = build("counter.c", "libcounter.so", "-shared", "-fPIC")
    code = (
        HEAD
        + """
preloaded = ctypes.CDLL(None)
assert installed().slots.originals["malloc"] == ctypes.cast(preloaded.malloc, ctypes.c_void_p).value
sound()
preloaded.counter_watch(1)
report = measure_native(address("p_malloc"), 0, calls=50, warmup=0, witness=False)
preloaded.counter_watch(0)
assert preloaded.counter_read(0) >= 50
print("end")
"""
    )
    run = python(code, str(paths.path), LD_PRELOAD=str(counter))
    assert run.stdout == "end\n", run.stderr


def test_an_indirect_malloc_preloaded(build: Any, paths: Any, python: Any) -> None:
    """What an indirect function has been resolved to is what the hooks pass on to, and not the next definition."""
    indirect = build("indirect.c", "libindirect.so", "-shared", "-fPIC", "-w")
    code = (
        HEAD
        + """
served = ctypes.CDLL(None).indirect_served
sound()
before = served()
assert measure_native(address("p_malloc"), 0, calls=50, witness=False).allocs_per_call == (1,) * 50
assert served() >= before + 50
print("end")
"""
    )
    run = python(code, str(paths.path), LD_PRELOAD=str(indirect))
    assert run.stdout == "end\n", run.stderr
