"""The derivative of exp is its result, and that is what stands in memory: nothing is lost."""

from math import exp

import numpy as np


def program(x):
    total = 0.0
    for i in range(len(x)):
        x[i] = exp(x[i])
    for i in range(len(x)):
        total += x[i]
    return total


ARGS = (np.linspace(-1.0, 1.0, 5),)
