"""Compiled handles: calls of both kinds, bound calls, what they say about themselves, other callers."""

from __future__ import annotations

import ctypes
import functools
import gc
import itertools
import math
import os
import pickle
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import adcore as ad
from adcore.runtime import native_types as native
from benchmarks.compile_programs import loops
from tests.driver import programs

V = np.array([1.0, 2.0, 3.0])


def duplicated() -> Any:
    return ad.Duplicated(V.copy(), np.zeros(3))


def test_a_handle_is_called_with_annotations_or_plainly() -> None:
    g = ad.compile(programs.squares, duplicated())
    x, dx = np.arange(5.0), np.zeros(5)
    assert g(ad.Duplicated(x, dx)) is None
    assert dx.tolist() == (2 * x).tolist()
    assert g(x, dx) is None
    assert dx.tolist() == (4 * x).tolist()


def test_results_are_those_of_autodiff() -> None:
    g = ad.compile(programs.polynomial, ad.Active(1.0), ad.Active(1.0))
    assert g(2.0, 3.0) == (12.0, 5.0) == g(ad.Active(2.0), ad.Active(3.0)) == g(2.0, np.float64(3.0).item())
    g = ad.compile(programs.polynomial, ad.Active(1.0), 1.0, mode=ad.ReverseWithPrimal)
    assert g(2.0, 3.0) == ((12.0,), 15.0)
    g = ad.compile(programs.polynomial, ad.Duplicated(1.0, 1.0), ad.Const(1.0), mode=ad.Forward)
    assert g(2.0, 1.0, 3.0) == 12.0
    g = ad.compile(programs.polynomial, 1.0, 1.0, mode=ad.Primal)
    assert g(2.0, 3.0) == 15.0
    assert type(g(2.0, 3.0)) is float
    g = ad.compile(programs.polynomial, ad.Active(1.0), ad.Active(1.0), mode=ad.ReverseWithPrimal)
    assert g(2.0, 3.0) == g.bind(2.0, 3.0)() == ((12.0, 5.0), 15.0)
    x, dx = V.copy(), np.zeros(3)
    g = ad.compile(programs.squares, ad.Duplicated(x, dx), mode=ad.ReverseWithPrimal)
    assert g(x, dx) == g.bind()() == (None, 14.0)
    assert dx.tolist() == (4 * V).tolist()
    g = ad.compile(programs.nothing, x, mode=ad.Primal)
    assert g(x) is None
    assert x[0] == 2.0
    g = ad.compile(programs.empty, 1.0, mode=ad.Primal)
    assert g(1.0) == g.bind(1.0)() == ()
    g = ad.compile(programs.several, 1.0, 1.0, mode=ad.Primal)
    assert g(2.0, 3.0) == (6.0, math.sin(2.0), False)


def test_one_handle_serves_overlapping_arguments_too() -> None:
    g = ad.compile(programs.multiply, ad.Duplicated(np.zeros(2), np.zeros(2)), ad.Duplicated(np.ones(2), np.zeros(2)))
    out, dout, x, dx = np.zeros(2), np.array([1.0, 0.0]), np.array([3.0, 4.0]), np.zeros(2)
    g(out, dout, x, dx)
    assert (out[0], dx.tolist()) == (12.0, [4.0, 3.0])
    b, db = np.array([3.0, 4.0]), np.array([1.0, 0.0])
    g(b, db, b, db)
    assert (b.tolist(), db.tolist()) == ([12.0, 4.0], [4.0, 3.0])
    g(out, np.array([1.0, 0.0]), x, dx)
    assert dx.tolist() == [8.0, 6.0]


REFUSED = {
    "dtype": ((V.astype(np.float32), np.zeros(3, np.float32)), "was compiled as a 1-dimensional array of f64"),
    "rank": ((np.ones((1, 3)), np.zeros((1, 3))), "this call has a 2-dimensional array"),
    "shadow": ((V, np.zeros(2)), "the shadow of `x` has shape"),
    "no shadow": ((V,), "without the shadow of `x`"),
    "nothing": ((), "without `x`"),
    "too many": ((V, np.zeros(3), 1.0), "1 arguments too many"),
    "a number": ((2.0, 1.0), "this call has a Python f64"),
}


@pytest.mark.parametrize(("args", "message"), REFUSED.values(), ids=REFUSED)
def test_a_handle_refuses_other_kinds(args: Any, message: str) -> None:
    g = ad.compile(programs.squares, duplicated())
    with pytest.raises(ad.ArgumentError, match=message):
        g(*args)


