"""Audio: oscillators, envelopes, compressors, delays."""

from __future__ import annotations

import math

import numpy as np

from .program import Program

RATE = 8000.0


class Envelope:
    """Attack, decay, sustain, release in seconds."""

    def __init__(self, attack=0.01, decay=0.05, sustain=0.6, release=0.1):
        self.attack, self.decay, self.sustain, self.release = attack, decay, sustain, release

    def at(self, t, gate=0.1):
        if t < self.attack:
            return t / self.attack
        if t < self.attack + self.decay:
            return 1.0 + (self.sustain - 1.0) * (t - self.attack) / self.decay
        if t < gate:
            return self.sustain
        return self.sustain * math.exp(-(t - gate) / self.release)


class Oscillator:
    shapes = {
        "sine": lambda p: math.sin(2 * math.pi * p),
        "soft saw": lambda p: math.sin(2 * math.pi * p) + 0.5 * math.sin(4 * math.pi * p),
    }

    def __init__(self, frequency, shape="sine"):
        if shape not in self.shapes:
            raise KeyError(f"no shape {shape!r}; there are {sorted(self.shapes)}")
        self.frequency = frequency
        self.shape = shape
        self.phase = 0.0

    def tick(self):
        value = self.shapes[self.shape](self.phase)
        self.phase += self.frequency / RATE
        return value


def note_energy(frequency, sustain, n=200):
    osc = Oscillator(frequency, shape="soft saw")
    env = Envelope(sustain=sustain)
    out = []
    for k in range(n):
        out.append(env.at(k / RATE, gate=0.015) * osc.tick())
    return np.sum(np.array(out) ** 2)


class Compressor:
    def __init__(self, threshold=-20.0, ratio=4.0, attack=0.002, release=0.02):
        self.threshold = threshold
        self.ratio = ratio
        self.up = math.exp(-1.0 / (attack * RATE))
        self.down = math.exp(-1.0 / (release * RATE))
        self.envelope = 0.0

    def gain(self, level):
        over = 20 * math.log10(max(level, 1e-6)) - self.threshold
        if over <= 0:
            return 1.0
        return 10 ** (-over * (1 - 1 / self.ratio) / 20)

    def process(self, samples):
        out = np.empty_like(samples)
        for i, x in enumerate(samples):
            mag = abs(x)
            c = self.up if mag > self.envelope else self.down
            self.envelope = c * self.envelope + (1 - c) * mag
            out[i] = x * self.gain(self.envelope)
        return out


def compressed_rms(threshold, ratio, samples):
    return math.sqrt(np.mean(Compressor(threshold, ratio).process(samples) ** 2))


class DelayLine:
    def __init__(self, length):
        self.buffer = [0.0] * length
        self.index = 0

    def push(self, x):
        y = self.buffer[self.index]
        self.buffer[self.index] = x
        self.index = (self.index + 1) % len(self.buffer)
        return y


def comb(samples, feedback=0.6, length=7):
    line = DelayLine(length)
    energy = 0.0
    y = 0.0
    for x in samples:
        y = x + feedback * line.push(y)
        energy += y * y
    return energy


def karplus(excitation, damping=0.99, steps=60):
    string = excitation.copy()
    n = len(string)
    total = 0.0
    for k in range(steps):
        i = k % n
        string[i] = damping * 0.5 * (string[i] + string[(i + 1) % n])
        total += string[i] ** 2
    return total


def windowed_power(x, kind="hann"):
    n = len(x)
    k = np.arange(n)
    match kind:
        case "hann":
            w = 0.5 - 0.5 * np.cos(2 * np.pi * k / n)
        case "hamming":
            w = 0.54 - 0.46 * np.cos(2 * np.pi * k / n)
        case "rect" | "none":
            w = np.ones(n)
        case _:
            raise ValueError(f"unknown window: {kind}")
    return np.sum((w * x) ** 2) / np.sum(w**2)


def goertzel(x, frequency, rate=RATE):
    c = 2 * math.cos(2 * math.pi * frequency / rate)
    s1 = s2 = 0.0
    for sample in x:
        s1, s2 = sample + c * s1 - s2, s1
    return s1 * s1 + s2 * s2 - c * s1 * s2


def soft_clip(x, drive=2.0, *, bias=0.0, order=3):
    if order == 3:
        y = np.clip(drive * x + bias, -1, 1)
        return np.sum((y - y**3 / 3) ** 2)
    return np.sum(np.tanh(drive * x + bias) ** 2)


class Mixer:
    def __init__(self):
        self.channels = {}

    def add(self, name, gain, pan=0.5):
        self.channels[name] = {"gain": gain, "pan": pan}
        return self

    def loudness(self, sources):
        left = right = 0.0
        for name, channel in self.channels.items():
            power = np.mean(sources[name] ** 2)
            left += (channel["gain"] * math.cos(channel["pan"] * math.pi / 2)) ** 2 * power
            right += (channel["gain"] * math.sin(channel["pan"] * math.pi / 2)) ** 2 * power
        return left + 1.1 * right


SAMPLES = 0.8 * np.sin(np.arange(64.0) * 0.37) * np.exp(-np.arange(64.0) / 40)
MIXER = Mixer().add("voice", 0.9).add("drums", 0.5, pan=0.3)
SOURCES = {"voice": SAMPLES[:16].copy(), "drums": SAMPLES[16:32].copy()}

PROGRAMS = [
    Program("energy of a note", note_energy, (440.0, 0.7), wrt=(0, 1)),
    Program("loudness behind a compressor", compressed_rms, (-20.0, 4.0, SAMPLES + 0.001), wrt=(0, 1, 2)),
    Program("feedback of a comb", comb, (SAMPLES, 0.6), wrt=(0, 1)),
    Program("plucked string", karplus, (SAMPLES[:12].copy(),)),
    Program("power in a window", windowed_power, (SAMPLES, "hamming")),
    Program("goertzel", goertzel, (SAMPLES, 440.0), wrt=(0, 1)),
    Program("soft clipping", soft_clip, (SAMPLES[3:30].copy(), 1.1), {"bias": 0.05}, wrt=(0, 1)),
    Program("mixer of named channels", MIXER.loudness, (SOURCES,)),
]
