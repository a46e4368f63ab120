"""A polynomial at many points: a carried value in an inner loop."""

import numpy as np


def program(c, x):
    total = 0.0
    for v in x:
        p = 0.0
        for k in range(len(c)):
            p = p * v + c[k]
        total += p
    return total


ARGS = (np.linspace(1.0, 2.0, 4), np.linspace(-1.0, 1.0, 3))
