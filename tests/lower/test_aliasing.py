"""Overlapping buffers: right where they are declared, and no run-time tests of addresses where they are not."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from adcore.ir import interpret, parse_function, walk
from adcore.lower import roots
from adcore.ops import TABLE
from tests.lower.native import Native, agree

SHIFT = """
func @shift(%x: array<f64,1,S>, %y: array<f64,1,S>, %z: array<f64,1,C>) -> () {
  %two: f64 = const [type='f64', value=2.0]
  %i0: i64 = const [type='i64', value=0]
  %n: i64 = dim %x [axis=0]
  for %i0, %n [step=1] {
  (%i: i64):
    %a: f64 = load %x, %i
    %b: f64 = mul %a, %two
    store %b, %y, %i
    %c: f64 = load %x, %i
    store %c, %z, %i
    yield
  }
  return
}
"""


@pytest.mark.parametrize("shift", [0, 1, 3, -2])
def test_declared_overlap_gives_the_sequential_result(shift: int) -> None:
    native = Native(SHIFT, alias_groups=((0, 1),))
    function = parse_function(SHIFT)

    def run(call: Any) -> tuple[Any, Any]:
        buffer, z = np.arange(1.0, 60.0), np.zeros(40)
        call((buffer[5:45], buffer[5 + shift : 45 + shift], z))
        return buffer, z

    for a, b in zip(run(lambda a: native(*a)), run(lambda a: interpret(function, TABLE, a)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_disjoint_parameters_need_no_test_of_addresses() -> None:
    contiguous = SHIFT.replace(",S>", ",C>")
    apart = Native(contiguous).artifact.llvm_ir
    grouped = Native(contiguous, alias_groups=((0, 1, 2),)).artifact.llvm_ir
    assert re.search("<[48] x double>", apart)
    assert "vector.memcheck" in grouped
    assert "vector.memcheck" not in apart


def test_neighbours_are_loaded_and_not_carried() -> None:
    """A value that a loop carries from one iteration to the next costs more than loading it again."""
    stencil = """
func @stencil(%x: array<f64,1,C>, %y: array<f64,1,C>) -> () {
  %one: i64 = const [type='i64', value=1]
  %n: i64 = dim %x [axis=0]
  %m: i64 = sub %n, %one [exact=True]
  for %one, %m [step=1] {
  (%i: i64):
    %l: i64 = sub %i, %one [exact=True]
    %r: i64 = add %i, %one [exact=True]
    %a: f64 = load %x, %l
    %b: f64 = load %x, %r
    %c: f64 = add %a, %b
    store %c, %y, %i
    yield
  }
  return
}
"""
    native = agree(stencil, np.arange(50.0), np.zeros(50))
    assert "shufflevector" not in native.artifact.llvm_ir
    assert re.search("<[48] x double>", native.artifact.llvm_ir)


def test_classes_of_workspace_memory() -> None:
    """Memory that is handed out twice shares one class; what lives until the end has its own."""
    function = parse_function("""
func @f(%x: array<f64,1,C>, %n: i64) -> () {
  %zero: i64 = const [type='i64', value=0]
  %before: array<f64,1,C> = alloc %n [element='f64']
  %second: array<f64,1,C> = alloc %n [element='f64']
  for %zero, %n [step=1] {
  (%i: i64):
    %inner: array<f64,1,C> = alloc %n [element='f64']
    yield
  }
  %after: array<f64,1,C> = alloc %n [element='f64']
  return
}
""")
    classes = roots.alias_classes(function, (), TABLE)
    allocs = [classes[i.result] for i in walk(function.region) if i.op == "alloc"]
    before, second, inner, after = allocs
    assert len({classes[function.params[0]], before, second, roots.RECYCLED}) == 4
    assert inner == after == roots.RECYCLED


def test_arrays_that_control_flow_may_swap_have_both_roots() -> None:
    function = parse_function("""
func @f(%a: array<f64,1,C>, %b: array<f64,1,C>, %n: i64) -> (array<f64,1,C>) {
  %zero: i64 = const [type='i64', value=0]
  %x: array<f64,1,C>, %y: array<f64,1,C> = for %zero, %n, %a, %b [step=1] {
  (%i: i64, %u: array<f64,1,C>, %v: array<f64,1,C>):
    yield %v, %u
  }
  return %x
}
""")
    assert roots.roots(function, TABLE)[function.results[0]] == set(function.params[:2])


def test_loops_proved_parallel_need_no_test_of_addresses() -> None:
    """Overlap is allowed, and yet the caller knows that no iteration depends on another."""
    contiguous = SHIFT.replace(",S>", ",C>")
    function = parse_function(contiguous)
    loops = [i for i in walk(function.region) if i.op == "for"]
    native = Native(function, alias_groups=((0, 1, 2),), parallel=loops)
    assert "llvm.access.group" in native.artifact.llvm_ir
    assert "vector.memcheck" not in native.artifact.llvm_ir
    assert re.search("<[48] x double>", native.artifact.llvm_ir)
    agree(native, np.arange(9.0), np.zeros(9), np.zeros(9))
