"""A sort that adds up products of what it swaps."""

import numpy as np


def program(x):
    total = 0.0
    for i in range(1, len(x)):
        j = i
        while j > 0 and x[j - 1] > x[j]:
            total += x[j - 1] * x[j]
            x[j - 1], x[j] = x[j], x[j - 1]
            j -= 1
    return total


ARGS = (np.array([0.3, -0.4, 1.5, 0.1, -2.0]),)