def test_numbers_are_taken_as_they_were_compiled() -> None:
    g = ad.compile(programs.with_default, ad.Active(1.0), 3.0, n=2)
    expected = g(2.0, 3.0, 2)
    assert expected == (12.0,)
    assert g(np.float64(2.0), 3, np.int32(2)) == g(ad.Active(np.float32(2.0)), ad.Const(3), n=2) == expected
    with pytest.raises(ad.ArgumentError, match="`n` was compiled as a Python i64"):
        g(2.0, 3.0, 2.0)


def test_a_handle_keeps_its_numbers_and_looks_arrays_up(monkeypatch: pytest.MonkeyPatch) -> None:
    x, dx = V.copy(), np.zeros(3)
    g = ad.compile(programs.with_globals, ad.Duplicated(x, dx))
    monkeypatch.setattr(programs, "FACTOR", 100.0)
    monkeypatch.setattr(programs, "WEIGHTS", np.ones(3))
    g(x, dx)
    assert dx.tolist() == [3.0, 3.0, 3.0]
    monkeypatch.setattr(programs, "WEIGHTS", np.ones(3, np.float32))
    with pytest.raises(ad.ArgumentError, match="`WEIGHTS` is no longer an array of the kind"):
        g(x, dx)

    factor = 2.0

    def scaled(y):
        return y * y * factor

    g = ad.compile(scaled, ad.Active(1.0))
    factor = 5.0
    assert g(3.0) == g(ad.Active(3.0)) == (12.0,)
    assert ad.grad(scaled)(3.0) == 30.0


def test_bound_calls() -> None:
    x, dx = V.copy(), np.zeros(3)
    call = ad.compile(programs.squares, ad.Duplicated(x, dx)).bind()
    for k in (1, 2, 3):
        assert call() is None
        assert dx.tolist() == (2 * k * V).tolist()
    x[:] = 1.0
    dx[:] = 0.0
    call()
    assert dx.tolist() == [2.0, 2.0, 2.0]
    with pytest.raises(TypeError, match="no arguments"):
        call(x)
    dx.flags.writeable = False
    with pytest.raises(ad.ArgumentError, match="read-only"):
        call()
    dx.flags.writeable = True
    call()
    assert dx.tolist() == [4.0, 4.0, 4.0]
    x.resize(100_000, refcheck=False)
    with pytest.raises(ad.ArgumentError, match=r"the shadow of `x` has shape|resized"):
        call()


def test_bound_lists_and_records() -> None:
    ws, dws = [1.0, 2.0], [0.0, 0.0]
    call = ad.compile(programs.numbers, ad.Duplicated(ws, dws)).bind()
    call()
    ws[0] = 5.0
    call()
    assert dws == [12.0, 8.0]
    matrices, shadows = [[np.zeros((3, 1)) for _ in V] for _ in range(2)]
    v, dv = V.copy(), np.zeros(3)
    call = ad.compile(programs.fill_matrices, ad.Duplicated(matrices, shadows), ad.Duplicated(v, dv)).bind()
    call()
    call()
    assert dv.tolist() == [0.0, 0.0, 2.0]
    assert {b.path for b in call.buffers} == {"matrices[]", "vector"}
    assert {(b.path, b.role) for b in call.buffers if b.written} == {
        ("matrices[]", "argument"), ("matrices[]", "shadow"), ("vector", "shadow"),
    }  # fmt: skip


def test_scratch_shadows_start_at_zero_in_every_call() -> None:
    def through(x, scratch):
        total = 0.0
        for i in range(len(x)):
            total += scratch[i][0] * x[i]
            scratch[i][0] = x[i]
            total += scratch[i][0] * 2.0
        return total

    x, dx, scratch = V.copy(), np.zeros(3), [np.zeros(1) for _ in V]
    g = ad.compile(through, ad.Duplicated(x, dx), ad.Const(scratch))
    call = g.bind()
    for run in (call, call, lambda: g(x, dx, scratch)):
        for array in scratch:
            array[:] = 0.0
        dx[:] = 0.0
        run()
        assert dx.tolist() == [2.0, 2.0, 2.0]


def test_a_native_loop_can_drive_a_bound_call() -> None:
    x, dx = V.copy(), np.zeros(3)
    call = ad.compile(programs.squares, ad.Duplicated(x, dx)).bind()
    entry = ctypes.PYFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)(call.address)
    assert [entry(call.frame_address) for _ in range(3)] == [0, 0, 0]
    assert dx.tolist() == (6 * V).tolist()
    g = ad.compile(programs.element, ad.Duplicated(x, dx), 10)
    call = g.bind()
    status = g.ctypes(call.frame_address)
    assert status > 0
    with pytest.raises(IndexError, match="index 10"):
        call.raise_fault(status)
    with pytest.raises(IndexError, match="index 10"):
        call()
    with pytest.raises(IndexError, match="index 7"):
        g(x, dx, 7)


