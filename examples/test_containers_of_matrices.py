"""A loop fills the first column of each of several matrices; the result reads one entry back.

Which container holds the matrices makes no difference here: their buffers are compared at each call, so that a store
into one matrix is known not to touch the others, nor the list that they are in. Nothing has to be kept for the
reverse sweep, and nothing is allocated.
"""

from dataclasses import dataclass

import numpy as np
import pytest


def func_to_be_differentiated(mats, vec):
    for i in range(len(vec)):
        mat = mats[i]
        a = vec[i]
        new_column = (a, a, a)
        for j in range(3):
            mat[j, 0] = new_column[j]
        mat[0, 0] = vec[i]


def last_entry(mats, vec):
    func_to_be_differentiated(mats, vec)
    return mats[2][0, 0]


VEC = np.array([0.5, -1.0, 2.0])


@pytest.mark.no_alloc_grad(last_entry, [np.zeros((3, 1)) for _ in VEC], VEC, max_workspace=0)
def test_list_of_matrices():
    """The list stays a list: the same code serves any number of matrices."""


@pytest.mark.no_alloc_grad(last_entry, tuple(np.zeros((3, 1)) for _ in VEC), VEC, max_workspace=0)
def test_tuple_of_matrices():
    """A tuple has a length that is known when the code is compiled."""


@pytest.mark.no_alloc_grad(last_entry, np.zeros((3, 3, 1)), VEC, max_workspace=0)
def test_one_array():
    """One array of three axes; `mats[i]` is a view of it."""


@dataclass
class Body:
    frame: np.ndarray
    mass: float


def move_bodies(bodies, vec):
    for i in range(len(vec)):
        frame = bodies[i].frame
        for j in range(3):
            frame[j, 0] = vec[i] * bodies[i].mass
    return bodies[2].frame[0, 0] + bodies[0].frame[2, 0]


@pytest.mark.no_alloc_grad(move_bodies, [Body(np.zeros((3, 1)), 1.0 + k) for k in range(3)], VEC, max_workspace=0)
def test_list_of_dataclasses():
    """Structs of matrices, one derivative for each field that is a float or an array of floats."""
