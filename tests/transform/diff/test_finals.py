"""Copies of arrays between the sweeps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from adcore.ir import Builder, Function, interpret, parse_function, verify
from adcore.ops import TABLE
from adcore.transform.diff import finals
from adcore.transform.diff.finals import copied, put_back
from adcore.transform.expansion import expand_bulk
from tests.transform.texts import check_docstring


def run(function: Function) -> Function:
    """The program between a copy of its first parameter and the return of that."""
    b, (array, *_) = Builder(TABLE), function.params
    copy = copied(b, array)
    for instr in function.region.body:
        b.append(instr)
    put_back(b, copy, array)
    return expand_bulk(replace(function, region=b.finish(function.params, function.results)), TABLE)


def test_an_array_is_copied_and_put_back() -> None:
    check_docstring(finals, run)


def test_what_is_stored_in_between_is_rolled_back_in_all_arrays_of_a_list() -> None:
    program = parse_function(
        """
        func @f(%xs: list<f64,1,C>, %k: i64, %v: f64) -> () {
          %x: array<f64,1,C> = item %xs, %k
          %zero: i64 = const [type='i64', value=0]
          store %v, %x, %zero
          return
        }
        """
    )
    given = [np.arange(3.0), np.arange(5.0), np.arange(1.0)]
    arrays = [x.copy() for x in given]
    interpret(verify(run(program), TABLE), TABLE, [arrays, 1, 7.0])
    for x, before in zip(arrays, given, strict=True):
        np.testing.assert_array_equal(x, before)
