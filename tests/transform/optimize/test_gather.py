"""Scattered sums become gathered ones: the same numbers, from loops that touch each element once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from adcore.ir import Function, interpret, verify
from adcore.ir.core import Instr, walk
from adcore.ir.parser import parse_function
from adcore.ops import TABLE
from adcore.transform.canonical.simplify import simplify
from adcore.transform.optimize.gather import gather_accumulations
from adcore.transform.optimize.improve import improve
from tests.transform.texts import check_pass, check_unchanged

SIZE = 16


@dataclass(frozen=True)
class Stencil:
    """A loop that adds to d[i + o] for each offset o; `clears` stores to x[i + clears] as well, before or after."""

    offsets: tuple[int, ...]
    reverse: bool
    clears: int | None
    clears_first: bool

    @property
    def may_be_gathered(self) -> bool:
        """Whether no iteration reads, at x[i - 1] to x[i + 1], what was cleared before."""
        if self.clears is None:
            return True
        ahead = -self.clears if not self.reverse else self.clears
        return ahead > 1 or (ahead == 1 and not self.clears_first)

    def function(self) -> Function:
        lines = [
            "func @stencil(%x: array<f64,1,C>, %w: array<f64,1,C>, %d: array<f64,1,C>, %lo: i64, %hi: i64) -> () {",
            *(f"  %c{k + 3}: i64 = const [type='i64', value={k}]" for k in range(-3, 4)),
            "  %zero: f64 = const [type='f64', value=0.0]",
            f"  for %lo, %hi [step=1{', reverse=True' if self.reverse else ''}] {{",
            "  (%i: i64):",
        ]
        if self.clears is not None:
            lines.append(f"    %at: i64 = add %i, %c{self.clears + 3} [exact=True]")
        if self.clears is not None and self.clears_first:
            lines.append("    store %zero, %x, %at")
        for k, shift in enumerate((-1, 0, 1)):
            lines.append(f"    %p{k}: i64 = add %i, %c{shift + 3} [exact=True]")
            lines.append(f"    %x{k}: f64 = load %x, %p{k}")
        for k, offset in enumerate(self.offsets):
            lines.append(f"    %t{k}: i64 = add %i, %c{offset + 3} [exact=True]")
            lines.append(f"    %w{k}: f64 = load %w, %t{k}")
            lines.append(f"    %v{k}: f64 = mul %x{k % 3}, %w{k}")
            lines.append(f"    accumulate %v{k}, %d, %t{k}")
        if self.clears is not None and not self.clears_first:
            lines.append("    store %zero, %x, %at")
        return parse_function("\n".join([*lines, "    yield", "  }", "  return", "}"]))


def loops(function: Function) -> list[Instr]:
    return [i for i in walk(function.region) if i.op == "for"]


def run(function: Function, lo: int, hi: int) -> list[np.ndarray]:
    """The arrays after a run; whole numbers, so that sums do not depend on their order."""
    rng = np.random.default_rng(lo * 31 + hi)
    arrays = [rng.integers(-9, 10, SIZE).astype(float) for _ in range(3)]
    interpret(function, TABLE, [*arrays, lo, hi])
    return arrays


stencils = st.builds(
    Stencil,
    st.integers(-3, 1).flatmap(lambda first: st.integers(2, 4).flatmap(
        lambda count: st.permutations(range(first, min(first + count, 4))).map(tuple))),
    st.booleans(),
    st.none() | st.integers(-2, 2),
    st.booleans(),
)  # fmt: skip


@given(stencils, st.integers(3, 6), st.integers(-2, 7))
def test_it_gives_the_same_sums(stencil: Stencil, lo: int, turns: int) -> None:
    function = verify(stencil.function(), TABLE)
    expected = run(function, lo, lo + turns)
    for made in (gather_accumulations(function, TABLE), improve(function, TABLE)):
        for got, want in zip(run(verify(made, TABLE), lo, lo + turns), expected, strict=True):
            np.testing.assert_array_equal(got, want)


@given(stencils)
def test_it_gathers_where_it_may(stencil: Stencil) -> None:
    gathered = gather_accumulations(stencil.function(), TABLE)
    wanted = stencil.may_be_gathered and len(stencil.offsets) >= 3
    assert len(loops(gathered)) == (3 if wanted else 1)


def test_an_array_that_may_be_the_one_read_is_left_alone() -> None:
    function = Stencil((-1, 0, 1), False, None, False).function()
    assert len(loops(gather_accumulations(function, TABLE, [(0, 2)]))) == 1
    assert len(loops(gather_accumulations(function, TABLE, [(0, 1)]))) == 3


def test_terms_that_share_dear_work_stay_together() -> None:
    text = """
    func @dear(%x: array<f64,1,C>, %d: array<f64,1,C>, %n: i64) -> () {
      %one: i64 = const [type='i64', value=1]
      for %one, %n [step=1] {
      (%i: i64):
        %v: f64 = load %x, %i
        %e: f64 = exp %v
        %before: i64 = sub %i, %one [exact=True]
        %after: i64 = add %i, %one [exact=True]
        accumulate %e, %d, %before
        accumulate %e, %d, %i
        accumulate %e, %d, %after
        yield
      }
      return
    }
    """
    function = verify(parse_function(text), TABLE)
    assert len(loops(gather_accumulations(function, TABLE))) == 1


def gathered(function: Function) -> Function:
    return simplify(gather_accumulations(function, TABLE), TABLE)


def test_the_adjoint_of_a_stencil_is_a_stencil() -> None:
    check_pass(
        gathered,
        """
        for 0, %n [step=1] {
        (%i: i64):
          %i1: i64 = add %i, 1 [exact=True]
          %i2: i64 = add %i, 2 [exact=True]
          %v: f64 = load %x, %i
          accumulate %v, %d, %i
          accumulate %v, %d, %i1
          accumulate %v, %d, %i2
          yield
        }
        """,
        """
        %0: bool = ge %n, 2
        if %0 {
        ():
          %v: f64 = load %x, 0
          accumulate %v, %d, 0
          %v.1: f64 = load %x, 1
          %v.2: f64 = load %x, 0
          %2: f64 = add %v.1, %v.2 [flags='adjoint']
          accumulate %2, %d, 1
          for 2, %n [step=1] {
          (%i: i64):
            %v.3: f64 = load %x, %i
            %4: i64 = add %i, -1 [exact=True]
            %v.4: f64 = load %x, %4
            %5: i64 = add %i, -2 [exact=True]
            %v.5: f64 = load %x, %5
            %6: f64 = add %v.3, %v.4 [flags='adjoint']
            %7: f64 = add %6, %v.5 [flags='adjoint']
            accumulate %7, %d, %i
            yield
          }
          %8: i64 = add %n, -1 [exact=True]
          %i1: i64 = add %8, 1 [exact=True]
          %v.6: f64 = load %x, %8
          %9: i64 = add %n, -2 [exact=True]
          %v.7: f64 = load %x, %9
          %10: f64 = add %v.6, %v.7 [flags='adjoint']
          accumulate %10, %d, %i1
          %11: i64 = add %n, 1 [exact=True]
          %12: i64 = add %11, -2 [exact=True]
          %i2: i64 = add %12, 2 [exact=True]
          %v.8: f64 = load %x, %12
          accumulate %v.8, %d, %i2
          yield
        } {
        ():
          for 0, %n [step=1] {
          (%i.1: i64):
            %v.9: f64 = load %x, %i.1
            accumulate %v.9, %d, %i.1
            %15: i64 = add %i.1, 1 [exact=True]
            %16: i64 = add %15, -1 [exact=True]
            %i1.1: i64 = add %16, 1 [exact=True]
            %v.10: f64 = load %x, %16
            accumulate %v.10, %d, %i1.1
            %17: i64 = add %i.1, 2 [exact=True]
            %18: i64 = add %17, -2 [exact=True]
            %i2.1: i64 = add %18, 2 [exact=True]
            %v.11: f64 = load %x, %18
            accumulate %v.11, %d, %i2.1
            yield
          }
          yield
        }
        """,
    )


def test_two_neighbours_are_left_to_predictive_commoning() -> None:
    check_unchanged(
        gathered,
        """
        for 0, %n [step=1] {
        (%i: i64):
          %i1: i64 = add %i, 1 [exact=True]
          %v: f64 = load %x, %i
          accumulate %v, %d, %i
          accumulate %v, %d, %i1
          yield
        }
        """,
    )
