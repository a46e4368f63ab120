"""Astronomy: orbits, photometry, coordinates."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from .program import Program

G = 4 * math.pi**2


class Vector:
    def __init__(self, x, y, z=0.0):
        self.x, self.y, self.z = x, y, z

    def __add__(self, other):
        return Vector(self.x + other.x, self.y + other.y, self.z + other.z)

    def __sub__(self, other):
        return Vector(self.x - other.x, self.y - other.y, self.z - other.z)

    def __mul__(self, scale):
        return Vector(self.x * scale, self.y * scale, self.z * scale)

    __rmul__ = __mul__

    def dot(self, other):
        return self.x * other.x + self.y * other.y + self.z * other.z

    def __abs__(self):
        return math.sqrt(self.dot(self))

    def __getitem__(self, i):
        return (self.x, self.y, self.z)[i]


class Body:
    def __init__(self, mass, position, velocity):
        self.mass = mass
        self.position = position
        self.velocity = velocity


class SolarSystem:
    def __init__(self, *bodies, softening=0.0):
        self.bodies = bodies
        self.softening = softening

    def accelerations(self):
        result = []
        for body in self.bodies:
            total = Vector(0.0, 0.0)
            for other in self.bodies:
                if other is body:
                    continue
                d = other.position - body.position
                r = math.sqrt(d.dot(d) + self.softening**2)
                total = total + (G * other.mass / r**3) * d
            result.append(total)
        return result

    def leapfrog(self, dt):
        for body, a in zip(self.bodies, self.accelerations()):
            body.velocity = body.velocity + a * (0.5 * dt)
            body.position = body.position + body.velocity * dt
        for body, a in zip(self.bodies, self.accelerations()):
            body.velocity = body.velocity + a * (0.5 * dt)

    def energy(self):
        kinetic = sum(0.5 * b.mass * b.velocity.dot(b.velocity) for b in self.bodies)
        potential = 0.0
        for i in range(len(self.bodies)):
            for j in range(i):
                potential -= (
                    G
                    * self.bodies[i].mass
                    * self.bodies[j].mass
                    / abs(self.bodies[i].position - self.bodies[j].position)
                )
        return kinetic + potential


def miss_distance(speed, angle, steps=40, dt=0.01):
    """How near a probe comes to a target after a launch."""
    sun = Body(1.0, Vector(0.0, 0.0), Vector(0.0, 0.0))
    probe = Body(1e-9, Vector(1.0, 0.0), Vector(speed * math.cos(angle), speed * math.sin(angle)))
    system = SolarSystem(sun, probe)
    for _ in range(steps):
        system.leapfrog(dt)
    target = Vector(0.2, 1.3)
    return abs(probe.position - target)


def kepler(mean, eccentricity, tolerance=1e-14):
    if not 0 <= eccentricity < 1:
        raise ValueError(f"eccentricity {eccentricity} is no ellipse")
    E = mean + eccentricity * math.sin(mean)
    while True:
        step = (E - eccentricity * math.sin(E) - mean) / (1 - eccentricity * math.cos(E))
        E -= step
        if abs(step) < tolerance:
            return E


@dataclass(frozen=True)
class Orbit:
    a: float
    e: float
    omega: float = 0.0

    @property
    def period(self):
        return self.a**1.5

    def position(self, t):
        E = kepler(2 * math.pi * (t / self.period % 1.0), self.e)
        x = self.a * (math.cos(E) - self.e)
        y = self.a * math.sqrt(1 - self.e**2) * math.sin(E)
        c, s = math.cos(self.omega), math.sin(self.omega)
        return c * x - s * y, s * x + c * y


def orbit_fit(orbit, times, seen):
    chi = 0.0
    for t, (x, y) in zip(times, seen):
        px, py = orbit.position(t)
        chi += (px - x) ** 2 + (py - y) ** 2
    return chi


def rotated_orbit(angle, t=0.3):
    base = Orbit(1.2, 0.3)
    x, y = replace(base, omega=angle).position(t)
    return x * y


def separation(ra1, dec1, ra2, dec2, *, unit="rad"):
    if unit == "deg":
        ra1, dec1, ra2, dec2 = np.radians([ra1, dec1, ra2, dec2])
    sd = np.sin((dec2 - dec1) / 2) ** 2
    sr = np.sin((ra2 - ra1) / 2) ** 2
    return 2 * np.arcsin(np.sqrt(sd + np.cos(dec1) * np.cos(dec2) * sr))


def transit(depth, width, times, period=1.0, t0=0.3, limb=(0.3, 0.2)):
    u1, u2 = limb
    flux = np.ones_like(times)
    phase = ((times - t0) / period + 0.5) % 1.0 - 0.5
    inside = np.abs(phase) < width
    mu = np.sqrt(np.where(inside, 1 - (phase / width) ** 2, 0.0))
    flux = flux - depth * np.where(inside, 1 - u1 * (1 - mu) - u2 * (1 - mu) ** 2, 0.0)
    return np.sum((flux - 0.995) ** 2)


class Spectrum:
    h_over_k = 4.799e-11

    def __init__(self, frequencies):
        self.frequencies = frequencies

    def planck(self, temperature):
        x = self.h_over_k * self.frequencies / temperature
        return self.frequencies**3 / np.expm1(x)

    def color(self, temperature, bands=(0, -1)):
        b = self.planck(temperature)
        return -2.5 * np.log10(b[bands[0]] / b[bands[1]])


def magnitude_sum(*magnitudes):
    flux = sum(10 ** (-0.4 * m) for m in magnitudes)
    return -2.5 * math.log10(flux)


TIMES = np.array([0.1, 0.35, 0.62, 0.9])
SEEN = np.array([[0.6, 0.7], [-0.9, 0.8], [-1.4, -0.3], [0.1, -0.9]])

PROGRAMS = [
    Program("miss distance of a probe", miss_distance, (6.9, 1.4), wrt=(0, 1)),
    Program("kepler's equation", kepler, (1.1, 0.4), wrt=(0, 1)),
    Program("fit of an orbit", orbit_fit, (Orbit(1.1, 0.25, 0.2), TIMES, SEEN)),
    Program("rotated orbit", rotated_orbit, (0.4,)),
    Program("separation in degrees", separation, (10.0, 20.0, 11.0, 22.0), {"unit": "deg"}, wrt=(0, 1, 2, 3)),
    Program("transit with limb darkening", transit, (0.01, 0.08, np.linspace(0.2, 0.4, 23)), wrt=(0, 1)),
    Program("colour of a black body", Spectrum(np.array([4e14, 5e14, 6e14])).color, (5800.0,)),
    Program("sum of magnitudes", magnitude_sum, (4.1, 5.0, 3.3), wrt=(0, 1, 2)),
]
