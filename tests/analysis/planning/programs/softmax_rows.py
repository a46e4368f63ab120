"""The largest element of each row: where it stood is remembered, one integer a row."""

from math import exp

import numpy as np


def program(a, out):
    for i in range(a.shape[0]):
        largest = a[i, 0]
        for j in range(1, a.shape[1]):
            if a[i, j] > largest:
                largest = a[i, j]
        total = 0.0
        for j in range(a.shape[1]):
            out[i, j] = exp(a[i, j] - largest)
            total += out[i, j]
        for j in range(a.shape[1]):
            out[i, j] /= total


ARGS = (np.linspace(-1.0, 1.0, 12).reshape(3, 4), np.zeros((3, 4)))
