"""A row's sum is behind a tanh: keeping its result is cheaper than another pass over the row."""

from math import tanh

import numpy as np


def program(w, x):
    total = 0.0
    for i in range(w.shape[0]):
        s = 0.0
        for j in range(w.shape[1]):
            s += w[i, j] * x[j]
        total += tanh(s)
    return total


ARGS = (np.linspace(-1.0, 1.0, 12).reshape(3, 4), np.linspace(0.5, 1.0, 4))
