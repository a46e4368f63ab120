"""The program that docs/dev/stages.md follows through the compiler."""


def energy(x):
    double = 2.0 * x
    total = 0.0
    for i in range(len(x)):
        total += double[i] * x[i]
        x[i] = 0.0
    return total
