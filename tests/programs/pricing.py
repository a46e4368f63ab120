"""Pricing and risk: options, curves, portfolios."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

import numpy as np

from .program import Program


class OptionType(enum.Enum):
    CALL = "call"
    PUT = "put"


def normal_cdf(x):
    return 0.5 * (1.0 + math.erf(x / math.sqrt(2.0)))


@dataclass(frozen=True)
class Market:
    spot: float
    rate: float
    volatility: float
    dividend: float = 0.0


@dataclass(frozen=True)
class Option:
    strike: float
    maturity: float
    kind: OptionType = OptionType.CALL

    def payoff(self, spot):
        if self.kind is OptionType.CALL:
            return max(spot - self.strike, 0.0)
        return max(self.strike - spot, 0.0)

    def price(self, market):
        if self.maturity <= 0:
            return self.payoff(market.spot)
        root = market.volatility * math.sqrt(self.maturity)
        carry = market.rate - market.dividend
        d1 = (math.log(market.spot / self.strike) + (carry + 0.5 * market.volatility**2) * self.maturity) / root
        d2 = d1 - root
        discount = math.exp(-market.rate * self.maturity)
        forward = market.spot * math.exp(-market.dividend * self.maturity)
        sign = 1 if self.kind == OptionType.CALL else -1
        return sign * (forward * normal_cdf(sign * d1) - self.strike * discount * normal_cdf(sign * d2))


def black_scholes(s, k, t, r, sigma, kind="call"):
    if kind not in ("call", "put"):
        raise ValueError(f"kind must be 'call' or 'put', got {kind!r}")
    d1 = (np.log(s / k) + (r + sigma**2 / 2) * t) / (sigma * np.sqrt(t))
    d2 = d1 - sigma * np.sqrt(t)
    if kind == "call":
        return s * normal_cdf(d1) - k * np.exp(-r * t) * normal_cdf(d2)
    return k * np.exp(-r * t) * normal_cdf(-d2) - s * normal_cdf(-d1)


def binomial_price(spot, strike=100.0, rate=0.03, sigma=0.25, maturity=1.0, steps=24, *, american=True):
    dt = maturity / steps
    up = math.exp(sigma * math.sqrt(dt))
    down = 1.0 / up
    p = (math.exp(rate * dt) - down) / (up - down)
    discount = math.exp(-rate * dt)
    values = [max(strike - spot * up**j * down ** (steps - j), 0.0) for j in range(steps + 1)]
    for step in range(steps - 1, -1, -1):
        for j in range(step + 1):
            hold = discount * (p * values[j + 1] + (1 - p) * values[j])
            if american:
                hold = max(hold, strike - spot * up**j * down ** (step - j))
            values[j] = hold
    return values[0]


class YieldCurve:
    """Zero rates, interpolated linearly between knots."""

    def __init__(self, times, rates):
        if len(times) != len(rates):
            raise ValueError(f"{len(times)} times for {len(rates)} rates")
        self.times = times
        self.rates = rates

    def rate(self, t):
        if t <= self.times[0]:
            return self.rates[0]
        for i in range(1, len(self.times)):
            if t <= self.times[i]:
                w = (t - self.times[i - 1]) / (self.times[i] - self.times[i - 1])
                return (1 - w) * self.rates[i - 1] + w * self.rates[i]
        return self.rates[-1]

    def discount(self, t):
        return math.exp(-self.rate(t) * t)


class Swap:
    def __init__(self, fixed, maturity, frequency=2):
        self.fixed = fixed
        self.maturity = maturity
        self.frequency = frequency

    def value(self, curve):
        tau = 1.0 / self.frequency
        annuity = 0.0
        for k in range(1, self.maturity * self.frequency + 1):
            annuity += tau * curve.discount(k * tau)
        return 1.0 - curve.discount(float(self.maturity)) - self.fixed * annuity


def swap_value(rates, times=(0.5, 1.0, 2.0, 5.0, 10.0)):
    return Swap(0.03, 4).value(YieldCurve(times, rates))


def asian_monte_carlo(spot, sigma, normals, strike=100.0, rate=0.02, maturity=1.0):
    paths, steps = normals.shape
    dt = maturity / steps
    drift = (rate - 0.5 * sigma**2) * dt
    logs = np.cumsum(drift + sigma * math.sqrt(dt) * normals, axis=1)
    average = np.mean(spot * np.exp(logs), axis=1)
    payoff = np.maximum(average - strike, 0.0)
    return math.exp(-rate * maturity) * payoff.mean()


class Portfolio:
    """Positions by name, with a risk budget."""

    def __init__(self, covariance, expected, names=("stocks", "bonds", "gold")):
        self.covariance = covariance
        self.expected = expected
        self.names = names
        self.calls = 0

    def variance(self, weights):
        return weights @ self.covariance @ weights

    def utility(self, weights, aversion=3.0):
        self.calls += 1
        assert len(weights) == len(self.names), f"one weight for each of {self.names}"
        return weights @ self.expected - 0.5 * aversion * self.variance(weights)

    def risk_parity(self, weights):
        sigma = np.sqrt(self.variance(weights))
        share = weights * (self.covariance @ weights) / sigma
        return np.sum((share - sigma / len(weights)) ** 2)


MODELS = {"flat": (0.2, 0.0, 0.0), "smile": (0.2, -0.1, 0.3), "steep": (0.25, -0.4, 0.5)}


def implied_volatility(moneyness, model="smile", params=None):
    a, b, c = MODELS[model] if params is None else params
    return a + b * moneyness + c * moneyness**2


def smile_call(spot, strike=105.0, maturity=0.75, rate=0.01, **options):
    sigma = implied_volatility(math.log(strike / spot), **options)
    return black_scholes(spot, strike, maturity, rate, sigma)


def bond_yield(price, coupon=0.05, years=6, face=1.0):
    """Yield to maturity by Newton's method; raises if it doesn't converge."""
    y = coupon
    for _ in range(50):
        value = slope = 0.0
        for t in range(1, years + 1):
            cash = face * coupon + (face if t == years else 0.0)
            value += cash / (1 + y) ** t
            slope -= t * cash / (1 + y) ** (t + 1)
        step = (value - price) / slope
        y -= step
        if abs(step) < 1e-13:
            break
    else:
        raise ArithmeticError(f"no yield for the price {price}")
    return y


COV = np.array([[0.04, 0.006, 0.0], [0.006, 0.01, 0.002], [0.0, 0.002, 0.02]])
BOOK = Portfolio(COV, np.array([0.07, 0.03, 0.04]))
NORMALS = np.cos(np.arange(40.0).reshape(8, 5) * 1.7) * 1.3

PROGRAMS = [
    Program("option on a market", Option(100.0, 1.0).price, (Market(105.0, 0.02, 0.3),)),
    Program("put on a market", Option(100.0, 1.0, OptionType.PUT).price, (Market(95.0, 0.02, 0.3, 0.01),)),
    Program(
        "black and scholes, put by name",
        black_scholes,
        (100.0, 95.0, 0.5, 0.01, 0.2),
        {"kind": "put"},
        wrt=(0, 2, 3, 4),
    ),
    Program("american put in a tree", binomial_price, (101.3,)),
    Program("swap on a curve", swap_value, (np.array([0.01, 0.015, 0.02, 0.025, 0.03]),)),
    Program("asian option by monte carlo", asian_monte_carlo, (100.0, 0.2, NORMALS), wrt=(0, 1)),
    Program("utility of a portfolio", BOOK.utility, (np.array([0.5, 0.3, 0.2]),)),
    Program("risk parity of a portfolio", BOOK.risk_parity, (np.array([0.5, 0.3, 0.2]),)),
    Program("call with a smile", smile_call, (100.0,), {"model": "steep"}),
    Program("yield of a bond", bond_yield, (0.93,)),
]
