"""Functions that people optimise: a classic, a soft maximum, an option's price, a filter's likelihood."""

from math import erf, exp, log, pi, sqrt

import numpy as np
import pytest


def rosenbrock(x):
    total = 0.0
    for i in range(len(x) - 1):
        total += 100.0 * (x[i + 1] - x[i] ** 2) ** 2 + (1.0 - x[i]) ** 2
    return total


@pytest.mark.no_alloc_grad(rosenbrock, np.linspace(-1.0, 1.0, 20), max_workspace=0, order=2)
def test_rosenbrock():
    """Reads its input and nothing else."""


def logsumexp(x):
    """The largest element is taken out first, so that exp never overflows."""
    largest = x[0]
    for i in range(1, len(x)):
        largest = max(largest, x[i])
    total = 0.0
    for i in range(len(x)):
        total += exp(x[i] - largest)
    return largest + log(total)


@pytest.mark.no_alloc_grad(logsumexp, np.array([0.3, -2.0, 1.7, 0.9]))
def test_logsumexp():
    """Its gradient is softmax."""


def call_option(spot, strike, rate, volatility, years):
    """The price of the right to buy at `strike`, after Black and Scholes; its derivatives are traders' Greeks."""
    spread = volatility * sqrt(years)
    d1 = (log(spot / strike) + (rate + volatility**2 / 2) * years) / spread
    d2 = d1 - spread
    return spot * normal(d1) - strike * exp(-rate * years) * normal(d2)


def normal(x):
    return 0.5 * (1.0 + erf(x / sqrt(2.0)))


@pytest.mark.no_alloc_grad(call_option, 100.0, 105.0, 0.03, 0.2, 0.75, wrt=(0, 2, 3, 4), mode="both", max_workspace=0)
def test_option_price():
    """Scalars only: the derivatives come back as numbers."""


def surprise(measured, drift, noise, spread):
    """Minus the log-likelihood of a random walk seen through noise, by a one-dimensional Kalman filter."""
    mean, variance, total = measured[0], spread, 0.0
    for z in measured[1:]:
        mean, variance = mean + drift, variance + spread
        innovation, width = z - mean, variance + noise
        total += 0.5 * (log(2.0 * pi * width) + innovation**2 / width)
        gain = variance / width
        mean += gain * innovation
        variance *= 1.0 - gain
    return total


@pytest.mark.no_alloc_grad(surprise, np.array([0.1, 0.4, 0.2, 0.9, 1.1, 1.0]), 0.2, 0.5, 0.1, wrt=(1, 2, 3))
def test_kalman_filter():
    """A recurrence: what is carried from one measurement to the next is kept."""
