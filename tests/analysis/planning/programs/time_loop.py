"""Gauss-Seidel until it stands still."""

import numpy as np


def program(u, f):
    converged = False
    while not converged:
        change = 0.0
        for i in range(1, len(u) - 1):
            old = u[i]
            u[i] = 0.5 * (u[i - 1] + u[i + 1] - f[i] * old * old)
            change = max(change, abs(u[i] - old))
        converged = change < 1e-3
    return u[2]


ARGS = (np.linspace(0.0, 1.0, 6), np.full(6, 0.1))
