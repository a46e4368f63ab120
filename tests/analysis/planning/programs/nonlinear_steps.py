"""A nonlinear one needs the state that the copy back destroys, in every step."""

import numpy as np


def program(u, new, steps):
    n = len(u)
    for _ in range(steps):
        for i in range(1, n - 1):
            new[i] = u[i] - 0.1 * u[i] * (u[i + 1] - u[i - 1])
        for i in range(1, n - 1):
            u[i] = new[i]
    return u[2]


ARGS = (np.linspace(0.0, 1.0, 8), np.zeros(8), 40)
