"""Epidemics and populations: compartments, contact matrices, fits."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from .program import Program


class State(NamedTuple):
    susceptible: float
    infected: float
    recovered: float


class SIR:
    """The classic model; the right-hand side is handed to an integrator."""

    def __init__(self, beta=0.4, gamma=0.1, population=1000.0):
        self.beta = beta
        self.gamma = gamma
        self.population = population

    def rhs(self, t, y):
        s, i, _ = y
        infection = self.beta * s * i / self.population
        return np.array([-infection, infection - self.gamma * i, self.gamma * i])

    @property
    def reproduction(self):
        return self.beta / self.gamma


def rk4(f, y, t0, t1, steps=50):
    h = (t1 - t0) / steps
    t = t0
    for _ in range(steps):
        k1 = f(t, y)
        k2 = f(t + h / 2, y + h / 2 * k1)
        k3 = f(t + h / 2, y + h / 2 * k2)
        k4 = f(t + h, y + h * k3)
        y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        t += h
    return y


def final_size(params):
    model = SIR(*params)
    y = rk4(model.rhs, np.array([990.0, 10.0, 0.0]), 0.0, 40.0, steps=30)
    return y[2]


def sir_fit(beta, gamma, observed, dt=1.0):
    state = State(990.0, 10.0, 0.0)
    loss = 0.0
    for day, seen in enumerate(observed):
        new = beta * state.susceptible * state.infected / 1000.0 * dt
        healed = gamma * state.infected * dt
        state = State(state.susceptible - new, state.infected + new - healed, state.recovered + healed)
        if day % 7 == 6:
            continue
        loss += (math.log(state.infected) - math.log(seen)) ** 2
    return loss


class AgeStructured:
    """Groups that meet according to a contact matrix."""

    groups = ["child", "adult", "old"]

    def __init__(self, contacts, susceptibility=None):
        self.contacts = contacts
        self.susceptibility = np.ones(len(self.groups)) if susceptibility is None else susceptibility

    def attack(self, beta, days=30, gamma=0.2):
        n = len(self.groups)
        s = np.full(n, 0.99)
        i = np.full(n, 0.01)
        for _ in range(days):
            force = beta * self.susceptibility * (self.contacts @ i)
            new = s * (1 - np.exp(-force))
            s = s - new
            i = i + new - gamma * i
        return 1.0 - s.mean()


class Intervention:
    def __init__(self, start, end, effect):
        self.start, self.end, self.effect = start, end, effect

    def active(self, day):
        return self.start <= day < self.end


def with_interventions(effects, beta=0.5, gamma=0.2, days=40):
    plan = [Intervention(5, 15, effects[0]), Intervention(10, 25, effects[1]), Intervention(30, 40, effects[2])]
    s, i = 0.99, 0.01
    peak = 0.0
    for day in range(days):
        rate = beta
        for measure in plan:
            if measure.active(day):
                rate *= 1.0 - measure.effect
        new = rate * s * i
        s -= new
        i += new - gamma * i
        peak += i**4
    return peak**0.25


def seir_with_options(x, options={"stages": 3, "seed": 1e-3, "horizon": 25}):
    """Erlang-distributed incubation: a chain of exposed stages."""
    beta, rate, gamma = x
    stages = [0.0] * options["stages"]
    stages[0] = options["seed"]
    s, i, r = 1.0 - options["seed"], 0.0, 0.0
    for _ in range(options["horizon"]):
        flow = beta * s * i + 0.01 * s
        s -= flow
        for k in range(len(stages)):
            out = rate * stages[k]
            stages[k] += flow - out
            flow = out
        i += flow - gamma * i
        r += gamma * i
    return r


def logistic_growth(r, capacity, data):
    n = data[0]
    total = 0.0
    for value in data[1:]:
        n = n + r * n * (1 - n / capacity)
        if n <= 0:
            raise RuntimeError(f"population died out: n = {n}")
        total += (value - n) ** 2 / value
    return total


def poisson_deviance(rate, counts):
    mu = np.exp(rate)
    return np.sum(mu - counts * rate) + sum(math.lgamma(c + 1) for c in counts)


class Predator:
    """Lotka and Volterra with a functional response chosen by name."""

    def __init__(self, response="holling", **params):
        self.response = response
        self.params = params

    def eaten(self, prey):
        if self.response == "linear":
            return self.params["a"] * prey
        elif self.response == "holling":
            return self.params["a"] * prey / (1 + self.params["a"] * self.params["h"] * prey)
        raise NotImplementedError(self.response)

    def simulate(self, x0, steps=60, dt=0.05):
        prey, predator = x0
        for _ in range(steps):
            e = self.eaten(prey)
            prey, predator = prey + dt * (prey - e * predator), predator + dt * (0.5 * e * predator - predator)
        return prey + 2 * predator


OBSERVED = np.array([12.0, 15.0, 20.0, 27.0, 33.0, 44.0, 58.0, 71.0, 90.0, 110.0])
CONTACTS = np.array([[3.0, 1.0, 0.3], [1.0, 2.0, 0.5], [0.3, 0.5, 1.0]])

PROGRAMS = [
    Program("final size by runge and kutta", final_size, (np.array([0.4, 0.12]),)),
    Program("fit of sir to counts", sir_fit, (0.4, 0.1, OBSERVED), wrt=(0, 1)),
    Program("attack rate by age", AgeStructured(CONTACTS).attack, (0.1,)),
    Program("interventions", with_interventions, (np.array([0.3, 0.2, 0.5]),)),
    Program("erlang stages", seir_with_options, (np.array([0.6, 0.4, 0.2]),)),
    Program("logistic growth", logistic_growth, (0.3, 200.0, OBSERVED), wrt=("r", "capacity")),
    Program("poisson deviance", poisson_deviance, (np.log(OBSERVED) - 0.1, OBSERVED)),
    Program("predator and prey", Predator(a=1.2, h=0.1).simulate, (np.array([1.5, 0.7]),)),
    Program("reproduction number", lambda b, g: SIR(b, g).reproduction, (0.4, 0.1), wrt=(0, 1)),
]
