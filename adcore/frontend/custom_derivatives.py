"""Functions with derivatives of the user's own: which they are, and what they were compiled to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adcore.captures import Capture, unwrap
from adcore.ops.custom import Code
from adcore.ops.define import Native
from adcore.signature import ScalarArg

ScalarArguments = tuple[ScalarArg, ...]


class Rule:
    """A function with derivatives of its own; calling it in Python calls the function.

    `primal` is what is compiled, or `native` what is called, with `types` (arguments, then result).
    """

    def __init__(
        self,
        function: Callable[..., Any],
        name: str,
        tangent: Callable[..., Any] | None,
        adjoint: Callable[..., Any] | None,
        primal: Callable[..., Any] | None = None,
        native: Native | None = None,
        types: ScalarArguments = (),
    ) -> None:
        self.function, self.name, self.tangent, self.adjoint = function, name, tangent, adjoint
        self.primal, self.native, self.types = primal, native, types
        self.compiled: dict[ScalarArguments, Compiled | None] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


@dataclass(frozen=True, eq=False)
class Compiled:
    code: Code
    result: ScalarArg
    captures: tuple[Capture, ...]


# By identity: ctypes functions have no hash. The rule keeps its function, so that the number stays taken.
_registered: dict[int, Rule] = {}


def register(rule: Rule) -> None:
    """Use `rule` wherever its function is called in code that is compiled from now on."""
    for function in (rule.function, unwrap(rule.function)):
        _registered[id(function)] = rule


def find(function: Any) -> Rule | None:
    """The rule of a function, if it has one."""
    if isinstance(function, Rule):
        return function
    return _registered.get(id(function)) or _registered.get(id(unwrap(function)))
