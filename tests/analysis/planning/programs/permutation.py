"""Reversed in place: no derivative reads what is swapped."""

import numpy as np


def program(x):
    n = len(x)
    for i in range(n // 2):
        x[i], x[n - 1 - i] = x[n - 1 - i], x[i]
    return x[0] * x[1]


ARGS = (np.linspace(1.0, 2.0, 6),)
