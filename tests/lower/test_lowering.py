"""Structured programs: native code does what the interpreter does."""

from __future__ import annotations

import numpy as np
import pytest

from tests.lower.native import Native, agree

ZERO = "%zero: f64 = const [type='f64', value=0.0]\n  %i0: i64 = const [type='i64', value=0]"

DOT = f"""
func @dot(%x: array<f64,1,C>, %y: array<f64,1,S>) -> (f64) {{
  {ZERO}
  %n: i64 = dim %x [axis=0]
  %s: f64 = for %i0, %n, %zero [step=1] {{
  (%i: i64, %acc: f64):
    %a: f64 = load %x, %i
    %j: i64 = index %i, %m [axis=0]
    %b: f64 = load %y, %j
    %p: f64 = mul %a, %b
    %t: f64 = add %acc, %p
    yield %t
  }}
  return %s
}}
""".replace("%n: i64 = dim %x [axis=0]", "%n: i64 = dim %x [axis=0]\n  %m: i64 = dim %y [axis=0]")


def test_dot_over_strided_arrays() -> None:
    y = np.arange(40.0)
    native = Native(DOT)
    for other in (y[::2], y[::-1][:20], y[:20], np.broadcast_to(np.array(2.0), (20,))):
        frame_result = native(np.linspace(0, 1, 20), other)
        assert frame_result[0] == pytest.approx(np.dot(np.linspace(0, 1, 20), other), rel=1e-14)


def test_index_error_has_details_and_leaves_cleanly() -> None:
    native = Native(DOT)
    with pytest.raises(IndexError, match="index 3 is out of bounds for axis 0 with size 3"):
        native(np.ones(5), np.ones(3))
    assert native(np.ones(3), np.ones(3)) == (3.0,)


@pytest.mark.parametrize("step", [1, -1, 2, -3, 7])
@pytest.mark.parametrize("reverse", [False, True])
def test_for_takes_the_values_of_range(step: int, reverse: bool) -> None:
    program = f"""
func @values(%lo: i64, %hi: i64, %out: array<i64,1,C>) -> (i64) {{
  %i0: i64 = const [type='i64', value=0]
  %one: i64 = const [type='i64', value=1]
  %k: i64 = for %lo, %hi, %i0 [step={step}, reverse={reverse}] {{
  (%i: i64, %c: i64):
    store %i, %out, %c
    %d: i64 = add %c, %one
    yield %d
  }}
  return %k
}}
"""
    native = Native(program)
    top, bottom = 2**63 - 1, -(2**63)
    for lo, hi in ((0, 10), (10, 0), (3, 3), (5, -6), (-7, 8), (top - 4, top), (top, top - 4), (bottom, bottom + 5),
                   (bottom + 5, bottom), (0, 1), (1, 0)):  # fmt: skip
        agree(native, lo, hi, np.zeros(20, np.int64))


def test_while_counts_its_iterations() -> None:
    agree(
        """
func @collatz(%n: i64) -> (i64, i64) {
  %one: i64 = const [type='i64', value=1]
  %two: i64 = const [type='i64', value=2]
  %three: i64 = const [type='i64', value=3]
  %zero: i64 = const [type='i64', value=0]
  %last: i64, %count: i64 = while %n {
  (%k: i64, %v: i64):
    %go: bool = ne %v, %one
    yield %go
  } {
  (%k2: i64, %v2: i64):
    %r: i64 = mod %v2, %two
    %even: bool = eq %r, %zero
    %w: i64 = if %even {
    ():
      %h: i64 = floordiv %v2, %two
      yield %h
    } {
    ():
      %t: i64 = mul %v2, %three
      %u: i64 = add %t, %one
      yield %u
    }
    yield %w
  }
  return %last, %count
}
""",
        27,
    )


VIEWS = """
func @views(%a: array<f64,3,{layout}>, %p: i64, %q: i64) -> (array<f64,1,S>, array<f64,2,S>, f64, i64) {{
  %zero: i64 = const [type='i64', value=0]
  %one: i64 = const [type='i64', value=1]
  %minus: i64 = const [type='i64', value=-1]
  %two: i64 = const [type='i64', value=2]
  %n: i64 = dim %a [axis=2]
  %last: i64 = sub %n, %one
  %v: array<f64,1,S> = view %a, %p, %q, %last, %n, %minus [axes='iis']
  %w: array<f64,2,S> = view %a, %zero, %two, %one, %q, %one, %two, %two [axes='sis']
  %t: array<f64,2,S> = transpose %w [permutation=(1, 0)]
  %x: f64 = load %t, %one, %zero
  %d: i64 = dim %t [axis=0]
  store %x, %v, %zero
  return %v, %t, %x, %d
}}
"""


@pytest.mark.parametrize("layout", ["C", "S"])
def test_views_and_transposition(layout: str) -> None:
    array = np.arange(60.0).reshape(3, 4, 5)
    arrays = [array] if layout == "C" else [array, array[:, ::-1], np.arange(60.0).reshape(5, 4, 3).T]
    native = Native(VIEWS.format(layout=layout))
    for a in arrays:
        mine, theirs = np.array(a), np.array(a)
        if layout == "S":
            mine, theirs = a.copy("K"), a.copy("K")
        v, t, x, d = native(mine, 1, 2)
        assert x == theirs[0, 2, 3]
        assert d == 2
        theirs[1, 2, 4] = x
        np.testing.assert_array_equal(v, theirs[1, 2, ::-1])
        np.testing.assert_array_equal(t, theirs[0:2, 2, 1:5:2].T)
        np.testing.assert_array_equal(mine, theirs)


