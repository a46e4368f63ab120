"""Derivatives of attributes that a function assigns, in the shadow of their object.

Such an attribute is state, as an array's element is. In reverse mode its shadow is the derivative by its final value
when the call starts, and by its initial value when it ends; in forward mode the other way round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from adcore.activities import Activity, Duplicated
from adcore.driver.calls.call import Call
from adcore.instances import MISSING, instance_value
from adcore.runtime.values.arguments import refuse
from adcore.signature import (
    ArgType,
    ArrayArg,
    AttributeUpdate,
    DictArg,
    ObjectArg,
    RecordArg,
    ScalarArg,
    SequenceArg,
    StaticArg,
    leaves,
)


@dataclass(frozen=True)
class _Assigned:
    """An attribute with a derivative: the shadow of its object, and which result is its final value."""

    owner: Any
    name: str
    result: int
    conditional: bool

    @property
    def shadow(self) -> Any:
        return instance_value(self.owner, self.name)


class AttributeShadows:
    """The assigned attributes of one call whose objects have shadows."""

    def __init__(self, call: Call, activities: Sequence[Activity]) -> None:
        self._count = len(call.result_types)
        owners: dict[str, Any] = {}
        for name, arg, activity in zip(call.names, call.signature.args, activities, strict=True):
            if isinstance(activity, Duplicated):
                _note(owners, name, arg, activity.shadow)
        self._assigned = list(_assigned(call, owners)) if owners else []

    def __bool__(self) -> bool:
        return bool(self._assigned)

    # Reverse mode

    def seeds(self, returned: Sequence[bool]) -> tuple[bool, ...]:
        """Which results are differentiated: `returned` of what the function returns, and the final values."""
        wanted = {assigned.result for assigned in self._assigned}
        return (*returned, *(k in wanted for k in range(len(returned), self._count)))

    def cotangents(self) -> list[Any]:
        """The derivatives by the final values, in the order of the results; the call may use them up."""
        return [_copied(assigned.shadow) for assigned in self._assigned]

    def start(self) -> None:
        """The derivatives by the initial values are added to zero."""
        for assigned in self._assigned:
            shadow = assigned.shadow
            if isinstance(shadow, np.ndarray):
                shadow.fill(0.0)
            elif shadow is not MISSING:
                object.__setattr__(assigned.owner, assigned.name, 0.0)

    # Forward mode

    def moved(self, results: Sequence[Any], tangents: Sequence[Any]) -> None:
        """The tangents of the final values."""
        for assigned in self._assigned:
            if not assigned.conditional or results[assigned.result - 1]:
                object.__setattr__(assigned.owner, assigned.name, tangents[assigned.result])


def _note(owners: dict[str, Any], path: str, arg: ArgType, shadow: Any) -> None:
    """The shadow of each object, by where the object is."""
    if isinstance(arg, ObjectArg) and shadow is not None:
        owners[path] = shadow
        for name, field in arg.fields:
            _note(owners, f"{path}.{name}", field, instance_value(shadow, name))
    elif isinstance(arg, RecordArg):
        for name, field in arg.fields:
            _note(owners, f"{path}.{name}", field, getattr(shadow, name))
    elif isinstance(arg, DictArg):
        for key, item in zip(arg.keys, arg.items, strict=True):
            _note(owners, f"{path}[{key!r}]", item, shadow[key])
    elif isinstance(arg, SequenceArg):
        for k, item in enumerate(arg.items):
            _note(owners, f"{path}[{k}]", item, shadow[k])


def _assigned(call: Call, owners: dict[str, Any]) -> list[_Assigned]:
    found = []
    result = len(call.returned_types)
    for update in call.primal.interface.updates:
        result += update.conditional
        owner = owners.get(update.path)
        if owner is not None and _has_derivative(update):
            found.append(_Assigned(owner, update.name, result, update.conditional))
        result += len(list(leaves(update.arg, "")))
    return found


def _has_derivative(update: AttributeUpdate) -> bool:
    arg = update.arg
    if isinstance(arg, (ScalarArg, ArrayArg)):
        return arg.dtype[0] == "f"
    if not isinstance(arg, StaticArg):
        refuse(
            f"`{update.path}.{update.name}` is assigned a list or an object: what its shadow becomes is not known",
            help="pass the object without a shadow, or use ad.grad",
        )
    return False


def _copied(shadow: Any) -> Any:
    if isinstance(shadow, np.ndarray):
        return shadow.copy(order="C")
    return 0.0 if shadow is MISSING or shadow is None else float(shadow)


__all__ = ["AttributeShadows"]
