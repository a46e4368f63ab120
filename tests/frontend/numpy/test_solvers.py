"""Longer programs over arrays."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from tests.frontend.numpy.array_programs import read_then_clear
from tests.frontend.support import agrees


@dataclasses.dataclass
class Holder:
    matrix: Any


def func_to_be_differentiated(mat_vec, vec):
    length = len(vec)
    for i in range(length):
        mat = mat_vec[i]
        a = vec[i]
        new_column = (a, a, a)
        for j in range(3):
            mat[j, 0] = new_column[j]
        mat[0, 0] = vec[i]


def over_matrices(mat_vec, vec):
    func_to_be_differentiated(mat_vec, vec)
    return mat_vec[2][0, 0]


def over_holders(holders, vec):
    for i in range(len(vec)):
        mat = holders[i].matrix
        new_column = [vec[i]] * 3
        for j in range(3):
            mat[j, 0] = new_column[j]
        mat[0, 0] = vec[i]
    return holders[2].matrix[0, 0]


def square_then_sum(x):
    for i in range(len(x)):
        x[i] = x[i] ** 2
    return sum(x)


def two_squares(x):
    return x[0] ** 2 + x[1] ** 2


def product_into(out, inp):
    out[0] = inp[0] * inp[1]


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (over_matrices, ([np.zeros((3, 1)) for _ in range(3)], np.arange(3.0))),
        (over_matrices, (tuple(np.zeros((3, 1)) for _ in range(3)), np.arange(3.0))),
        (over_matrices, (np.zeros((3, 3, 1)), np.arange(3.0))),
        (over_matrices, ([np.zeros((3, 1)) for _ in range(2)], np.arange(3.0))),
        (over_holders, ([Holder(np.zeros((3, 1))) for _ in range(3)], np.arange(3.0))),
        (square_then_sum, (np.array([1.0, 2.0]),)),
        (two_squares, (np.array([1.0, 2.0]),)),
        (read_then_clear, (np.arange(12.0),)),
        (read_then_clear, (np.arange(4.0),)),
        (product_into, (np.zeros(1), np.array([2.0, 3.0]))),
    ],
)
def test_programs_of_the_seed(function, arguments):
    agrees(function, *arguments, message=not isinstance(arguments[0], list))


# Properties -----------------------------------------------------------------------------------------------------------
