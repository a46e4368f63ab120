"""Any callable: what native code took, apart from what the interpreter took, call by call."""

from __future__ import annotations

import ctypes
import threading
from typing import Any

import numpy as np
import pytest

from pytest_adalloc.hooks import HooksBusy, forbid, measure, measure_native, record
from pytest_adalloc.hooks.install import jit
from pytest_adalloc.hooks.install.process import hook_addresses, installed
from pytest_adalloc.hooks.witness import breakpoints


def test_nothing_is_nothing() -> None:
    report = measure(lambda: None)
    assert report.allocs_per_call == (0,) * 100
    assert report.bytes_per_call == (0,) * 100
    assert dict(report.by_function) == {}
    assert dict(report.interpreter) == {}
    assert report.sites == ()
    assert report.pattern == "none"
    assert report.driven == "python"
    assert not any(count.calls for count in report.python.values())


def test_numpy_allocations_are_native() -> None:
    x = np.arange(10_000.0)
    report = measure(np.add, x, x, calls=5)
    assert report.allocs_per_call == (1,) * 5
    assert report.bytes_per_call == (80_000,) * 5
    assert report.python["numpy"].calls == 5
    assert report.python["numpy"].bytes == 400_000
    assert report.sites[0].library.startswith("_multiarray_umath")
    assert not report.disagreement


def test_numpy_without_allocation() -> None:
    x, out = np.arange(10_000.0), np.empty(10_000)
    assert measure(lambda: np.add(x, x, out=out)).pattern == "none"


def test_the_interpreters_own_memory_is_told_apart() -> None:
    report = measure(lambda: bytes(5000), calls=10)
    assert report.pattern == "none"
    assert sum(report.interpreter.values()) == 10
    assert report.python["obj"].calls == 10
    assert report.python["raw"].bytes >= 50_000


def test_native_code_called_through_ctypes_is_not_the_interpreter(paths: Any) -> None:
    function = paths.functions.p_strdup
    report = measure(lambda: function(None), calls=10)
    assert report.allocs_per_call == (1,) * 10
    assert report.sites[0].library == "libpaths.so"
    assert report.sites[0].symbol == "p_strdup"


def test_sites_carry_the_line_of_python(paths: Any) -> None:
    function = paths.functions.p_malloc

    def caller() -> None:
        len("not here")
        function(None)

    report = measure(caller, calls=3)
    (site,) = report.sites
    assert (site.file, site.line) == (__file__, caller.__code__.co_firstlineno + 2)
    assert (site.function, site.symbol, site.library, site.count, site.bytes) == (
        "malloc",
        "p_malloc",
        "libpaths.so",
        3,
        300,
    )


@pytest.mark.parametrize(
    ("name", "expected", "pattern"),
    [
        ("s_first_only", (1, 0, 0, 0, 0), "first call"),
        ("s_growing", (0, 1, 2, 3, 4), "growing"),
        ("s_irregular", (0, 1, 0, 0, 1), "irregular"),
        ("p_malloc", (1, 1, 1, 1, 1), "every call"),
        ("p_nothing", (0, 0, 0, 0, 0), "none"),
    ],
)
def test_each_call_is_counted_by_itself(paths: Any, name: str, expected: tuple[int, ...], pattern: str) -> None:
    counter = ctypes.c_int(0)
    report = measure_native(paths.address(name), ctypes.addressof(counter), calls=5, warmup=0, witness=False)
    assert report.allocs_per_call == expected
    assert report.pattern == pattern


def test_what_depends_on_shapes_is_told() -> None:
    small, large = np.arange(1_000.0), np.arange(5_000.0)
    report = measure(np.add, small, small, calls=5, others=[(large, large), (small, small)])
    assert report.pattern == "shape-dependent"
    assert [(count.allocs, count.bytes) for count in report.by_shape] == [(1, 8_000), (1, 40_000), (1, 8_000)]
    assert "(5000,), (5000,): 1 allocation, 40000 bytes a call" in str(report)
    assert "shape-dependent" in str(report).splitlines()[0]
    out = np.empty(5_000)
    clean = measure(lambda x: np.add(x, x, out=out[: len(x)]), small, calls=5, others=[(large,)])
    assert (clean.pattern, len(clean.by_shape)) == ("none", 2)