def test_what_a_handle_says() -> None:
    g = ad.compile(programs.read_square_clear, duplicated())
    assert (g.workspace_bytes, g.workspace_formula, g.written) == (24, "8*len(x)", ("x",))
    (stored,) = g.explain().stored
    assert (stored.value, stored.bytes, stored.span.text()) == ("x[i]", 24, "total += x[i] * x[i]")
    assert [span.text() for span in stored.overwritten_by] == ["x[i] = 0.0"]
    assert stored.fix
    assert str(g.explain()) == g.stage("plan")
    assert g.certificate.proven
    assert g.address > 0
    assert "define" in g.llvm_ir
    assert "kernel" in g.assembly
    assert "def read_square_clear" in g.stage("python")
    for name in ("ir", "inlined", "simplified", "derived", "gradient"):
        assert "func @read_square_clear" in g.stage(name)
    with pytest.raises(KeyError, match="the stages are python, ir"):
        g.stage("none")
    assert repr(g) == "<adcore.Reverse of read_square_clear(x)>"
    g = ad.compile(programs.squares, duplicated())
    assert (g.workspace_bytes, g.workspace_formula, g.explain().stored) == (0, "0", ())


def test_workspace_of_a_while_loop_is_measured() -> None:
    g = ad.compile(programs.square_root, ad.Active(2.0))
    assert g.workspace_bytes is None
    assert "trips(line" in g.workspace_formula
    g(2.0)
    assert g.workspace_bytes is not None
    assert g.workspace_bytes % 8 == 0


def test_the_heap_is_not_proven() -> None:
    g = ad.compile(programs.read_square_clear, duplicated(), workspace="heap")
    assert not g.certificate.proven
    assert "malloc" in g.certificate.external_symbols
    x, dx = V.copy(), np.zeros(3)
    g(x, dx)
    assert dx.tolist() == [2.0, 4.0, 6.0]
    rows = g.address_table
    assert any("x[i] * x[i]" in Path(file).read_text().splitlines()[line - 1] for _, _, _, file, line, _ in rows)
    assert all(start < end for start, end, *_ in rows)


def test_relinking_imports_what_it_is_told() -> None:
    g = ad.compile(programs.read_square_clear, duplicated(), workspace="heap")
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    sizes = []

    @ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_size_t)
    def malloc(size: int) -> int:
        sizes.append(size)
        return int(libc.malloc(ctypes.c_size_t(size)))

    before = len(g.address_table)
    address = g.relink({"malloc": ctypes.cast(malloc, ctypes.c_void_p).value or 0})
    x, dx = V.copy(), np.zeros(3)
    call = g.bind(x, dx)
    assert ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p)(address)(call.frame_address) == 0
    assert dx.tolist() == [2.0, 4.0, 6.0]
    assert len(sizes) == 1
    assert sizes[0] >= 24
    assert len(g.address_table) == 2 * before


def test_no_call_allocates_python_objects_for_nothing() -> None:
    g = ad.compile(programs.squares, duplicated())
    call, x, dx = g.bind(), V.copy(), np.zeros(3)
    g(x, dx)
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(1000):
        call()
        g(x, dx)
    assert abs(sys.getallocatedblocks() - before) < 50


@pytest.mark.skipif(not native.supported(), reason="another layout of objects")
def test_the_general_path_does_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    g = ad.compile(programs.polynomial, ad.Active(1.0), ad.Active(1.0))
    fast = g(2.0, 3.0)
    g._detach()
    assert g(2.0, 3.0) == fast
    monkeypatch.setattr(native, "supported", lambda: False)
    slow = ad.compile(programs.squares, duplicated())
    x, dx = V.copy(), np.zeros(3)
    slow(x, dx)
    slow.bind(x, dx)()
    assert dx.tolist() == (4 * V).tolist()


def test_code_outlives_its_handle_as_long_as_it_is_bound() -> None:
    x, dx = V.copy(), np.zeros(3)
    call = ad.compile(programs.rosenbrock, ad.Duplicated(x, dx)).bind()
    gc.collect()
    call()
    assert dx.tolist() == [-400.0, 1002.0, -200.0]


