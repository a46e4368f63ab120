"""Overwritten under a condition, and read by the neighbour: the value in the condition is the log of the store."""

import numpy as np


def program(x, steps):
    for _ in range(steps):
        for i in range(1, len(x)):
            if x[i] > x[i - 1]:
                x[i] = 0.9 * x[i] * x[i - 1]
    return x[0] * x[1]


ARGS = (np.array([0.9, 1.1, 0.7, 1.2, 1.3, 0.8]), 9)
