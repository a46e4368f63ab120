"""Matrices in a list, each read and then overwritten."""

import numpy as np


def program(mats, vec):
    total = 0.0
    for k in range(len(mats)):
        m = mats[k]
        for i in range(m.shape[0]):
            total += m[i, 0] ** 2 * vec[i]
            m[i, 0] = vec[i]
    return total


ARGS = ([np.full((3, 1), 2.0), np.full((3, 1), 0.5)], np.linspace(1.0, 2.0, 3))
