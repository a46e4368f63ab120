"""Overwritten at places that are data: the store is undone where it wrote."""

from math import sin

import numpy as np


def program(x, where):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[i]
    for i in range(len(where)):
        x[where[i]] = sin(x[where[i]])
    return total + x[0]


ARGS = (np.linspace(0.5, 1.5, 6), np.array([3, 1, 1, 4]))
