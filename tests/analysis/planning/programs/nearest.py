"""Two values that one decision chooses: the place of the nearest point is remembered, not the way to it."""

import numpy as np


def program(x, y, at):
    distance = (x[0] - at) ** 2
    value = y[0]
    for i in range(1, len(x)):
        if (x[i] - at) ** 2 < distance:
            distance = (x[i] - at) ** 2
            value = y[i]
    return value * distance


ARGS = (np.linspace(-1.0, 1.0, 8), np.linspace(2.0, 3.0, 8), 0.3)
