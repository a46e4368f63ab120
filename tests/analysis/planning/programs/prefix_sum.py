"""Linear: neither operand is needed."""

import numpy as np


def program(x):
    for i in range(1, len(x)):
        x[i] += x[i - 1]
    return x[len(x) - 1]


ARGS = (np.linspace(1.0, 2.0, 6),)
