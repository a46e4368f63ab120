"""What derivatives are taken by: an argument, or a part of one, which a path names.

"x"   "self"   "self.arm.length"   "net.layers[0].w"   "d['k']"
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adcore.instances import MISSING, class_entry, code_of, instance_value, is_object
from adcore.runtime.values.arguments import refuse
from adcore.runtime.values.objects import LiveObjects
from adcore.runtime.values.structures import SignaturePart, zeros_like
from adcore.signature import ArrayArg, ObjectArg, UniformArg


@dataclass(frozen=True)
class WrtTarget:
    """A part of a call that is differentiated. `path` is where the signature has it (None: the program never reads it,
    so that its derivative is zero), `name` what the user calls it, `value` what it is."""

    name: str
    path: str | None
    value: Any


def target_of(
    name: str, names: Sequence[str], values: Sequence[Any], known: Mapping[str, SignaturePart], live: LiveObjects
) -> WrtTarget:
    """The part of the arguments that `name` means. Raises ArgumentError."""
    # What `*rest` collects has names such as `rest[0]`.
    unread = False
    root, *steps = [name] if name in names else steps_of(name)
    path, value = str(root), values[names.index(str(root))]
    for step in steps:
        part = known.get(path)
        if part is not None and isinstance(part.arg, (UniformArg, ArrayArg)):
            refuse(f"wrt={name!r}: the items of `{path}` have one derivative together", help=f"name `{path}`")
        # An object may stand at several places; the signature has it where it is met first.
        path = live.path_of(value) or path
        owner = known.get(path)
        if owner is not None and isinstance(owner.arg, ObjectArg):
            unread = unread or step not in dict(owner.arg.fields)
        if isinstance(step, int) and step < 0:
            step += len(value)
        value = _inside(name, value, step)
        path += f".{step}" if isinstance(step, AttributeStep) else f"[{step!r}]"
    path = live.path_of(value) or path
    if path not in known and not unread:
        refuse(f"wrt={name!r}: this is no part with a derivative of its own", help=f"name what it stands in: `{root}`")
    return WrtTarget(name, path if path in known else None, value)


class AttributeStep(str):
    """A step of a path: the name of an attribute (other steps are subscripts)."""


def steps_of(name: str) -> list[Any]:
    """A path as the name of an argument, and steps. Raises ArgumentError for what is no path."""
    try:
        node: ast.AST = ast.parse(name, mode="eval").body
    except SyntaxError:
        node = ast.Constant(None)
    steps: list[Any] = []
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute):
            steps.append(AttributeStep(node.attr))
            node = node.value
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            steps.append(node.slice.value)
            node = node.value
        else:
            refuse(f"wrt={name!r} is no path", help='write it as "model.arm.length", "net.layers[0].w" or "d[\'k\']"')
    return [node.id, *reversed(steps)]


def moved(target: WrtTarget, tangent: Mapping[str, Any]) -> Any:
    """A tangent of an object from what moves in it, by path; everything else stands still."""
    made = zeros_like(target.value)
    for path, change in tangent.items():
        *before, last = steps_of(f"value.{path}" if path[:1] != "[" else f"value{path}")[1:]
        owner = made
        for step in before:
            owner = _inside(path, owner, step)
        if _inside(path, owner, last) is None:
            refuse(f"`{path}` is no float: it has no tangent")
        if isinstance(last, AttributeStep):
            object.__setattr__(owner, last, change)
        else:
            owner[last] = change
    return made


def _inside(name: str, value: Any, step: Any) -> Any:
    if not isinstance(step, AttributeStep):
        try:
            return value[step]
        except (LookupError, TypeError):
            refuse(f"wrt={name!r}: {_a(value)} has no item {step!r}")
    entry = class_entry(type(value), step)
    code = code_of(entry)
    if code is not None and not callable(entry):
        read = ", ".join(f"`{n}`" for n in code.co_names) or "nothing"
        refuse(f"wrt={name!r}: `{step}` of {_a(value)} is computed, from {read}", help="name what it is computed from")
    found = instance_value(value, step) if is_object(value) else getattr(value, step, MISSING)
    if found is MISSING:
        refuse(f"wrt={name!r}: {_a(value)} has no attribute `{step}`", help="check the spelling")
    return found


def _a(value: Any) -> str:
    return f"a {type(value).__name__}"


__all__ = ["WrtTarget", "steps_of", "target_of"]
