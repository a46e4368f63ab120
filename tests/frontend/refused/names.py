import numpy as np


def g(x, k):
    return x * k


def f(x, s):
    a = undefined + 1
    b = later
    later = 2.0
    c = np.no_such_function(x)
    d = g(s)
    e = g(s, 1, 2)
    h = g(s, q=1)
    i = s.attribute
    return np.random.random() + x.strides
