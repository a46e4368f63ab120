"""States of a loop, and where the next one is kept: as texts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from adcore.ir import I64, Builder, Function, Value
from adcore.ops import TABLE
from adcore.transform.canonical.simplify import simplify
from adcore.transform.checkpointing.snapshots import Arrays, Snapshots, emit_split
from tests.transform.texts import check_pass, check_text


def around(save: Callable[[Builder, Value], Callable[[], None]]) -> Callable[[Function], Function]:
    """The program between `save` and what that returns."""

    def run(function: Function) -> Function:
        b = Builder(TABLE)
        restore = save(b, function.params[0])
        for instr in function.region.body:
            b.append(instr)
        restore()
        return simplify(replace(function, region=b.finish(function.params, function.results)), TABLE)

    return run


def test_an_array_is_brought_back_as_it_was() -> None:
    def saved(b: Builder, array: Value) -> Callable[[], None]:
        arrays = Arrays(b, b.const(3), [array])
        arrays.save(b.const(2))
        return lambda: arrays.restore(b.const(2))

    check_pass(
        around(saved),
        """
        %v: f64 = load %x, %k
        return %v
        """,
        """
        %1: i64 = dim %x [axis=0]
        %state_x: array<f64,2,C> = alloc 3, %1 [element='f64', role='stored', zero=False]
        for 0, %1 [step=1] {
        (%4: i64):
          %5: f64 = load %x, %4
          store %5, %state_x, 2, %4
          yield
        }
        %v: f64 = load %x, %k
        for 0, %1 [step=1] {
        (%6: i64):
          %7: f64 = load %state_x, 2, %6
          store %7, %x, %6
          yield
        }
        return %v
        """,
    )


def test_a_state_has_the_carried_values_and_the_iteration() -> None:
    b, carried = Builder(TABLE), Value(I64, "c")
    states = Snapshots(b, b.const(2), [], [I64])
    states.save(b.const(0), b.const(7), [carried])
    (back,) = states.restore(b.const(0))
    check_text(
        Function("f", b.finish((carried,), (back, states.iteration(b.const(0))))),
        """
        func @f(%c: i64) -> (i64, i64) {
          %state: array<i64,1,C> = alloc 2 [element='i64', role='stored', zero=False]
          %iteration: array<i64,1,C> = alloc 2 [element='i64', role='stored', zero=False]
          store %c, %state, 0
          store 7, %iteration, 0
          %0: i64 = load %state, 0
          %1: i64 = load %iteration, 0
          return %0, %1
        }
        """,
    )


def test_the_next_state_is_kept_where_the_binomials_say() -> None:
    b, (steps, states) = Builder(TABLE), (Value(I64, "steps"), Value(I64, "states"))
    split = emit_split(b, steps, states)
    check_text(
        simplify(Function("split", b.finish((steps, states), (split,))), TABLE),
        """
        func @split(%steps: i64, %states: i64) -> (i64) {
          %2: i64, %3: i64, %4: i64, %5: i64 = while 0, 0, 1 {
          (%k: i64, %6: i64, %7: i64, %8: i64):
            %9: bool = lt %8, %steps
            yield %9
          } {
          (%k.1: i64, %10: i64, %11: i64, %12: i64):
            %13: i64 = add %k.1, 1 [exact=True]
            %14: i64 = add %states, %13 [exact=True]
            %15: i64 = mul %12, %14 [exact=True]
            %16: i64 = floordiv %15, %13 [exact=True]
            yield %11, %12, %16
          }
          %17: i64 = sub %4, %3 [exact=True]
          %18: i64 = sub %steps, %17 [exact=True]
          %19: i64 = maximum %2, %18
          %20: i64 = sub %3, %2 [exact=True]
          %21: i64 = sub %steps, %20 [exact=True]
          %22: i64 = minimum %3, %21
          %23: i64 = minimum %19, %22
          %24: i64 = sub %steps, 1 [exact=True]
          %25: i64 = minimum %23, %24
          %26: i64 = maximum 1, %25
          return %26
        }
        """,
    )