def test_threads() -> None:
    x, dx = V.copy(), np.zeros(3)
    g = ad.compile(programs.read_square_clear, duplicated())
    gradient = ad.grad(programs.read_square_clear)
    wrong: list[Any] = []

    def work() -> None:
        for k in range(100):
            own, shadow = V + k, np.zeros(3)
            g(own, shadow)
            if shadow.tolist() != (2 * (V + k)).tolist() or gradient(V + k).tolist() != shadow.tolist():
                wrong.append(k)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    g(x, dx)


def test_a_handle_outlives_the_thread_that_made_it() -> None:
    made: list[Any] = []

    def work() -> None:
        made.append(ad.compile(programs.read_square_clear, duplicated()))
        made.append(made[0].bind())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    gc.collect()
    x, dx = V.copy(), np.zeros(3)
    made[0](x, dx)
    made[1]()
    assert dx.tolist() == [2.0, 4.0, 6.0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_compiles_and_calls() -> None:
    g = ad.compile(programs.squares, duplicated())
    g(V, np.zeros(3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 and later warn of threads; this child only computes
        child = os.fork()
    if child == 0:
        dx = np.zeros(3)
        g(V, dx)
        fine = dx.tolist() == [2.0, 4.0, 6.0] and ad.grad(programs.polynomial)(2.0, 3.0) == 12.0
        os._exit(0 if fine else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_adcore_is_imported_lazily() -> None:
    code = "import sys, adcore; adcore.CompileError; print({'numpy', 'llvmlite'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_annotations_print_and_pickle() -> None:
    assert repr(ad.Duplicated(1.0, 2.0)) == "Duplicated(1.0, 2.0)"
    assert repr(ad.Active(1.0)) == "Active(1.0)"
    assert pickle.loads(pickle.dumps(ad.Const(3))).value == 3


def test_checks_can_be_left_out() -> None:
    checked = ad.compile(programs.element, duplicated(), 1)
    unchecked = ad.compile(programs.element, duplicated(), 1, boundscheck=False)
    assert "index" in checked.stage("simplified")
    assert "index" not in unchecked.stage("simplified")
    for i in (0, 2, -1, -3):
        x, dx = V.copy(), np.zeros(3)
        unchecked(x, dx, i)
        assert dx[i] == 1.0
        assert dx.sum() == 1.0


def test_long_kernels_are_attributed_piece_by_piece() -> None:
    """All of the code of a kernel is in its table, however many functions it consists of."""
    program = loops(60)
    g = ad.compile(program.f, *(ad.Duplicated(a, np.zeros_like(a)) for a in program.args))
    assert "call i32 @kernel.2(" in g.stage("llvm")
    assert g.certificate.proven
    rows = sorted(g.address_table)
    assert len(rows) > 2
    assert {(file, line, phase) for *_, file, line, phase in rows} == {("<large program loops 60>", 5, "gradient")}
    assert all(end <= start for (_, end, *_), (start, *_) in itertools.pairwise(rows))


def scaled(x, k=1.0, n=1):
    for _ in range(n):
        x = k * x * x
    return x


def test_a_handle_keeps_what_a_partial_holds() -> None:
    """d (k x^2) / dx = 2 k x."""
    g = ad.compile(functools.partial(scaled, k=3.0), ad.Active(2.0))
    assert g(2.0) == g(ad.Active(2.0)) == g.bind(ad.Active(2.0))() == (12.0,)
    w = np.array([3.0, 4.0])
    x, dx = np.ones(2), np.zeros(2)
    g = ad.compile(functools.partial(weighted_sum, w=w), ad.Duplicated(x, dx))
    g(x, dx)
    assert dx.tolist() == [3.0, 4.0]
    w[0] = 5.0  # an array is what it is now
    g(ad.Duplicated(x, dx))
    assert dx.tolist() == [8.0, 8.0]


def weighted_sum(x, w):
    total = 0.0
    for i in range(len(x)):
        total += w[i] * x[i]
    return total


def test_arguments_in_a_row_are_for_those_that_were_given() -> None:
    """The default in between stays, in the native call and in the general one; d (k x^2)^2 k / dx at k = 1: 4 x^3."""
    g = ad.compile(scaled, ad.Active(2.0), n=ad.Const(2))
    assert g(2.0, 2) == g(ad.Active(2.0), ad.Const(2)) == g(2.0, n=2) == g(ad.Active(2.0), n=ad.Const(2)) == (32.0,)
    assert g(ad.Active(2.0), ad.Const(1.0), ad.Const(2)) == g(2.0, 1.0, 2) == (32.0,)
    assert g(2.0, 1) == (4.0,)
