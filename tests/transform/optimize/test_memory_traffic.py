"""The passes that save touches of memory, each on a small program, before and after, and what must stop them."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from adcore.analysis.affine.dependence import AliasClasses
from adcore.analysis.affine.parallel import parallel_loops, vector_loops
from adcore.ir import Function, interpret, print_function, verify
from adcore.ir.core import walk
from adcore.ir.parser import parse_function
from adcore.ops import TABLE
from adcore.transform.optimize.dead_zeroing import remove_dead_zeroing
from adcore.transform.optimize.loop_reversal import reverse_loops
from adcore.transform.optimize.scalar_promotion import promote_sums

HEAD = """
func @f(%a: array<f64,1,C>, %d: array<f64,1,C>, %n: i64, %k: i64) -> () {
  %zero: f64 = const [type='f64', value=0.0]
  %0: i64 = const [type='i64', value=0]
  %1: i64 = const [type='i64', value=1]
"""


def program(body: str) -> Function:
    return verify(parse_function(HEAD + body + "\n  return\n}"), TABLE)


def ops(function: Function, *names: str) -> list[str]:
    return [i.op for i in walk(function.region) if i.op in names]


def agree(before: Function, after: Function, overlapping: bool = False) -> None:
    """Both do the same to the arrays: whole numbers, so that the order of sums cannot show."""
    for n, k in ((0, 0), (1, 0), (5, 2), (5, 4)):
        memory = []
        for function in (before, verify(after, TABLE)):
            a = np.arange(1.0, 9.0)
            d = a if overlapping else np.arange(3.0, 11.0)
            interpret(function, TABLE, [a, d, n, k])
            memory.append((a, d))
        np.testing.assert_array_equal(memory[0], memory[1])


CLEARED = """
  for %0, %n [step=1] {
  (%i: i64):
    %v: f64 = load %d, %i
    store %zero, %d, %i
    MIDDLE
    accumulate GIVEN, %d, %i
    yield
  }"""


def cleared(middle: str = "", given: str = "%v") -> Function:
    return program(CLEARED.replace("MIDDLE", middle).replace("GIVEN", given))


def test_what_is_taken_cleared_and_given_back_is_left() -> None:
    before = cleared("accumulate %v, %a, %i")
    after = remove_dead_zeroing(before, TABLE)
    assert ops(after, "store", "accumulate") == ["accumulate"]
    agree(before, after)


def test_clearing_and_adding_something_else_is_storing_it() -> None:
    before = cleared("%w: f64 = add %v, %v", "%w")
    after = remove_dead_zeroing(before, TABLE)
    assert ops(after, "store", "accumulate") == ["store"]
    agree(before, after)


@pytest.mark.parametrize(
    "middle",
    [
        "accumulate %v, %d, %k",  # perhaps the same element: first that, then what is given back
        "store %v, %d, %k",
        "%r: f64 = load %d, %k\n store %r, %a, %i",
        "if %b {\n():\n accumulate %v, %d, %k\n yield\n} {\n():\n yield\n}",
    ],
)
def test_a_clear_that_something_may_see_stays(middle: str) -> None:
    before = cleared("%b: bool = le %i, %k\n" + middle)
    after = remove_dead_zeroing(before, TABLE)
    assert ops(after, "store", "accumulate") == ops(before, "store", "accumulate")
    agree(before, after)


def test_a_clear_that_another_parameter_may_show_stays() -> None:
    before = cleared("%w: f64 = load %a, %i\n accumulate %w, %a, %k")
    assert ops(remove_dead_zeroing(before, TABLE), "store") == []
    after = remove_dead_zeroing(before, TABLE, [(0, 1)])
    assert ops(after, "store") == ["store"]
    agree(before, after, overlapping=True)


SUMMED = """
  for %0, %n [step=1] {
  (%i: i64):
    %v: f64 = load %a, %i
    FIRST
    accumulate %v, %d, %k
    accumulate %v, %d, %k
    yield
  }"""


def test_sums_to_one_element_are_added_up_in_a_register() -> None:
    before = program(SUMMED.replace("FIRST", ""))
    after = promote_sums(before, TABLE)
    assert ops(after, "for", "if", "accumulate") == ["for", "if", "accumulate"]
    agree(before, after)


def test_they_leave_one_loop_after_the_other() -> None:
    before = program("""
  for %0, %n [step=1] {
  (%j: i64):
    accumulate %zero, %d, %k
    for %0, %n [step=1] {
    (%i: i64):
      %v: f64 = load %a, %i
      accumulate %v, %d, %k
      yield
    }
    yield
  }""")
    after = promote_sums(before, TABLE)
    outer = next(i for i in after.region.body if i.op == "for")
    assert "accumulate" not in [i.op for i in walk(outer.regions[0])]
    agree(before, after)


@pytest.mark.parametrize("first", ["%r: f64 = load %d, %i\n store %r, %a, %i", "store %v, %d, %i"])
def test_sums_to_an_element_that_the_loop_may_touch_stay(first: str) -> None:
    before = program(SUMMED.replace("FIRST", first))
    after = promote_sums(before, TABLE)
    assert after is before


def test_sums_to_a_parameter_that_may_be_the_one_read_stay() -> None:
    before = program(SUMMED.replace("FIRST", ""))
    assert promote_sums(before, TABLE, [(0, 1)]) is before


REVERSED = """
  %start: i64 = add %k, %1 [exact=True]
  for %start, %n [reverse=True, step=1] {
  (%i: i64):
    %v: f64 = load %d, READ
    accumulate %v, %d, ADDED
    yield
  }"""


@pytest.mark.parametrize(("read", "added"), [("%i", "%k"), ("%k", "%i"), ("%i", "%i")])
def test_loops_whose_iterations_are_apart_run_upwards(read: str, added: str) -> None:
    before = program(REVERSED.replace("READ", read).replace("ADDED", added))
    (loop,) = (i for i in walk(before.region) if i.op == "for")
    apart = parallel_loops(before, TABLE)
    # A sum to d[k] is carried by every iteration, a load of d[k] by none.
    assert (loop in apart) is (added != "%k")
    after = reverse_loops(before, TABLE)
    assert bool(re.search("reverse=True", print_function(after))) is (loop not in apart)
    agree(before, after)


@pytest.mark.parametrize("seen", ["%t", "%s"])
def test_a_sum_that_is_looked_at_on_the_way_keeps_its_direction(seen: str) -> None:
    before = program(
        f"""
  %end: f64 = for %0, %n, %zero [step=1, reverse=True] {{
  (%i: i64, %s: f64):
    %v: f64 = load %a, %i
    %t: f64 = add %s, %v [flags='adjoint']
    accumulate {seen}, %d, %i
    yield %t
  }}"""
    )
    after = reverse_loops(before, TABLE)
    assert "reverse=True" in print_function(after)
    agree(before, after)


@pytest.mark.parametrize(
    ("body", "parallel"),
    [
        ("%v: f64 = load %a, %i\n store %v, %d, %i", True),
        ("%p: i64 = add %i, %1 [exact=True]\n %v: f64 = load %d, %p\n store %v, %d, %i", False),
        ("%p: i64 = add %i, %n [exact=True]\n %v: f64 = load %d, %p\n store %v, %d, %i", True),
        ("%p: i64 = mul %i, %k\n %v: f64 = load %a, %i\n store %v, %d, %p", False),
        ("%v: f64 = load %a, %i\n store %v, %d, %k", False),
    ],
)
def test_which_loops_are_parallel(body: str, parallel: bool) -> None:
    function = program("for %0, %n [step=1] {\n(%i: i64):\n" + body + "\n yield\n}")
    assert bool(parallel_loops(function, TABLE)) is parallel


@pytest.mark.parametrize(("factor", "told"), [("%1", True), ("%3", False)])
def test_llvm_is_told_where_neighbours_follow_each_other(factor: str, told: bool) -> None:
    body = f"%p: i64 = mul %i, {factor} [exact=True]\n %v: f64 = load %a, %p\n store %v, %d, %i\n yield\n}}"
    function = program("%3: i64 = const [type='i64', value=3]\nfor %0, %n [step=1] {\n(%i: i64):\n" + body)
    assert parallel_loops(function, TABLE)
    assert bool(vector_loops(function, TABLE)) is told


def test_arrays_that_may_overlap_are_not_apart() -> None:
    function = program("for %0, %n [step=1] {\n(%i: i64):\n %v: f64 = load %a, %i\n store %v, %d, %i\n yield\n}")
    assert parallel_loops(function, TABLE)
    assert not parallel_loops(function, TABLE, AliasClasses(((0, 1),)))


def test_an_array_that_a_loop_chooses_is_not_known_to_be_another() -> None:
    function = program("""
  %x: array<f64,1,C>, %y: array<f64,1,C> = for %0, %n, %a, %d [step=1] {
  (%t: i64, %u: array<f64,1,C>, %w: array<f64,1,C>):
    for %0, %n [step=1] {
    (%i: i64):
      %v: f64 = load %u, %k
      store %v, %d, %i
      yield
    }
    yield %w, %u
  }""")
    assert not parallel_loops(function, TABLE)


PASSES: list[Callable[[Function], Function]] = [
    lambda f: remove_dead_zeroing(f, TABLE),
    lambda f: promote_sums(f, TABLE),
    lambda f: reverse_loops(f, TABLE),
]


@pytest.mark.parametrize("pass_", PASSES)
def test_a_program_without_anything_to_do_stays(pass_: Callable[[Function], Function]) -> None:
    function = program("%v: f64 = load %a, %k\n store %v, %d, %k")
    assert print_function(pass_(function)) == print_function(function)
