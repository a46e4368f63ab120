"""Thermodynamics and processes: equations of state, heat, reactors."""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod

import numpy as np

from .program import Program

R = 8.314462618


class ConvergenceError(RuntimeError):
    """The iteration did not settle."""

    def __init__(self, iterations, residual):
        super().__init__(f"no convergence after {iterations} iterations (residual {residual:.2e})")
        self.residual = residual


class EquationOfState(ABC):
    def __init__(self, tc, pc):
        self.tc = tc
        self.pc = pc

    @abstractmethod
    def pressure(self, t, v): ...

    def compressibility(self, t, v):
        return self.pressure(t, v) * v / (R * t)


class VanDerWaals(EquationOfState):
    @property
    def a(self):
        return 27 * (R * self.tc) ** 2 / (64 * self.pc)

    @property
    def b(self):
        return R * self.tc / (8 * self.pc)

    def pressure(self, t, v):
        return R * t / (v - self.b) - self.a / v**2


class PengRobinson(EquationOfState):
    def __init__(self, tc, pc, acentric=0.0):
        super().__init__(tc, pc)
        self.m = 0.37464 + 1.54226 * acentric - 0.26992 * acentric**2

    def alpha(self, t):
        return (1 + self.m * (1 - math.sqrt(t / self.tc))) ** 2

    def pressure(self, t, v):
        a = 0.45724 * R**2 * self.tc**2 / self.pc * self.alpha(t)
        b = 0.0778 * R * self.tc / self.pc
        return R * t / (v - b) - a / (v * (v + b) + b * (v - b))


def solve_volume(eos, t, p, guess=1e-3, tol=1e-12, max_iter=60):
    v = guess
    for i in range(max_iter):
        f = eos.pressure(t, v) - p
        dv = 1e-7 * v
        slope = (eos.pressure(t, v + dv) - eos.pressure(t, v - dv)) / (2 * dv)
        step = f / slope
        v -= step
        if abs(step) < tol * v:
            return v
    raise ConvergenceError(max_iter, abs(f))


def density(t, p):
    return 1.0 / solve_volume(PengRobinson(304.1, 7.38e6, 0.225), t, p, guess=R * t / p)


ANTOINE = {"water": (8.07131, 1730.63, 233.426), "ethanol": (8.20417, 1642.89, 230.3)}


def vapor_pressure(t, species):
    try:
        a, b, c = ANTOINE[species]
    except KeyError:
        raise ValueError(f"no data for {species}; known: {', '.join(ANTOINE)}") from None
    return 10 ** (a - b / (c + t))


def bubble_pressure(t, x, species=("water", "ethanol"), activity=None):
    total = 0.0
    for xi, name in zip(x, species):
        gamma = 1.0 if activity is None else activity(xi)
        total += xi * gamma * vapor_pressure(t, name)
    return total


def margules(x, a=1.2):
    return math.exp(a * (1 - x) ** 2)


class Wall:
    """Layers in series, with film coefficients on both sides."""

    def __init__(self, layers, *, inside=8.0, outside=25.0):
        self.layers = layers
        self.inside = inside
        self.outside = outside

    def resistance(self):
        return 1 / self.inside + sum(layer["d"] / layer["k"] for layer in self.layers) + 1 / self.outside

    def flux(self, t_in, t_out):
        return (t_in - t_out) / self.resistance()


def wall_loss(thickness, t_out=-5.0):
    wall = Wall([{"d": 0.02, "k": 0.7}, {"d": thickness, "k": 0.04}, {"d": 0.2, "k": 0.9}])
    return wall.flux(20.0, t_out)


def rod(temperatures, conductivity=1.0, dt=0.1, steps=20, left=1.0):
    T = temperatures.copy()
    for _ in range(steps):
        flux = conductivity * (1 + 0.1 * T[:-1]) * np.diff(T)
        T[1:-1] += dt * (flux[1:] - flux[:-1])
        T[0] = left
    return np.sum(T**2)


