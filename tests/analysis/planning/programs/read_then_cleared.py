"""The derivative needs what the next line destroys."""

import numpy as np


def program(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[i]
        x[i] = 0.0
    return total


ARGS = (np.linspace(1.0, 2.0, 6),)
