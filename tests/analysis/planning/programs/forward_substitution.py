"""Solves L x = b in the place of b: a finished entry is never written again."""

import numpy as np


def program(lower, b):
    for i in range(len(b)):
        s = b[i]
        for j in range(i):
            s -= lower[i, j] * b[j]
        b[i] = s / lower[i, i]
    return b[len(b) - 1]


ARGS = (np.tril(np.full((4, 4), 0.5)) + np.eye(4), np.linspace(1.0, 2.0, 4))
