"""Scalars and sums: derivatives that need the inputs, and derivatives that need nothing."""

import numpy as np
import pytest


def squares(x1, x2):
    return x1**2 + x2**2


@pytest.mark.no_alloc_grad(squares, 3.0, -4.0, wrt=(0, 1), max_workspace=0)
def test_squares_of_two_numbers():
    """The inputs are still there when the reverse sweep asks for them."""


def add(x1, x2):
    return x1 + x2


@pytest.mark.no_alloc_grad(add, 3.0, -4.0, wrt=(0, 1), mode="both", max_workspace=0)
def test_sum_of_two_numbers():
    """A sum's derivative reads neither operand."""


def add_and_forget(x, y, out):
    for i in range(len(x)):
        out[i] = x[i] + y[i]
        x[i] = 0.0
        y[i] = 0.0


@pytest.mark.no_alloc_grad(add_and_forget, np.ones(5), np.full(5, 2.0), np.zeros(5), wrt=("x", "y"), max_workspace=0)
def test_sum_that_destroys_its_operands():
    """So both may be overwritten at once, and still nothing is kept."""
