"""Figures that are made when they are first read: why a gradient keeps what it keeps takes longer than checking it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class Later(Generic[T]):
    """A value that is made when it is first read, and then kept."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make: Callable[[], T] | None = make
        self._made: T

    def read(self) -> T:
        """The value itself."""
        if self._make is not None:
            self._made, self._make = self._make(), None
        return self._made

    def __reduce__(self) -> tuple[Any, ...]:
        # What goes to another process goes there as it is read.
        return _read, (self.read(),)


def _read(made: T) -> Later[T]:
    return Later(lambda: made)


class Figure(Generic[T]):
    """A field of a dataclass that may be given as `Later`; whoever reads it gets the value.

    stored: Figure[tuple[Any, ...]] = field(default=Figure(()))
    """

    def __init__(self, default: T) -> None:
        self._default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> T: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> T:
        if instance is None:
            return self._default
        value: T | Later[T] = vars(instance)[self._name]
        return value.read() if isinstance(value, Later) else value

    def __set__(self, instance: object, value: T | Later[T]) -> None:
        # A dataclass passes on the default of a field as it stands in the class: this object.
        vars(instance)[self._name] = self._default if isinstance(value, Figure) else value


__all__ = ["Figure", "Later"]