def test_memory_is_restored_before_each_call_and_not_counted(paths: Any) -> None:
    counter, zero = ctypes.c_int(0), ctypes.c_int(0)
    restore = [(ctypes.addressof(counter), ctypes.addressof(zero), 4)]
    report = measure_native(paths.address("s_first_only"), ctypes.addressof(counter), calls=4, restore=restore)
    assert report.allocs_per_call == (1, 1, 1, 1)
    assert counter.value == 1


def test_a_failing_call_ends_the_loop_and_is_reported(paths: Any) -> None:
    counter = ctypes.c_int(0)
    report = measure_native(paths.address("s_fails_third"), ctypes.addressof(counter), calls=10, warmup=0)
    assert report.status == -7
    assert report.allocs_per_call == (1, 1, 1)
    assert "returned status -7" in str(report)
    assert counter.value == 3


def test_exceptions_of_the_callable_come_out_and_leave_the_hooks_idle() -> None:
    def fail() -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        measure(fail)
    assert installed().words[0] == 0
    assert measure(lambda: None, calls=2).pattern == "none"


def test_other_threads_have_their_own_column(paths: Any) -> None:
    report = measure_native(paths.address("s_other_thread"), 0, calls=4, witness=False)
    assert report.other_threads["malloc"] >= 40
    assert "malloc" not in report.by_function


def test_in_process_scope_the_processor_does_not_contradict_for_what_it_cannot_see(paths: Any) -> None:
    with record(scope="process", witness=True) as recording:
        thread = threading.Thread(target=lambda: [paths.functions.p_malloc(None) for _ in range(500)])
        thread.start()
        thread.join()
    assert recording.by_function["malloc"] >= 500
    assert not recording.disagreement
    assert not recording.other_threads


def test_process_scope_counts_every_thread(paths: Any) -> None:
    report = measure_native(paths.address("s_other_thread"), 0, calls=4, scope="process", witness=False)
    assert all(count >= 10 for count in report.allocs_per_call)
    assert report.by_function["malloc"] >= 40
    assert dict(report.other_threads) == {}


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="calls must be at least 1"):
        measure(lambda: None, calls=0)
    with pytest.raises(ValueError, match="scope must be"):
        measure(lambda: None, scope="galaxy")  # type: ignore[arg-type]


def test_a_scope_that_is_none_or_another_is_refused_everywhere() -> None:
    for block in (record, forbid):
        with pytest.raises(ValueError, match="scope must be"), block(scope="proces"):  # type: ignore[arg-type]
            pass
        with record(), pytest.raises(HooksBusy, match="is open around"), block(scope="process"):
            pass


def test_one_thread_at_a_time() -> None:
    errors: list[BaseException] = []

    def intrude() -> None:
        try:
            measure(lambda: None, calls=1)
        except HooksBusy as error:
            errors.append(error)

    with record():
        thread = threading.Thread(target=intrude)
        thread.start()
        thread.join()
    assert len(errors) == 1


def test_record_and_nested_record(paths: Any) -> None:
    function = paths.functions.p_malloc
    with record() as outer:
        function(None)
        with record() as inner:
            function(None)
            function(None)
        function(None)
    assert inner.by_function == {"malloc": 2}
    assert inner.allocs_per_call == (2,)
    assert outer.by_function == {"malloc": 4}
    assert outer.bytes_per_call == (400,)
    with pytest.raises(TypeError, match="no boolean"):
        bool(outer)


def test_measure_inside_record(paths: Any) -> None:
    with record() as outer:
        inner = measure_native(paths.address("p_malloc"), 0, calls=5, warmup=0, witness=False)
    assert inner.allocs_per_call == (1,) * 5
    assert outer.by_function["malloc"] == 5


