"""A clock that is carried along: it could be computed from the loop variable."""

from math import sin

import numpy as np


def program(x, dt):
    total = 0.0
    t = 0.0
    for i in range(len(x)):
        total += x[i] * sin(t)
        t += dt
    return total


ARGS = (np.linspace(1.0, 2.0, 6), 0.25)
