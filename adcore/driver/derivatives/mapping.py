"""Calls at many inputs, by several threads: in the order of the batch, up to the first exception."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable
from typing import Any

from adcore.runtime.values.arguments import refuse


def mapped(call: Callable[..., Any], batch: Iterable[Any], *, threads: int = 1) -> list[Any]:
    """What `call` returns for each item of a batch, a tuple of arguments or the only one; see `Handle.map`."""
    if not isinstance(threads, int) or isinstance(threads, bool) or threads < 1:
        refuse(f"threads={threads!r}: give a whole number, at least 1")
    items = list(batch)
    results: list[Any] = [None] * len(items)
    failures: list[tuple[int, BaseException]] = []
    numbers = itertools.count()  # handing out one is a single step of the interpreter's

    def work() -> None:
        while not failures:
            k = next(numbers)
            if k >= len(items):
                return
            item = items[k]
            try:
                results[k] = call(*item) if isinstance(item, tuple) else call(item)
            except BaseException as problem:
                failures.append((k, problem))

    helpers = [threading.Thread(target=work, daemon=True) for _ in range(min(threads, len(items)) - 1)]
    for helper in helpers:
        helper.start()
    try:
        work()
    finally:
        for helper in helpers:
            helper.join()
    if failures:
        k, problem = min(failures, key=lambda failure: failure[0])
        problem.batch_index = k  # type: ignore[attr-defined]
        if hasattr(problem, "add_note"):
            problem.add_note(f"adcore: this is item {k} of the batch of {len(items)}")
        raise problem
    return results


__all__ = ["mapped"]
