"""A loop that ends when it ends: how much it keeps is known after the run."""


def program(a):
    y = a
    while abs(y * y - a) > 1e-9 * a:
        y = 0.5 * (y + a / y)
    return y


ARGS = (2.0,)
