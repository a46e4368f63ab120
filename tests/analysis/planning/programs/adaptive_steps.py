"""The size of a step depends on the state: how many there are is known after the run."""


def program(y, rate):
    t = 0.0
    while t < 1.0:
        h = 0.1 / (1.0 + y * y)
        if t + h > 1.0:
            h = 1.0 - t
        y -= h * rate * y * y
        t += h
    return y


ARGS = (1.5, 0.7)
