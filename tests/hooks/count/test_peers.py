"""Other people's software: what it allocates is counted to the last call, and named.

Each program runs in a process of its own under the LD_PRELOAD counter, which watches the very same calls; the counts
have to be equal, function by function.
"""

from __future__ import annotations

import importlib.util
import json
from typing import Any

import pytest

from tests.samples import sample

# `call` is what is watched. Only what happens between the two words of the reference counter is compared.
WATCH = """
import ctypes, json, os, sys
import numpy as np
from pytest_adalloc.hooks import record

KINDS = ("malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign", "valloc", "pvalloc")
reference = ctypes.CDLL(None)

def watch(call, calls=20):
    for _ in range(3):
        call()
    with record(scope=os.environ["ADALLOC_TEST_SCOPE"]) as seen:
        reference.counter_watch(1)
        for _ in range(calls):
            call()
        reference.counter_watch(0)
    hooked = dict.fromkeys(KINDS, 0)
    for counts in (seen.by_function, seen.interpreter, seen.other_threads):
        for kind in KINDS:
            hooked[kind] += counts.get(kind, 0)
    print(json.dumps([hooked, {kind: reference.counter_read(n) for n, kind in enumerate(KINDS)}]))
"""

PROGRAMS = {
    "numpy": """
x = np.random.default_rng(0).normal(size=(60, 60))
watch(lambda: x @ x)
watch(lambda: np.linalg.inv(x))
watch(lambda: np.linalg.svd(x))
watch(lambda: np.sort(x, axis=None))
watch(lambda: np.fft.fft2(x))
""",
    "scipy": """
import scipy.fft, scipy.linalg, scipy.optimize, scipy.sparse, scipy.sparse.linalg
random = np.random.default_rng(0)
dense, sparse = random.normal(size=(50, 50)), scipy.sparse.eye(40).tocsc() + scipy.sparse.eye(40, k=1).tocsc()
watch(lambda: scipy.linalg.lu_factor(dense))
watch(lambda: scipy.linalg.expm(dense))
watch(lambda: scipy.fft.dct(dense))
watch(lambda: scipy.sparse.linalg.splu(sparse))
watch(lambda: scipy.optimize.minimize(lambda v: (v * v).sum(), np.ones(4), method="L-BFGS-B"))
""",
    "numba": """
import numba
@numba.njit
def temporaries(x): return 3.0 * (x * x) + np.sort(x)
@numba.njit
def lists(x):
    kept = [0.0]
    for value in x: kept.append(value * value)
    return len(kept)
x = np.linspace(1.0, 2.0, 200)
watch(lambda: temporaries(x))
watch(lambda: lists(x))
""",
    "jax": """
import jax, jax.numpy as jnp
small = jax.jit(jax.grad(lambda x: jnp.sum(jnp.sin(x) * x**2)))
dense = jax.jit(jax.grad(lambda x: jnp.sum(jnp.tanh(x @ x @ x))))
x, square = jnp.linspace(1.0, 2.0, 100), jnp.ones((64, 64))
watch(lambda: small(x).block_until_ready())
watch(lambda: dense(square).block_until_ready())
""",
    "torch": """
import torch
x, weights = torch.linspace(1.0, 2.0, 1000, requires_grad=True), torch.rand(64, 64, requires_grad=True)
def step():
    x.grad = weights.grad = None
    (torch.sin(x) * x**2).sum().backward()
    torch.tanh(weights @ weights).sum().backward()
watch(step)
""",
}


@pytest.mark.slow
@pytest.mark.parametrize("scope", sample(["thread", "process"], quick=1))
@pytest.mark.parametrize("name", PROGRAMS)
def test_counts_equal_the_reference(name: str, scope: str, build: Any, python: Any) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    counter = build("counter.c", "libcounter.so", "-shared", "-fPIC")
    environ = {"LD_PRELOAD": str(counter), "ADALLOC_TEST_SCOPE": scope}
    run = python(WATCH + PROGRAMS[name], timeout=200, **environ)
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert len(lines) == PROGRAMS[name].count("watch(")
    for line in lines:
        hooked, reference = json.loads(line)
        assert hooked == reference
    assert any(sum(json.loads(line)[1].values()) for line in lines)


def test_names_of_cpp_are_spelled_as_written() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from pytest_adalloc.hooks import measure

    report = measure(lambda: torch.ones(1000), calls=10)
    assert any(site.symbol.startswith("c10::alloc_cpu(") for site in report.sites), report
    assert "libc10.so" in report.by_library


def test_the_line_of_python_that_led_there_is_the_outermost_frame() -> None:
    np = pytest.importorskip("numpy")
    from pytest_adalloc.hooks import measure

    def user() -> Any:
        return np.zeros(5000)

    report = measure(user, calls=10)
    frame = report.sites[0].stack[-1]
    assert (frame.symbol, frame.file, frame.line) == ("user", __file__, user.__code__.co_firstlineno + 1)
