"""A factor that shrinks in each turn: a power of the rate, if nothing may be kept."""

import numpy as np


def program(x, rate):
    total = 0.0
    factor = 1.0
    for i in range(len(x)):
        total += x[i] * factor
        factor *= rate
    return total


ARGS = (np.linspace(1.0, 2.0, 6), 0.9)
