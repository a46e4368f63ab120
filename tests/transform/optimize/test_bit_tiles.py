"""Truth values packed a tile at a time: the same bits as one by one, in loops that run in vectors."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import numpy as np
import pytest

import adcore as ad
from adcore.ir import Function, parse_function, verify
from adcore.ir.core import walk
from adcore.machine_model import MODEL
from adcore.ops import TABLE
from adcore.transform.canonical.simplify import simplify
from adcore.transform.optimize.bit_tiles import tile_bits
from tests.lower.native import Native, agree
from tests.samples import sample
from tests.transform.texts import check_pass, check_unchanged

TILE = MODEL.bit_tile

PROGRAM = """
func @rows(%x: array<f64,2,C>, %lo: i64) -> (f64) {
  %zero: f64 = const [type='f64', value=0.0]
  %i0: i64 = const [type='i64', value=0]
  %m: i64 = dim %x [axis=0]
  %n: i64 = dim %x [axis=1]
  %turns: i64 = sub %n, %lo [exact=True]
  %kept: array<bool,2,P> = alloc %m, %turns [element='bool', packed=True, role='stored']
  %also: array<bool,2,P> = alloc %m, %turns [element='bool', packed=True, role='stored']
  for %i0, %m [step=1] {
  (%i: i64):
    for %lo, %n [step=1, reverse=BACKWARDS] {
    (%j: i64):
      %k: i64 = sub %j, %lo [exact=True]
      %a: f64 = load %x, %i, %j
      %c: bool = gt %a, %zero
      STORE
      if %c {
      ():
        %half: f64 = const [type='f64', value=0.5]
        %large: bool = gt %a, %half
        store %large, %also, %i, %k
        yield
      } {
      ():
        yield
      }
      yield
    }
    yield
  }
  %s: f64 = for %i0, %m, %zero [step=1, reverse=True] {
  (%i2: i64, %acc: f64):
    %t: f64 = for %lo, %n, %acc [step=1, reverse=True] {
    (%j2: i64, %acc2: f64):
      %k2: i64 = sub %j2, %lo [exact=True]
      %was: bool = load %kept, %i2, %k2
      %b: f64 = load %x, %i2, %j2
      %v: f64 = if %was {
      ():
        %big: bool = load %also, %i2, %k2
        %w: f64 = select %big, %b, %zero
        yield %w
      } {
      ():
        %negative: f64 = neg %b
        yield %negative
      }
      %d: f64 = add %acc2, %v
      yield %d
    }
    yield %t
  }
  return %s
}
"""

STORE = "store %c, %kept, %i, %k"


def program(backwards: bool = False, store: str = STORE) -> Any:
    return verify(parse_function(PROGRAM.replace("BACKWARDS", str(backwards)).replace("STORE", store)), TABLE)


@cache
def natives(backwards: bool, stack_limit: int) -> tuple[Native, Native]:
    """The program as it is written, and a tile at a time."""
    plain = program(backwards)
    tiled = verify(tile_bits(plain, TABLE), TABLE)
    assert ops(tiled).count("pack") == ops(tiled).count("unpack") == 2
    return Native(plain), Native(tiled, stack_limit=stack_limit)


def ops(function: Any) -> list[str]:
    return [instr.op for instr in walk(function.region)]


@pytest.mark.parametrize("columns", sample([1, 7, 9, TILE, TILE + 1, 8, 63, TILE - 1, 2 * TILE + 77], quick=5))
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("stack_limit", [16384, 0])
def test_a_tile_at_a_time_is_the_same(columns: int, backwards: bool, stack_limit: int) -> None:
    x = np.random.default_rng(columns).normal(size=(3, columns))
    one_by_one, native = natives(backwards, stack_limit)
    for lo in (0, min(5, columns)):
        agree(one_by_one, x, lo, tolerance=1e-12)
        agree(native, x, lo, tolerance=1e-12)
        assert native(x, lo) == pytest.approx(one_by_one(x, lo), rel=1e-12)
        assert native.workspace_used == 2 * 3 * -(-(columns - lo) // 8)


def test_what_is_read_and_written_in_one_loop_is_left_alone() -> None:
    swap = "%old: bool = load %kept, %i, %k\n      %both: bool = or %old, %c\n      store %both, %kept, %i, %k"
    tiled = tile_bits(program(store=swap), TABLE)
    assert "pack" not in ops(tiled)
    assert ops(tiled).count("unpack") == 2
    elsewhere = "%next: i64 = add %k, %i [exact=True]\n      store %c, %kept, %i, %next"
    assert "pack" not in ops(tile_bits(program(store=elsewhere), TABLE))


def rectified(w, x, b, y):
    for i in range(len(x)):
        z = w[i] * x[i] + b[i]
        if z > 0.0:
            y[i] = z * z
        else:
            y[i] = 0.01 * z


def test_the_loops_run_in_vectors() -> None:
    arrays = [np.linspace(-1.0, 1.0, 1000) + k for k in range(4)]
    handle = ad.compile(rectified, *(ad.Duplicated(a, np.zeros(1000)) for a in arrays))
    assert handle.workspace_formula.startswith("ceil(len(")
    compares = re.findall(r"fcmp ogt <(\d+) x double>", handle.llvm_ir)
    products = re.findall(r"fmul [a-z ]*<(\d+) x double>", handle.llvm_ir)
    assert compares
    assert products


def run(function: Function) -> Function:
    return simplify(tile_bits(function, TABLE), TABLE)


def test_bits_are_packed_eight_at_a_time() -> None:
    check_pass(
        run,
        """
        %kept: array<bool,1,P> = alloc %n [element='bool', packed=True]
        for 0, %n [step=1] {
        (%i: i64):
          %v: f64 = load %x, %i
          %c: bool = gt %v, 0.0
          store %c, %kept, %i
          yield
        }
        """,
        """
        %kept: array<bool,1,P> = alloc %n [element='bool', packed=True]
        %2: i64 = maximum %n, 0
        %3: i64 = add %2, 512 [exact=True]
        %5: i64 = sub %3, 1 [exact=True]
        %6: i64 = floordiv %5, 512 [exact=True]
        for 0, %6 [step=1] {
        (%tile: i64):
          %8: i64 = mul %tile, 512 [exact=True]
          %9: i64 = add %8, 512 [exact=True]
          %10: i64 = minimum %n, %9
          %11: i64 = sub %10, %8 [exact=True]
          %12: i64 = add %11, 8 [exact=True]
          %13: i64 = sub %12, 1 [exact=True]
          %14: i64 = floordiv %13, 8 [exact=True]
          %15: i64 = mul %tile, 64 [exact=True]
          %tile.1: array<bool,1,C> = alloc 512 [element='bool', role='tile', zero=True]
          for %8, %10 [step=1] {
          (%i: i64):
            %16: i64 = sub %i, %8 [exact=True]
            %v: f64 = load %x, %i
            %c.1: bool = gt %v, 0.0
            store %c.1, %tile.1, %16
            yield
          }
          for 0, %14 [step=1] {
          (%octet: i64):
            %17: i64 = add %15, %octet [exact=True]
            pack %tile.1, %octet, %kept, %17
            yield
          }
          yield
        }
        """,
    )


def test_a_loop_that_is_known_to_be_short_stays() -> None:
    check_unchanged(
        run,
        """
        %kept: array<bool,1,P> = alloc 8 [element='bool', packed=True]
        for 0, 8 [step=1] {
        (%i: i64):
          store %p, %kept, %i
          yield
        }
        """,
    )
