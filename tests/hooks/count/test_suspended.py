"""A call that gives a body back instead of running it is no measurement of that body."""

from __future__ import annotations

import asyncio
import collections
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import numpy as np
import pytest

from pytest_adalloc.hooks import measure


async def coroutine() -> Any:
    return np.empty(10_000)


def generator() -> Iterator[Any]:
    yield np.empty(10_000)


async def asynchronous_generator() -> AsyncIterator[Any]:
    yield np.empty(10_000)


class Awaited:
    async def __call__(self) -> Any:
        return np.empty(10_000)

    async def method(self) -> Any:
        return np.empty(10_000)


@pytest.mark.parametrize(
    ("call", "made"),
    [
        (coroutine, "a coroutine"),
        (generator, "a generator"),
        (asynchronous_generator, "an asynchronous generator"),
        (Awaited(), "a coroutine"),
        (Awaited().method, "a coroutine"),
        (functools.partial(generator), "a generator"),
    ],
    ids=["coroutine", "generator", "asynchronous generator", "object", "method", "partial"],
)
def test_refused_before_anything_runs(call: Callable[[], Any], made: str) -> None:
    with pytest.raises(TypeError, match=f"returns {made}: its body has not run"):
        measure(call, calls=3)


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize("warmup", [0, 1])
@pytest.mark.parametrize("call", [coroutine, generator, asynchronous_generator])
def test_refused_where_only_the_result_tells(call: Callable[[], Any], warmup: int) -> None:
    with pytest.raises(TypeError, match="its body has not run"):
        measure(lambda: call(), calls=3, warmup=warmup)


def test_bodies_that_do_run_are_counted() -> None:
    loop = asyncio.new_event_loop()
    try:
        assert measure(lambda: loop.run_until_complete(coroutine()), calls=5).allocs >= 5
    finally:
        loop.close()
    assert measure(lambda: collections.deque(generator(), maxlen=0), calls=5).allocs_per_call == (1,) * 5
    assert measure(lambda: [i for i in range(3)], calls=3).calls == 3  # noqa: C416
