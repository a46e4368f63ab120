"""Read and cleared under a condition on what is cleared."""

import numpy as np


def program(x):
    total = 0.0
    for i in range(len(x)):
        if x[i] > 0.5:
            total += x[i] * x[i]
            x[i] = 0.0
    return total


ARGS = (np.linspace(0.0, 1.0, 6),)
