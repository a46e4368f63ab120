"""Checks that several threads start at once wait for each other: the hooks are the process's own."""

from __future__ import annotations

import threading

import numpy as np

import pytest_adalloc


def waves(x):
    total = 0.0
    for i in range(len(x)):
        total += np.sin(x[i]) * x[i]
    return total


def test_threads_may_check_at_once() -> None:
    verdicts: list[str] = []

    def body(t: int) -> None:
        verdicts.append(pytest_adalloc.check(waves, np.linspace(1.0, 2.0, 5 + t)).verdict)

    threads = [threading.Thread(target=body, args=(t,)) for t in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verdicts == ["passed"] * 3
