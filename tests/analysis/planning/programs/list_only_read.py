"""Matrices in a list, multiplied into another: nothing is destroyed."""

import numpy as np


def program(mats, out):
    for k in range(len(mats)):
        for i in range(2):
            for j in range(2):
                out[i, j] += mats[k][i, j] * mats[k][j, i]
    return out[0, 1]


ARGS = ([np.full((2, 2), 2.0), np.eye(2)], np.zeros((2, 2)))
