"""The function under test as a function of all its parameters in a row, however its call spells them.

A check moves, copies and names arguments by their place. So `f(x, *rest, k=2.0)` becomes the row `x, rest[0], k`, with
the defaults that the call leaves out: the compiler sees the same row. Whoever is called gets the row back in the form
of a call.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_adalloc.checks.inputs.arguments import differentiable

Spelling = tuple[tuple[Any, ...], dict[str, Any]]

BY_NAME = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True, eq=False)
class FlatFunction:
    """`function` as a function of the row `names`. The last ones, `keywords`, can be given by name alone.

    `placed`: so many of the row were given by position; `named`: these by name (or by `wrt`), in the order of the row;
    all others are defaults.
    """

    function: Callable[..., Any]
    names: tuple[str, ...]
    keywords: tuple[str, ...] = ()
    placed: int = 0
    named: tuple[str, ...] = ()

    def __call__(self, *row: Any) -> Any:
        __tracebackhide__ = True
        args, kwargs = self.call(row)
        return self.function(*args, **kwargs)

    def call(self, row: Sequence[Any]) -> Spelling:
        """A call with the whole row."""
        count = len(self.names) - len(self.keywords)
        return tuple(row[:count]), dict(zip(self.keywords, row[count:], strict=True))

    def as_given(self, row: Sequence[Any]) -> Spelling:
        """The call as its author spelled it: without what was left to defaults."""
        by_name = dict(zip(self.names, row, strict=True))
        return tuple(row[: self.placed]), {name: by_name[name] for name in self.named}

    @property
    def given(self) -> tuple[int, ...]:
        """The places in the row that were given, by position and then by name."""
        return (*range(self.placed), *map(self.names.index, self.named))

    @property
    def name(self) -> str:
        return getattr(self.function, "__name__", None) or type(self.function).__name__

    @property
    def plain(self) -> Callable[..., Any]:
        """The Python function, of a jitted one what is inside, to be called with a row."""
        python = getattr(self.function, "py_func", self.function)
        return replace(self, function=python) if self.keywords else python  # a row of values is a call already


def in_a_row(
    f: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], wrt: Any
) -> tuple[FlatFunction, tuple[Any, ...], Any]:
    """The function, its row of arguments, and what is differentiated: of defaults nothing, unless `wrt` says so.

    Raises TypeError where `f` can't be called with these arguments.
    """
    __tracebackhide__ = True
    signature = signature_of(f)
    if signature is None:
        names = (*(f"arg{k}" for k in range(len(args))), *kwargs)
        return FlatFunction(f, names, tuple(kwargs), len(args), tuple(kwargs)), (*args, *kwargs.values()), wrt
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as problem:
        raise TypeError(f"{getattr(f, '__name__', f)}{signature}: {problem}") from None
    given = set(_entries(signature, bound.arguments))
    bound.apply_defaults()
    row = _entries(signature, bound.arguments)
    names, by_name = tuple(row), tuple(name for name, (_, kind) in row.items() if kind in BY_NAME)
    values = tuple(value for value, _ in row.values())
    mine = [k for k, name in enumerate(names) if name in given]
    if wrt is None and len(mine) < len(names):
        wrt = differentiable(names, values, mine)
    wrt = _counted(wrt, mine)
    asked = {names[w] if isinstance(w, int) and 0 <= w < len(names) else w for w in _items(wrt)} - given
    named = tuple(name for name in names if name in kwargs or name in asked)
    return FlatFunction(f, names, by_name, len(args), named), values, wrt


def signature_of(f: Callable[..., Any]) -> inspect.Signature | None:
    """The parameters of a call; None where they can't be read. A decorator's own are those of the call, whatever
    function it wraps."""
    try:
        return inspect.signature(f, follow_wrapped=not inspect.isfunction(f))
    except (TypeError, ValueError):
        return None


def _entries(signature: inspect.Signature, arguments: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The row by name, each value with the kind of its parameter."""
    row: dict[str, tuple[Any, Any]] = {}
    for name, value in arguments.items():
        kind = signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            row.update({f"{name}[{k}]": (item, kind) for k, item in enumerate(value)})
        elif kind is inspect.Parameter.VAR_KEYWORD:
            row.update({keyword: (item, kind) for keyword, item in value.items()})
        else:
            row[name] = value, kind
    return row


def _counted(wrt: Any, given: Sequence[int]) -> Any:
    """`wrt` with places from the end counted from the start: they count what was given."""

    def counted(item: Any) -> Any:
        ends = isinstance(item, int) and not isinstance(item, bool) and -len(given) <= item < 0
        return given[item] if ends else item

    return tuple(map(counted, wrt)) if isinstance(wrt, (tuple, list)) else counted(wrt)


def _items(wrt: Any) -> Sequence[Any]:
    return wrt if isinstance(wrt, (tuple, list)) else (wrt,)


__all__ = ["FlatFunction", "in_a_row", "signature_of"]
