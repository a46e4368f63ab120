"""Machine learning: layers, losses, regressions, embeddings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .program import Program


class Layer:
    activation = staticmethod(np.tanh)

    def __init__(self, w, b):
        self.w = w
        self.b = b

    def __call__(self, x):
        return self.activation(self.w @ x + self.b)


class Linear(Layer):
    activation = staticmethod(lambda x: x)


class Softplus(Layer):
    @staticmethod
    def activation(x):
        return np.log1p(np.exp(x))


class Residual(Layer):
    def __call__(self, x):
        return x + super().__call__(x)


class Network:
    """Layers of different shapes and kinds in a list."""

    def __init__(self, layers, l2=0.0):
        self.layers = layers
        self.l2 = l2

    def predict(self, x):
        for layer in self.layers:
            x = layer(x)
        return x

    def loss(self, x, y):
        error = self.predict(x) - y
        penalty = sum(np.sum(layer.w**2) for layer in self.layers)
        return 0.5 * error @ error + self.l2 * penalty


def mlp(params, x, hidden="tanh"):
    """Parameters as a list of pairs of different shapes."""
    for i, (w, b) in enumerate(params):
        x = x @ w + b
        if i < len(params) - 1:
            x = np.tanh(x) if hidden == "tanh" else np.maximum(x, 0)
    return x


def cross_entropy(params, x, labels):
    logits = mlp(params, x)
    shifted = logits - logits.max(axis=1, keepdims=True)
    logp = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -np.mean(logp[np.arange(len(labels)), labels])


def dict_model(params, x, y):
    h = np.tanh(x @ params["w1"] + params["b1"])
    out = h @ params["w2"] + params["b2"]
    return np.mean((out - y) ** 2)


@dataclass
class LogisticRegression:
    weights: np.ndarray
    bias: float = 0.0
    penalty: str = "l2"
    strength: float = 0.1

    def decision(self, X):
        return X @ self.weights + self.bias

    def objective(self, X, y):
        z = self.decision(X)
        nll = np.sum(np.logaddexp(0.0, z) - y * z)
        if self.penalty == "l2":
            return nll + self.strength * self.weights @ self.weights
        elif self.penalty == "l1":
            return nll + self.strength * np.abs(self.weights).sum()
        elif self.penalty is None:
            return nll
        raise ValueError(f"unknown penalty {self.penalty}")


class Kernel:
    def __add__(self, other):
        return Sum(self, other)

    def __mul__(self, other):
        return Product(self, other)


class RBF(Kernel):
    def __init__(self, scale, variance=1.0):
        self.scale, self.variance = scale, variance

    def __call__(self, a, b):
        return self.variance * np.exp(-0.5 * np.sum((a - b) ** 2) / self.scale**2)


class Periodic(Kernel):
    def __init__(self, period):
        self.period = period

    def __call__(self, a, b):
        return np.exp(-2 * np.sum(np.sin(np.pi * (a - b) / self.period) ** 2))


class Sum(Kernel):
    def __init__(self, left, right):
        self.left, self.right = left, right

    def __call__(self, a, b):
        return self.left(a, b) + self.right(a, b)


class Product(Sum):
    def __call__(self, a, b):
        return self.left(a, b) * self.right(a, b)


def kernel_smoother(params, points, values, at):
    kernel = RBF(params[0]) * Periodic(params[1]) + RBF(params[2], variance=0.5)
    weights = [kernel(p, at) for p in points]
    return sum(w * v for w, v in zip(weights, values)) / sum(weights)


def attention(q, k, v, mask=None):
    scores = q @ k.T / np.sqrt(q.shape[-1])
    if mask is not None:
        scores = np.where(mask, scores, -1e9)
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return (scores / scores.sum(axis=-1, keepdims=True)) @ v


def attention_loss(q, k, v):
    causal = np.tri(q.shape[0]) > 0
    return np.sum(attention(q, k, v, mask=causal) ** 2)


class GRUCell:
    def __init__(self, rng_like, size=3):
        self.size = size
        self.W = {name: 0.3 * np.cos(rng_like + shift) for name, shift in (("z", 0.0), ("r", 1.0), ("h", 2.0))}
        self.U = {name: 0.2 * np.sin(rng_like + shift) for name, shift in (("z", 0.5), ("r", 1.5), ("h", 2.5))}

    def step(self, h, x):
        z = 1 / (1 + np.exp(-(self.W["z"] @ x + self.U["z"] @ h)))
        r = 1 / (1 + np.exp(-(self.W["r"] @ x + self.U["r"] @ h)))
        candidate = np.tanh(self.W["h"] @ x + self.U["h"] @ (r * h))
        return (1 - z) * h + z * candidate

    def __call__(self, xs):
        h = np.zeros(self.size)
        for x in xs:
            h = self.step(h, x)
        return np.sum(h**2)


def triplet(embedding, triplets, margin=0.2):
    total = 0.0
    for anchor, positive, negative in triplets:
        near = np.linalg.norm(embedding[anchor] - embedding[positive])
        far = np.linalg.norm(embedding[anchor] - embedding[negative])
        total += max(0.0, near - far + margin)
    return total / len(triplets)


_A = np.arange(12.0)
X = np.cos(_A.reshape(4, 3))
PARAMS = [
    (np.sin(np.arange(15.0)).reshape(3, 5), np.zeros(5)),
    (np.cos(np.arange(10.0)).reshape(5, 2), np.full(2, 0.1)),
]
NET = Network(
    [
        Residual(np.sin(np.arange(9.0)).reshape(3, 3), np.zeros(3)),
        Softplus(np.cos(np.arange(12.0)).reshape(4, 3), np.ones(4)),
        Linear(np.sin(np.arange(8.0) + 1).reshape(2, 4), np.zeros(2)),
    ],
    l2=0.01,
)
DICT = {"w1": np.sin(_A).reshape(3, 4), "b1": np.zeros(4), "w2": np.cos(np.arange(4.0)), "b2": 0.3}
LABELS = np.array([0, 1, 1, 0])
TRIPLETS = ((0, 1, 2), (1, 0, 3), (2, 3, 0))

PROGRAMS = [
    Program("network by its input", NET.loss, (X[0].copy(), np.array([0.2, -0.3]))),
    Program("network by a weight", NET.loss, (X[0].copy(), np.array([0.2, -0.3])), wrt="self.layers[1].w"),
    Program("cross entropy of a perceptron", cross_entropy, (PARAMS, X, LABELS)),
    Program("model in a dict", dict_model, (DICT, X, np.array([0.1, 0.4, -0.2, 0.0]))),
    Program(
        "logistic regression",
        LogisticRegression(np.array([0.1, -0.2, 0.3])).objective,
        (X, np.array([0.0, 1.0, 1.0, 0.0])),
        wrt="self.weights",
    ),
    Program(
        "kernel smoother",
        kernel_smoother,
        (np.array([0.8, 2.5, 1.2]), X, np.array([0.1, 0.4, -0.2, 0.6]), np.array([0.1, 0.2, 0.3])),
    ),
    Program("causal attention", attention_loss, (X, 0.5 * X, X**2), wrt=(0, 1, 2)),
    Program("gated recurrent cell", GRUCell(np.arange(9.0).reshape(3, 3)), (X,)),
    Program("triplet loss", triplet, (np.sin(np.arange(8.0) * 1.3).reshape(4, 2), TRIPLETS)),
]
