"""A temporary that lives inside the loop."""

import numpy as np


def program(x):
    total = 0.0
    for i in range(len(x)):
        t = np.zeros(2)
        t[0] = x[i] * x[i]
        t[1] = t[0] * x[i]
        total += t[0] * t[1]
    return total


ARGS = (np.linspace(1.0, 2.0, 6),)
