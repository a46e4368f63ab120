"""Relaxed in place until it stands still: what a step destroys is kept once, and rolled back for its neighbours."""

import numpy as np


def program(u):
    change = 1.0
    while change > 1e-2:
        change = 0.0
        for i in range(1, len(u) - 1):
            new = 0.25 * u[i] * (u[i - 1] + u[i + 1]) + 0.3
            change = max(change, abs(new - u[i]))
            u[i] = new
    return u[2]


ARGS = (np.linspace(0.2, 0.9, 8),)
