"""Dicts: global, made in the function, as arguments, of functions, in lists."""

from __future__ import annotations

import numpy as np
import pytest

import adcore as ad
from tests.frontend.everything import everything

X = np.array([0.7, 1.3, 2.1])
SETTINGS = {
    "gain": 2.0,
    "weights": np.array([1.0, 2.0, 3.0]),
    "pair": (1.0, 0.5),
    "function": np.sin,
    "deep": {"a": 0.5},
}
FUNCTIONS = {"sin": np.sin, "square": lambda v: v * v}
TABLE = {0: 1.5, 1: 2.5, 2: 0.5}
LAYERS = [
    {"w": np.array([[1.0, 2.0, 0.5], [0.3, 0.2, 0.1]]), "b": np.array([0.1, 0.2]), "activation": "tanh"},
    {"w": np.array([[1.0, 2.0]]), "b": np.array([0.1]), "activation": "none"},
]


def settings(x):
    inner = SETTINGS["deep"]["a"] * SETTINGS["function"](x[0])
    return SETTINGS["gain"] * np.sum(SETTINGS["weights"] * x) * SETTINGS["pair"][1] + inner


def own(x):
    d = {"a": x[0], "b": x[1]}
    d["c"] = d["a"] * d["b"]
    d["a"] += 1.0
    total = 0.0
    for _key, value in d.items():
        total += value * value
    for key in d:
        total += d[key]
    del d["b"]
    return total + sum(d.values()) + d.get("none", 3.0) * len(d) * ("b" not in d) * bool(d)


def in_a_loop(x):
    state = dict(place=0.0, speed=1.0)  # noqa: C408
    for i in range(len(x)):
        state["speed"] = state["speed"] - 0.1 * state["place"] * x[i]
        state.update(place=state["place"] + 0.1 * state["speed"])
    return state["place"]


def on_two_paths(x):
    d = {"k": 1.0}
    if x[0] > 0.5:
        d["k"] = x[1] ** 2
    else:
        d = {"k": x[2]}
    return d["k"] * x[0]


def comprehension(x):
    d = {k: x[i] ** 2 for i, k in enumerate(("a", "b", "c")) if k != "b"}
    e = d.copy()
    e.setdefault("d", x[1])
    return d["a"] * e["c"] * e.pop("d") * len(e) + (0.0 if "d" in e else 1.0)


def functions(x, name="square"):
    return np.sum(FUNCTIONS[name](x)) + np.sum(FUNCTIONS["sin"](x))


def read_at_a_number_of_the_run(x):
    total = 0.0
    for i in range(len(x)):
        total += TABLE[i] * x[i] ** 2 + TABLE.get(i + 1, 1.0) * x[i]
    return total


def layers(x, network=LAYERS):
    h = x
    for layer in network:
        h = layer["w"] @ h + layer["b"]
        if layer["activation"] == "tanh":
            h = np.tanh(h)
    return h[0]


PROGRAMS = [settings, own, in_a_loop, on_two_paths, comprehension, functions, read_at_a_number_of_the_run, layers]


@pytest.mark.parametrize("f", PROGRAMS)
def test_dicts(f):
    everything(f, X)


def test_as_arguments():
    def f(p, x):
        return p["k"] * np.sum(p["w"] * x) + p["more"]["a"] ** 2

    p = {"k": 2.0, "w": np.array([1.0, 2.0, 3.0]), "name": "n", "more": {"a": 3.0}}
    found = ad.grad(f)(p, X)
    assert np.isclose(found["k"], np.sum(p["w"] * X))
    assert found["name"] is None
    assert found["more"] == {"a": 6.0}
    np.testing.assert_allclose(found["w"], 2.0 * X)
    shadow = {"k": 0.0, "w": np.zeros(3), "name": "", "more": {"a": 0.0}}
    ad.autodiff(ad.Reverse, f, ad.Duplicated(p, shadow), X)
    assert (shadow["k"], shadow["more"]["a"]) == (found["k"], 6.0)
    np.testing.assert_allclose(shadow["w"], found["w"])
    _, tangent = ad.jvp(f, (p, X), ({**shadow, "k": 1.0, "w": np.zeros(3), "more": {"a": 0.0}}, None))
    assert np.isclose(tangent, found["k"])
    everything(layers, X, LAYERS)


def test_results():
    def f(x):
        return {"sum": np.sum(x), "first": x[0]}

    value, pullback = ad.vjp(f, X)
    assert value == {"sum": np.sum(X), "first": X[0]}
    np.testing.assert_allclose(pullback({"sum": 1.0, "first": 2.0})[0], [3.0, 1.0, 1.0])


def test_changes_of_a_global_dict_are_seen():
    table = {"k": 2.0}

    def f(x):
        return table["k"] * x + (1.0 * x if "more" in table else 0.0)

    assert ad.grad(f)(1.0) == 2.0
    table["k"] = 5.0
    assert ad.grad(f)(1.0) == 5.0
    table["more"] = None
    assert ad.grad(f)(1.0) == 6.0


def test_missing_keys_raise():
    def f(x, name):
        return SETTINGS[name] * x

    def at(x, k):
        return TABLE[k] * x

    for call in (lambda: ad.grad(f)(1.0, "nothing"), lambda: ad.grad(at)(1.0, 7)):
        with pytest.raises(KeyError):
            call()


def test_what_is_refused():
    def changes_a_global(x):
        SETTINGS["gain"] = x[0]
        return x[0]

    def unknown_key(x):
        return {x[0]: 1.0}[0]

    for f, text in ((changes_a_global, "from outside"), (unknown_key, "known while compiling")):
        with pytest.raises(ad.CompileError, match=text):
            ad.grad(f)(X)
