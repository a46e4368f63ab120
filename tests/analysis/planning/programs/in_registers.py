"""Outside of loops a value that memory loses stays in a register."""

import numpy as np


def program(x):
    x[0] = x[0] * x[1]
    x[1] = x[0] ** 3
    return x[1]


ARGS = (np.array([2.0, 3.0]),)