class Reaction:
    def __init__(self, prefactor, activation):
        self.prefactor = prefactor
        self.activation = activation

    def rate(self, t, conc):
        if conc < 0:
            warnings.warn("negative concentration set to zero", stacklevel=2)
            conc = 0.0
        return self.prefactor * math.exp(-self.activation / (R * t)) * conc


class Reactor:
    """A batch with two reactions in series and cooling."""

    def __init__(self, reactions, heat=(120.0, 80.0), cooling=0.5):
        self.first, self.second = reactions
        self.heat = heat
        self.cooling = cooling
        self.history = []

    def run(self, t0, c0, steps=40, dt=0.05):
        t, a, b = t0, c0, 0.0
        for _ in range(steps):
            r1 = self.first.rate(t, a)
            r2 = self.second.rate(t, b)
            a -= dt * r1
            b += dt * (r1 - r2)
            t += dt * (self.heat[0] * r1 + self.heat[1] * r2 - self.cooling * (t - 300.0))
            self.history.append(b)
        return max(self.history[-1], 0.0) + 1e-3 * t


def reactor_yield(t0, activation):
    plant = Reactor([Reaction(1e6, activation), Reaction(1e5, 4.2e4)])
    return plant.run(t0, 1.0)


def shomate(t, coefficients):
    tau = t / 1000.0
    a, b, c, d, e = coefficients
    return a + b * tau + c * tau**2 + d * tau**3 + e / tau**2


def brayton(ratio, t3, eta=(0.85, 0.9), kappa=1.4, t1=300.0):
    exponent = (kappa - 1) / kappa
    t2 = t1 * (1 + (ratio**exponent - 1) / eta[0])
    t4 = t3 * (1 - eta[1] * (1 - ratio**-exponent))
    work = (t3 - t4) - (t2 - t1)
    assert work > 0, f"no net work at a ratio of {ratio}"
    return work / (t3 - t2)


def exchanger(ntu, c_ratio=0.7, arrangement="counter"):
    if arrangement == "counter":
        if math.isclose(c_ratio, 1.0):
            return ntu / (1 + ntu)
        e = math.exp(-ntu * (1 - c_ratio))
        return (1 - e) / (1 - c_ratio * e)
    if arrangement == "parallel":
        return (1 - math.exp(-ntu * (1 + c_ratio))) / (1 + c_ratio)
    raise ValueError("arrangement: %s" % arrangement)


def mixing_entropy(amounts):
    total = sum(amounts)
    fractions = [n / total for n in amounts if n > 0]
    return -R * total * sum(x * math.log(x) for x in fractions)


PROGRAMS = [
    Program("compressibility of van der waals", VanDerWaals(304.1, 7.38e6).compressibility, (320.0, 2e-3), wrt=(0, 1)),
    Program("density by newton", density, (320.0, 2e6), wrt=(0, 1)),
    Program("bubble pressure", bubble_pressure, (60.0, np.array([0.4, 0.6])), wrt=(0, 1)),
    Program(
        "bubble pressure with activity",
        bubble_pressure,
        (60.0, np.array([0.4, 0.6])),
        {"activity": margules},
        wrt=(0, 1),
    ),
    Program("loss through a wall", wall_loss, (0.12,)),
    Program("rod with variable conductivity", rod, (np.linspace(0.0, 1.0, 9) ** 2,)),
    Program("yield of a reactor", reactor_yield, (330.0, 4.5e4), wrt=(0, 1)),
    Program("heat capacity", shomate, (500.0, (30.1, 6.8, 6.8, -2.5, 0.08)), wrt=(0, 1)),
    Program("brayton cycle", brayton, (8.0, 1300.0), wrt=(0, 1)),
    Program("heat exchanger", exchanger, (1.8,), {"arrangement": "parallel"}),
    Program("entropy of mixing", mixing_entropy, ([0.4, 0.8, 1.3],)),
]
