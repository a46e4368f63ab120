"""One row is computed from another of the same matrix: they are told apart by their subscripts, not by their names."""

import numpy as np


def program(a):
    for i in range(1, a.shape[0]):
        above, here = a[i - 1], a[i]
        for j in range(a.shape[1]):
            here[j] = here[j] * above[j]
    return a[a.shape[0] - 1, 0]


ARGS = (np.linspace(0.5, 1.5, 12).reshape(4, 3),)
