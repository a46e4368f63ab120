"""A carried value: backwards only a copy brings it back."""

import numpy as np


def program(x):
    product = 1.0
    for v in x:
        product *= v
    return product


ARGS = (np.linspace(1.0, 2.0, 6),)