def test_inside_a_recording_the_witnesses_agree_and_nothing_of_ours_is_counted() -> None:
    def call() -> object:
        return np.sin(np.zeros(5000))

    alone = measure(call, calls=3)
    with record(), record():
        inside = measure(call, calls=3)
        with record(witness=True) as block:
            call()
            within = measure(call, calls=3)
    assert not within.disagreement
    assert not inside.disagreement
    assert inside.by_function == alone.by_function
    assert inside.interpreter == alone.interpreter
    assert not block.disagreement
    # One call here; a warm-up, three calls and one more for the line inside.
    assert block.by_function == {kind: count // 3 * 6 for kind, count in alone.by_function.items()}


def test_a_function_pointer_is_made_a_kernel_at_our_expense(paths: Any) -> None:
    with forbid() as block:
        assert measure(paths.functions.p_nothing, None, calls=3).pattern == "none"
    assert not block.disagreement


def test_a_recording_has_no_report_before_its_end() -> None:
    with record() as recording, pytest.raises(AttributeError, match="not ended"):
        _ = recording.by_function
    assert recording.pattern == "none"


def test_errors_of_the_system_inside_a_callable_are_its_own() -> None:
    works, reason = breakpoints.available()
    if not works:
        pytest.skip(reason)  # without a second witness there are not that many calls
    calls = []

    def late() -> None:
        calls.append(1)
        if len(calls) > 5:
            raise PermissionError(13, "mine")

    with pytest.raises(PermissionError, match="mine"):
        measure(late, calls=3)


KERNELS = """
target triple = "{triple}"
declare ptr @malloc(i64)
declare void @free(ptr)
define i32 @inner(ptr %frame) noinline nounwind uwtable {{
  %p = call ptr @malloc(i64 48)
  call void @free(ptr %p)
  ret i32 0
}}
define i32 @outer(ptr %frame) nounwind uwtable {{
  %s = call i32 @inner(ptr %frame)
  %p = call ptr @malloc(i64 16)
  call void @free(ptr %p)
  ret i32 %s
}}
"""


def test_generated_code_is_attributed_by_its_address_table() -> None:
    hooks = {name: address for name, address in hook_addresses().items() if name in ("malloc", "free")}
    code = jit.compiled(KERNELS.format(triple=jit.triple()))
    at = jit.link([code], ["inner", "outer"], hooks)
    table = [
        (at["inner"], at["outer"], "inner", "user.py", 3, "forward sweep"),
        (at["outer"], at["outer"] + 64, "outer", "user.py", 9, "reverse sweep"),
    ]
    report = measure_native(at["outer"], 0, calls=10, address_table=table)
    seen = {(site.symbol, site.file, site.line, site.phase, site.count, site.bytes) for site in report.sites}
    assert seen == {
        ("inner", "user.py", 3, "forward sweep", 10, 480),
        ("outer", "user.py", 9, "reverse sweep", 10, 160),
    }
    assert "user.py:3" in str(report)
    assert not report.disagreement


def test_more_sites_than_the_table_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call site of a generated kernel is a site of its own; what does not fit is counted all the same."""
    del monkeypatch
    hooks = {name: address for name, address in hook_addresses().items() if name in ("malloc", "free")}
    number = 2500
    body = "".join(f"  %p{i} = call ptr @malloc(i64 8)\n  call void @free(ptr %p{i})\n" for i in range(number))
    text = f"""
target triple = "{jit.triple()}"
declare ptr @malloc(i64)
declare void @free(ptr)
define i32 @many(ptr %frame) nounwind uwtable {{
{body}  ret i32 0
}}
"""
    at = jit.link([jit.compiled(text)], ["many"], hooks)
    report = measure_native(at["many"], 0, calls=2, warmup=0, witness=False)
    assert report.allocs_per_call == (number, number)
    assert any("table of sites full" in spot for spot in report.blind_spots)
