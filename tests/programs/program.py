"""What a program of this folder is: a function as an engineer writes it, with arguments at which it is smooth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Program:
    """One program: `function(*args, **kwargs)` returns a number; `wrt` says what is differentiated, as in `ad.grad`."""

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    wrt: Any = 0
