"""Filtering and signals: Kalman filters, smoothers, audio filters, detectors."""

from __future__ import annotations

import math
from collections import namedtuple
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from .program import Program


class KalmanFilter1D:
    """A scalar Kalman filter that keeps its own state and likelihood."""

    def __init__(self, process_noise, measurement_noise, x0=0.0, p0=1.0):
        self.q = process_noise
        self.r = measurement_noise
        self.x = x0
        self.p = p0
        self.log_likelihood = 0.0

    def predict(self):
        self.p += self.q

    def update(self, z):
        s = self.p + self.r
        gain = self.p / s
        innovation = z - self.x
        self.x += gain * innovation
        self.p *= 1.0 - gain
        self.log_likelihood -= 0.5 * (math.log(2 * math.pi * s) + innovation**2 / s)
        return innovation

    def run(self, measurements):
        for z in measurements:
            self.predict()
            self.update(z)
        return self.log_likelihood


def noise_likelihood(log_noise, measurements):
    """Negative log likelihood of the two variances, given by their logarithms."""
    q, r = np.exp(log_noise)
    return -KalmanFilter1D(q, r, x0=measurements[0]).run(measurements)


@dataclass
class ConstantVelocity:
    """Two-state tracker with matrices in plain arrays."""

    dt: float = 0.1
    q: float = 0.05
    r: float = 0.2
    F: np.ndarray = field(init=False)
    Q: np.ndarray = field(init=False)

    def __post_init__(self):
        self.F = np.array([[1.0, self.dt], [0.0, 1.0]])
        self.Q = self.q * np.array([[self.dt**3 / 3, self.dt**2 / 2], [self.dt**2 / 2, self.dt]])

    def loss(self, measurements):
        x = np.array([measurements[0], 0.0])
        P = np.eye(2)
        H = np.array([1.0, 0.0])
        loss = 0.0
        for z in measurements:
            x = self.F @ x
            P = self.F @ P @ self.F.T + self.Q
            s = H @ P @ H + self.r
            K = P @ H / s
            y = z - H @ x
            x = x + K * y
            P = P - np.outer(K, H @ P)
            loss += y**2 / s + math.log(s)
        return loss


class Biquad:
    """Direct form II transposed; coefficients by the usual cookbook."""

    __slots__ = ("b", "a", "z1", "z2")

    def __init__(self, b, a):
        self.b, self.a = b, a
        self.z1 = self.z2 = 0.0

    @classmethod
    def lowpass(cls, cutoff, quality=0.7071, rate=48000.0):
        w = 2 * math.pi * cutoff / rate
        alpha = math.sin(w) / (2 * quality)
        c = math.cos(w)
        norm = 1 + alpha
        return cls(((1 - c) / 2 / norm, (1 - c) / norm, (1 - c) / 2 / norm), (-2 * c / norm, (1 - alpha) / norm))

    def process(self, x):
        y = self.b[0] * x + self.z1
        self.z1 = self.b[1] * x - self.a[0] * y + self.z2
        self.z2 = self.b[2] * x - self.a[1] * y
        return y


def filter_energy(cutoff, quality, signal):
    stages = [Biquad.lowpass(cutoff, quality), Biquad.lowpass(1.5 * cutoff, quality)]
    energy = 0.0
    for x in signal:
        for stage in stages:
            x = stage.process(x)
        energy += x * x
    return energy / len(signal)


def exponential_smoothing(alpha, series, *, trend=None):
    """One-step error of simple or Holt smoothing."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha has to lie between 0 and 1, not {alpha:.3g}")
    level, slope = series[0], 0.0
    error = 0.0
    for value in series[1:]:
        forecast = level + slope
        error += (value - forecast) ** 2
        previous = level
        level = alpha * value + (1 - alpha) * forecast
        if trend is not None:
            slope = trend * (level - previous) + (1 - trend) * slope
    return error / (len(series) - 1)


def total_variation(x, y, lam=0.3, eps=1e-2):
    return 0.5 * np.sum((x - y) ** 2) + lam * np.sum(np.sqrt(np.diff(x) ** 2 + eps**2))


def huber(r, delta=1.0):
    return np.where(np.abs(r) <= delta, 0.5 * r**2, delta * (np.abs(r) - 0.5 * delta))


def robust_line(params, t, y, loss=huber):
    slope, offset = params
    return np.mean(loss(y - (slope * t + offset)))


Particle = namedtuple("Particle", "weight position")


def particle_mean(positions, z, spread=0.5):
    particles = [Particle(math.exp(-0.5 * ((z - p) / spread) ** 2), p) for p in positions]
    total = sum(p.weight for p in particles)
    return sum(p.weight * p.position for p in particles) / total


def moving_average(x, width):
    kernel = np.ones(width) / width
    out = np.zeros(len(x) - width + 1)
    for i in range(out.shape[0]):
        out[i] = kernel @ x[i : i + width]
    return out


def peak_sharpness(x, width=3, power=4):
    smooth = moving_average(x, width)
    return np.sum(smooth**power) / np.sum(smooth**2) ** (power / 2)


SIGNAL = np.sin(np.linspace(0.0, 9.0, 40)) + 0.3 * np.cos(np.linspace(0.0, 31.0, 40))

PROGRAMS = [
    Program("noise of a scalar kalman filter", noise_likelihood, (np.array([-2.0, -1.0]), SIGNAL)),
    Program("measurements of a tracker", ConstantVelocity(q=0.2).loss, (SIGNAL[:15].copy(),)),
    Program("cutoff of a biquad cascade", filter_energy, (4000.0, 0.8, SIGNAL), wrt=(0, 1)),
    Program("simple smoothing", exponential_smoothing, (0.4, SIGNAL)),
    Program("smoothing with a trend", exponential_smoothing, (0.4, SIGNAL), {"trend": 0.2}),
    Program("total variation", total_variation, (SIGNAL, 0.9 * SIGNAL + 0.1)),
    Program(
        "robust line", robust_line, (np.array([0.4, -0.2]), np.linspace(0.0, 5.0, 12), np.cos(np.arange(12.0)) * 2)
    ),
    Program(
        "robust line, narrower",
        partial(robust_line, loss=partial(huber, delta=0.4)),
        (np.array([0.4, -0.2]), np.linspace(0.0, 5.0, 12), np.cos(np.arange(12.0)) * 2),
    ),
    Program("weighted particles", particle_mean, (np.array([0.1, 0.5, 0.9, 1.4]), 0.7), wrt=(0, 1)),
    Program("peaks of a moving average", peak_sharpness, (SIGNAL,)),
]
