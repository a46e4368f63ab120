"""A later loop destroys as well: the reverse sweep comes after both."""

import numpy as np


def program(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] ** 3
    for i in range(len(x)):
        x[i] = 0.0
    return total


ARGS = (np.linspace(1.0, 2.0, 6),)
