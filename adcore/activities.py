"""What to differentiate, and how: activities annotate arguments, modes choose the sweep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal


class Activity:
    """Base of the annotations; `value` is the argument itself."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(repr(getattr(self, name)) for name in _slots(type(self)))})"


class Const(Activity):
    """An argument that is not differentiated."""

    __slots__ = ()


class Active(Activity):
    """A number (or a tuple or record of numbers) whose derivative the call returns."""

    __slots__ = ()


class Duplicated(Activity):
    """An argument with its shadow: in reverse mode its derivative is added to the shadow, in forward mode the shadow is
    the tangent. Both are updated in place."""

    __slots__ = ("shadow",)

    def __init__(self, value: Any, shadow: Any) -> None:
        super().__init__(value)
        self.shadow = shadow


class DuplicatedNoNeed(Duplicated):
    """As Duplicated, where nobody reads the argument itself after the call."""

    __slots__ = ()


class BatchDuplicated(Activity):
    """An argument with several shadows: tangents that one forward sweep propagates together, or seeds and derivatives
    of as many reverse sweeps, which one call makes."""

    __slots__ = ("shadows",)

    def __init__(self, value: Any, shadows: Sequence[Any]) -> None:
        super().__init__(value)
        self.shadows = tuple(shadows)


def _slots(cls: type) -> list[str]:
    return [name for base in reversed(cls.__mro__) for name in getattr(base, "__slots__", ())]


@dataclass(frozen=True)
class Mode:
    """A way to differentiate; `primal`: the value is returned as well."""

    name: str
    sweep: Literal["primal", "forward", "reverse"]
    primal: bool = False

    def __repr__(self) -> str:
        return f"adcore.{self.name}"


@dataclass(frozen=True, repr=False)
class SplitMode(Mode):
    """The mode whose sweeps are two calls; a type of its own, as compiling for it gives another type of handle."""


Primal = Mode("Primal", "primal", True)
Forward = Mode("Forward", "forward")
ForwardWithPrimal = Mode("ForwardWithPrimal", "forward", True)
Reverse = Mode("Reverse", "reverse")
ReverseWithPrimal = Mode("ReverseWithPrimal", "reverse", True)
ReverseSplit = SplitMode("ReverseSplit", "reverse", True)
"""Forward and reverse sweep as two calls; see `adcore.driver.handles.split`."""
