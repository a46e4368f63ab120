"""Output and input are one array here."""

import numpy as np


def program(out, x):
    for i in range(1, len(out)):
        out[i] = x[i] * x[i - 1]


BUFFER = np.linspace(1.0, 2.0, 5)
ARGS = (BUFFER, BUFFER)
