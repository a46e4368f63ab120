"""A linear stencil needs no state."""

import numpy as np


def program(u, new, steps):
    for _ in range(steps):
        for i in range(1, len(u) - 1):
            new[i] = 0.25 * u[i - 1] + 0.5 * u[i] + 0.25 * u[i + 1]
        for i in range(1, len(u) - 1):
            u[i] = new[i]
    return u[2]


ARGS = (np.linspace(0.0, 1.0, 8), np.zeros(8), 5)