def test_lists_of_arrays() -> None:
    program = """
func @total(%ms: list<f64,2,S>) -> (f64) {
  %zero: f64 = const [type='f64', value=0.0]
  %i0: i64 = const [type='i64', value=0]
  %n: i64 = count %ms
  %s: f64 = for %i0, %n, %zero [step=1] {
  (%k: i64, %acc: f64):
    %m: array<f64,2,S> = item %ms, %k
    %rows: i64 = dim %m [axis=0]
    %cols: i64 = dim %m [axis=1]
    %s1: f64 = for %i0, %rows, %acc [step=1] {
    (%i: i64, %acc1: f64):
      %s2: f64 = for %i0, %cols, %acc1 [step=1] {
      (%j: i64, %acc2: f64):
        %x: f64 = load %m, %i, %j
        %t: f64 = add %acc2, %x
        yield %t
      }
      yield %s2
    }
    yield %s1
  }
  return %s
}
"""
    matrices = [
        np.arange(6.0).reshape(2, 3),
        np.ones((4, 4))[::2, 1:],
        np.zeros((0, 3)),
        np.arange(6.0).reshape(2, 3).T,
    ]
    agree(program, matrices)
    agree(program, [])


def test_carried_arrays_swap() -> None:
    agree(
        """
func @swap(%a: array<f64,1,C>, %b: array<f64,1,C>, %n: i64) -> (f64, f64) {
  %zero: i64 = const [type='i64', value=0]
  %one: f64 = const [type='f64', value=1.0]
  %x: array<f64,1,C>, %y: array<f64,1,C> = for %zero, %n, %a, %b [step=1] {
  (%i: i64, %u: array<f64,1,C>, %v: array<f64,1,C>):
    %p: f64 = load %u, %zero
    %q: f64 = add %p, %one
    store %q, %v, %zero
    yield %v, %u
  }
  %r: f64 = load %x, %zero
  %s: f64 = load %y, %zero
  return %r, %s
}
""",
        np.array([1.0]),
        np.array([5.0]),
        5,
    )


@pytest.mark.parametrize(
    ("dtype", "value"),
    [("f64", -1.5), ("f32", np.float32(-1.5)), ("i64", -(2**63)), ("i32", -5), ("i16", -5), ("i8", -5),
     ("u64", 2**64 - 1), ("u32", 2**32 - 1), ("u16", 65535), ("u8", 255), ("bool", True), ("bool", False)],
)  # fmt: skip
def test_scalars_and_elements_of_every_type(dtype: str, value: object) -> None:
    from adcore.ir.types import NUMPY_NAMES

    program = f"""
func @pass(%v: {dtype}, %a: array<{dtype},1,C>) -> ({dtype}, {dtype}) {{
  %zero: i64 = const [type='i64', value=0]
  %one: i64 = const [type='i64', value=1]
  store %v, %a, %zero
  %w: {dtype} = load %a, %one
  return %w, %v
}}
"""
    array = np.array([0, 1], NUMPY_NAMES[dtype])
    array[1] = value
    agree(program, value, array)


@pytest.mark.parametrize("choice", ["gt %x, %m", "lt %m, %x", "ge %x, %m", "lt %x, %m", "gt %m, %x", "le %x, %m"])
@pytest.mark.parametrize("element", ["f64", "f32"])
def test_running_extrema_keep_their_meaning_and_run_in_vectors(choice: str, element: str) -> None:
    program = f"""
func @extremum(%a: array<{element},1,C>) -> ({element}) {{
  %i0: i64 = const [type='i64', value=0]
  %one: i64 = const [type='i64', value=1]
  %n: i64 = dim %a [axis=0]
  %first: {element} = load %a, %i0
  %r: {element} = for %one, %n, %first [step=1] {{
  (%i: i64, %m: {element}):
    %x: {element} = load %a, %i
    %better: bool = {choice}
    %next: {element} = select %better, %x, %m
    yield %next
  }}
  return %r
}}
"""
    dtype = np.float64 if element == "f64" else np.float32
    rng = np.random.default_rng(5)
    native = Native(program)
    for size in (1, 2, 7, 64, 65):
        values = rng.normal(size=size).astype(dtype)
        agree(native, values)
        for k in {0, size // 2, size - 1}:
            for special in (np.nan, np.inf, -np.inf):
                changed = values.copy()
                changed[k] = special
                agree(native, changed)
    agree(native, np.full(9, np.nan, dtype))
    assert "x double>" in native.artifact.llvm_ir or "x float>" in native.artifact.llvm_ir


def test_differences_in_the_users_order_run_in_vectors() -> None:
    """Two carried values start from one operand, and only one of them is subtracted from."""
    native = Native("""
func @differences(%a: array<f64,1,C>, %s: f64) -> (f64, f64, f64) {
  %i0: i64 = const [type='i64', value=0]
  %n: i64 = dim %a [axis=0]
  %p: f64, %q: f64, %r: f64 = for %i0, %n, %s, %s, %s [step=1] {
  (%i: i64, %x: f64, %y: f64, %z: f64):
    %v: f64 = load %a, %i
    %root: f64 = sqrt %v
    %x1: f64 = sub %x, %root
    %y1: f64 = add %y, %v
    %z1: f64 = sub %z, %v
    yield %x1, %y1, %z1
  }
  return %p, %q, %r
}
""")
    values = np.random.default_rng(2).uniform(size=101)
    for size in (0, 1, 3, 101):
        p, q, r = native(values[:size].copy(), 0.3)
        expected = [0.3, 0.3, 0.3]
        for v in values[:size]:
            expected = [expected[0] - np.sqrt(v), expected[1] + v, expected[2] - v]
        assert [p, q, r] == expected
    assert "llvm.loop.isvectorized" in native.artifact.llvm_ir
