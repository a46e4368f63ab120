"""Which element is overwritten depends on data: any of them may be."""

import numpy as np


def program(x, where):
    total = 0.0
    for i in range(len(where)):
        total += x[i] * x[i]
        x[where[i]] = 0.5
    return total


ARGS = (np.linspace(1.0, 2.0, 5), np.array([3, 1, 4, 0]))
