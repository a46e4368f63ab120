"""Small pieces of loop code that passes emit: each takes the place of a loop that does the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from adcore.ir import Builder, Function, Instr, Region, Value
from adcore.ir.loops import emit_loop_nest
from adcore.ops import TABLE
from adcore.ops.bulk import expand_copy
from adcore.transform.loop_building import emit_form, inits_of, iteration_number, trip_count
from tests.transform.texts import check_pass, parse

Emit = Callable[[Builder, Instr, Function], tuple[Value, ...]]


def instead(emit: Emit) -> Callable[[Function], Function]:
    """A pass that puts what `emit` appends in the place of the last instruction, a loop."""

    def run(function: Function) -> Function:
        b = Builder(TABLE)
        *before, loop = function.region.body
        for instr in before:
            b.append(instr)
        results = emit(b, loop, function)
        return replace(function, region=b.finish(function.params, results))

    return run


COUNTED = """
%count: i64 = for %k, %n, 0 [step={step}] {{
(%i: i64, %u: i64):
  %v: i64 = add %u, 1
  yield %v
}}
return %count
"""

COUNTS = {
    1: """
        %distance: i64 = sub %n, %k [exact=True]
        %count: i64 = maximum %distance, 0
        return %count
        """,
    -1: """
        %distance: i64 = sub %k, %n [exact=True]
        %count: i64 = maximum %distance, 0
        return %count
        """,
    3: """
        %distance: i64 = sub %n, %k [exact=True]
        %rounded: i64 = add %distance, 2 [exact=True]
        %whole: i64 = floordiv %rounded, 3 [exact=True]
        %count: i64 = maximum %whole, 0
        return %count
        """,
}

BOUNDS = [[*[None] * 6, n, 0, k, 0.0, False] for n in range(5) for k in range(5)]
"""Values for `PARAMETERS` that go through all small bounds."""


@pytest.mark.parametrize("step", COUNTS)
def test_a_trip_count_follows_from_the_bounds(step: int) -> None:
    run = instead(lambda b, loop, f: (trip_count(b, loop),))
    check_pass(run, COUNTED.format(step=step), COUNTS[step], arguments=BOUNDS)


def test_the_number_of_an_iteration_follows_from_its_counter() -> None:
    def numbered(b: Builder, loop: Instr, f: Function) -> tuple[Value, ...]:
        (body,) = loop.regions
        with b.region(body.params) as opened:
            opened.yields = (iteration_number(b, loop, body.params[0]),)
        b.append(replace(loop, regions=(opened.region,)))
        return loop.results

    before = """
        %last: i64 = for %k, %n, -1 [step=3] {
        (%i: i64, %u: i64):
          %v: i64 = add %u, 1
          yield %v
        }
        return %last
        """
    after = """
        %last: i64 = for %k, %n, -1 [step=3] {
        (%i: i64, %u: i64):
          %distance: i64 = sub %i, %k [exact=True]
          %number: i64 = floordiv %distance, 3 [exact=True]
          yield %number
        }
        return %last
        """
    check_pass(instead(numbered), before, after, arguments=BOUNDS)


def test_initial_values_are_operands_behind_the_bounds() -> None:
    counted, tested = parse(
        """
        %t: f64 = for %k, %n, %s [step=1] {
        (%i: i64, %u: f64):
          yield %u
        }
        %w: f64, %trips: i64 = while %s {
        (%j: i64, %v: f64):
          yield %p
        } {
        (%j: i64, %v: f64):
          yield %v
        }
        """
    ).region.body
    assert [v.hint for v in (*inits_of(counted), *inits_of(tested))] == ["s", "s"]


NEST = """
for 0, 12 [step=1] {
(%i: i64):
  for 0, 12 [step=1] {
  (%j: i64):
    %v: f64 = load %a, %i, %j
    store %v, %b, %i, %j
    yield
  }
  yield
}
"""

OVER_SHAPE = """
%rows: i64 = dim %a [axis=0]
for 0, %rows [step=1] {
(%i: i64):
  %columns: i64 = dim %a [axis=1]
  for 0, %columns [step=1] {
  (%j: i64):
    %v: f64 = load %a, %i, %j
    store %v, %b, %i, %j
    yield
  }
  yield
}
"""


def test_a_copy_goes_through_the_elements_in_the_order_in_which_they_lie() -> None:
    def copied(b: Builder, loop: Instr, f: Function) -> tuple[Value, ...]:
        return tuple(expand_copy(b, f.params[3:5]))

    check_pass(instead(copied), NEST, OVER_SHAPE)


def test_a_nest_over_an_array_does_what_it_is_given() -> None:
    def filled(b: Builder, loop: Instr, f: Function) -> tuple[Value, ...]:
        emit_loop_nest(b, f.params[3], lambda b, index: b.emit_many("store", (f.params[9], f.params[3], *index), {}))
        return ()

    changes = {"%v: f64 = load %a, %i, %j": "", "store %v, %b": "store %s, %a"}
    before, after = NEST, OVER_SHAPE
    for old, new in changes.items():
        before, after = before.replace(old, new), after.replace(old, new)
    check_pass(instead(filled), before, after)


def test_an_affine_form_takes_no_more_than_it_says() -> None:
    def written(b: Builder, loop: Instr, f: Function) -> tuple[Value, ...]:
        n, m, k = f.params[6:9]
        return (emit_form(b, {n: -1, m: 3, k: 1, 1: -2}, lambda atom: atom),)

    before = """
        %0: i64 = mul %m, 3
        %1: i64 = sub %0, %n
        %2: i64 = add %1, %k
        %3: i64 = for 0, 2, %2 [step=1] {
        (%i: i64, %u: i64):
          %v: i64 = sub %u, 1
          yield %v
        }
        return %3
        """
    after = """
        %0: i64 = mul %m, 3
        %1: i64 = sub %0, %n
        %2: i64 = add %1, %k
        %4: i64 = neg %n [exact=True]
        %5: i64 = mul %m, 3 [exact=True]
        %6: i64 = add %4, %5 [exact=True]
        %7: i64 = add %6, %k [exact=True]
        %8: i64 = add %7, -2 [exact=True]
        return %8
        """
    check_pass(instead(written), before, after)


def test_a_form_without_atoms_is_a_constant() -> None:
    b = Builder(TABLE)
    value = emit_form(b, {1: 7}, lambda atom: atom)
    region: Region = b.finish((), (value,))
    assert [i.attrs["value"] for i in region.body] == [7]
