"""A branch that rests on rounded arithmetic is remembered, not decided twice."""

from math import sin

import numpy as np


def program(x):
    total = 0.0
    for i in range(len(x)):
        if sin(x[i]) * x[i] > 0.5:
            total += x[i] * x[i]
        else:
            total += x[i]
    return total


ARGS = (np.linspace(-1.0, 2.0, 7),)
