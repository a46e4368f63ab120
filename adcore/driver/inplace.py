"""In-place differentiation: annotated arguments in, derivatives into their shadows.

`AnnotatedCall` is one call prepared to the last word: its frame can be run once (`autodiff`), again and again over the
same buffers (`bind`), or by any native caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from adcore.activities import Active, Activity, Const, Duplicated, Mode
from adcore.driver.pipeline import Sweep
from adcore.driver.specialisations import Options, Prepared, Primal, Version, is_differentiable, prepare
from adcore.errors import ArgumentError, Diagnostic
from adcore.ir.types import ListType, Scalar
from adcore.runtime.alias_guard import alias_groups, mirror
from adcore.runtime.arguments import refuse, signature
from adcore.runtime.calls import Returned
from adcore.runtime.frames import Frame
from adcore.runtime.leaves import Flattened, LeafValue, arrays, flatten, rebuild
from adcore.runtime.shadows import check_overlaps, check_structure
from adcore.signature import (
    ArgType,
    ArrayArg,
    RecordArg,
    ScalarArg,
    SequenceArg,
    Signature,
    StaticArg,
    UniformArg,
    leaves,
)


@dataclass(frozen=True)
class Buffer:
    """An array that a call reads or writes: `path` names it, `role` is "argument" or "shadow"."""

    path: str
    role: str
    array: np.ndarray[Any, Any]
    written: bool


def annotate(value: Any) -> Activity:
    """`value` as an annotation; what carries none is constant."""
    return value if isinstance(value, Activity) else Const(value)


class AnnotatedCall:
    """One call of `function` in `mode` on annotated arguments, with its code and its frame."""

    def __init__(
        self, mode: Mode, function: Callable[..., Any], names: Sequence[str], annotated: Sequence[Any],
        options: Options, expected: Primal | None = None,
    ) -> None:  # fmt: skip
        self.mode, self.function, self.names = mode, function, names
        self.activities = [annotate(a) for a in annotated]
        values = [a.value for a in self.activities]
        self.signature = weakened(signature(names, values), self.activities)
        if expected is not None and self.signature != expected.signature:
            raise ArgumentError(differences(expected.signature, self.signature))
        self.prepared = prepare(function, self.signature, values, options, expected)
        self._check()
        self._shadows = Flattened()
        kinds, shadows = self._kinds()
        self.kinds, self.version = kinds, self._version(kinds, shadows)
        self.values = self._derived_values(kinds, shadows)
        self.frame: Frame = self.version.kernel.frame(self.values)

    # What is differentiated

    def _check(self) -> None:
        position = 0
        for name, arg, activity in zip(self.names, self.signature.args, self.activities, strict=True):
            own = range(position, position := position + len(list(leaves(arg, name))))
            writes = self.mode.sweep == "reverse" or not self.prepared.primal.written.isdisjoint(own)
            if isinstance(activity, Active):
                _check_active(name, arg, self.mode)
            elif isinstance(activity, Duplicated):
                if isinstance(arg, ScalarArg) and self.mode.sweep == "reverse":
                    refuse(
                        f"the shadow of `{name}` is a number, which cannot be added to in place", help="use ad.Active"
                    )
                check_structure(name, arg, activity.value, activity.shadow, writes)

    def _kinds(self) -> tuple[tuple[str, ...], list[LeafValue | None]]:
        """Kind and shadow of every parameter of the primal."""
        kinds: list[str] = []
        shadows: list[LeafValue | None] = []
        types = [leaf.type for leaf in self.prepared.primal.leaves]
        for name, arg, activity in zip(self.names, self.signature.args, self.activities, strict=True):
            count = len(list(leaves(arg, name)))
            given: list[LeafValue | None] = [None] * count
            if isinstance(activity, Duplicated):
                given = list(self._flat_shadow(arg, activity.shadow))
            for value in given:
                k = len(kinds)
                kinds.append(self._kind(types[k], k, isinstance(activity, Const)))
                shadows.append(value if kinds[-1] != "const" else None)
        for k in range(len(kinds), len(types)):
            kinds.append(self._kind(types[k], k, True))
            shadows.append(None)
        return tuple(kinds), self._own_shadows(kinds, shadows)

    def _own_shadows(self, kinds: Sequence[str], shadows: Sequence[LeafValue | None]) -> list[LeafValue | None]:
        """Zero shadows where a constant argument needs one; leaves that share memory share them likewise."""
        missing = frozenset(k for k, kind in enumerate(kinds) if kind == "duplicated" and shadows[k] is None)
        for group in self.prepared.groups:
            given = [k for k in group if k not in missing and kinds[k] == "duplicated"]
            if given and missing & set(group):
                names = self.prepared.names
                constant = names[min(missing & set(group))]
                refuse(
                    f"`{constant}` is constant and shares memory that the function writes with `{names[given[0]]}`, "
                    "which is not",
                    help="give it the corresponding part of the same shadow: one location has one derivative",
                )
        self._fresh_shadows = bool(missing)
        made = mirror(self.prepared.values, missing, self.prepared.groups)
        return [m if k in missing else s for k, (m, s) in enumerate(zip(made, shadows, strict=True))]

    def _kind(self, type_: Any, k: int, constant: bool) -> str:
        if self.mode.sweep == "primal" or not is_differentiable(type_):
            return "const"
        if constant:
            # Lists of arrays that the function uses for scratch need shadows from outside, and so do arrays that share
            # memory with what is written; any other array gets its own inside.
            scratch = isinstance(type_, ListType) and k in self.prepared.primal.written
            return "duplicated" if scratch or any(k in group for group in self.prepared.groups) else "const"
        return "active" if isinstance(type_, Scalar) else "duplicated"

    def _flat_shadow(self, arg: ArgType, shadow: Any) -> list[LeafValue]:
        start = len(self._shadows.values)
        self._shadows.add(arg, shadow)
        return self._shadows.values[start:]

    # The version and its arguments

    def _version(self, kinds: tuple[str, ...], shadows: list[LeafValue | None]) -> Version:
        prepared, primal = self.prepared, self.prepared.primal
        numbers = [k for k, kind in enumerate(kinds) if kind == "duplicated"]
        written = frozenset(k for k in numbers if self.mode.sweep == "reverse" or k in primal.written)
        checked = [s if k in written else None for k, s in enumerate(shadows)]
        check_overlaps(prepared.names, prepared.values, checked, primal.written)
        own, count = prepared.groups, len(prepared.values)
        every = alias_groups([*prepared.values, *(shadows[k] for k in numbers)]) if numbers else own
        written_shadows = {count + j for j, k in enumerate(numbers) if k in written}
        aliases = primal.relevant(every, primal.written | written_shadows)
        if self.mode.sweep == "primal":
            return primal.version((), own, prepared.values)
        if self.mode.sweep == "forward":
            return primal.version(
                (Sweep("forward", kinds, (), own),), self._forward_groups(aliases, kinds), prepared.values
            )
        return primal.version((Sweep("reverse", kinds, self.seeds(), own),), aliases, prepared.values)

    def _forward_groups(
        self, groups: tuple[tuple[int, ...], ...], kinds: tuple[str, ...]
    ) -> tuple[tuple[int, ...], ...]:
        """In forward mode scalars have tangents too: shadow number j is parameter `position[j]`."""
        count = len(kinds)
        varied = [kind for kind in kinds if kind != "const"]
        position = [count + k for k, kind in enumerate(varied) if kind == "duplicated"]
        return tuple(tuple(k if k < count else position[k - count] for k in group) for group in groups)

    def seeds(self) -> tuple[bool, ...]:
        """Which results are differentiated: all floats, seeded with 1.0."""
        result_types = self.prepared.primal.result_types
        if any(not isinstance(t, Scalar) and is_differentiable(t) for t in result_types):
            refuse(
                f"{self.function.__name__} returns an array: there is no one derivative to propagate",
                help="use ad.vjp, or write the result into an argument and seed its shadow",
            )
        return tuple(is_differentiable(t) for t in result_types)

    def _derived_values(self, kinds: tuple[str, ...], shadows: list[LeafValue | None]) -> list[LeafValue]:
        values = list(self.prepared.values)
        if self.mode.sweep == "primal":
            return values
        if self.mode.sweep == "forward":
            tangents = [1.0 if s is None else s for s, kind in zip(shadows, kinds, strict=True) if kind != "const"]
            return [*values, *tangents]
        duplicated = [s for s, kind in zip(shadows, kinds, strict=True) if kind == "duplicated"]
        return [*values, *duplicated, *(1.0 for seeded in self.seeds() if seeded)]

    # Running it

    def run(self) -> Any:
        """Call the native code; what it returned, in the form of the mode."""
        self.version.kernel.run(self.frame)
        self.write_back()
        return self.finish()

    def write_back(self) -> None:
        """Bring numbers of lists that were passed as arrays back into the lists."""
        for packed in self.prepared.flattened.packed:
            if packed.leaf in self.prepared.primal.written:
                packed.write_back()
        for packed in self._shadows.packed:
            packed.write_back()

    @property
    def is_native(self) -> bool:
        """Whether the frame alone says everything: nothing is copied in and out, and no shadow of the call's own has to
        be zero when it starts."""
        copied = self.prepared.flattened.packed or self._shadows.packed
        return not (copied or self._fresh_shadows or self._scalar_shadows())

    def _scalar_shadows(self) -> bool:
        return self.mode.sweep == "reverse" and any(
            isinstance(activity, Duplicated) and _has_scalars(arg)
            for arg, activity in zip(self.signature.args, self.activities, strict=True)
        )

    def finish(self) -> Any:
        """Results from the frame: the value, the tangent, or the derivatives of the Active arguments."""
        primal, count = self.prepared.primal, len(self.prepared.primal.result_types)
        results = [self.frame.result(k) for k in range(len(self.frame.layout.results))]
        if self.mode.sweep == "primal":
            return primal.rebuild(results)
        value = primal.rebuild(results[:count]) if self.mode.primal else None
        if self.mode.sweep == "forward":
            tangent = primal.rebuild_tangent(tangents_of(self.prepared.primal.result_types, results[count:]))
            return (tangent, value) if self.mode.primal else tangent
        derivatives = self._derivatives(iter(results[count:]))
        return (derivatives, value) if self.mode.primal else derivatives

    def _derivatives(self, adjoint: Iterator[Any]) -> tuple[Any, ...] | None:
        """Adjoints of the Active arguments; those of numbers inside Duplicated records are added to their shadows."""
        found: list[Any] = []
        position = 0
        for name, arg, activity in zip(self.names, self.signature.args, self.activities, strict=True):
            count = len(list(leaves(arg, name)))
            kinds = self.kinds[position : position + count]
            position += count
            own = [next(adjoint) if kind == "active" else None for kind in kinds]
            if isinstance(activity, Active):
                found.append(rebuild(arg, iter(own)))
            elif isinstance(activity, Duplicated) and "active" in kinds:
                _add_numbers(f"`{name}`", arg, activity.shadow, iter(own))
        return tuple(found) if found else None

    @property
    def returned(self) -> Returned:
        """How a native wrapper hands back the result."""
        primal, results = self.prepared.primal, self.frame.layout.results
        count, sweep = len(primal.result_types), self.mode.sweep
        single = primal.is_single and count == 1 and all(str(t) == "f64" for t in results)
        if sweep == "reverse":
            active = self.kinds.count("active")
            pairs = zip(self.signature.args, self.activities, strict=True)
            flat = all(isinstance(arg, ScalarArg) for arg, activity in pairs if isinstance(activity, Active))
            flat = flat and all(str(t) == "f64" for t in results[count:])
            if not self.mode.primal:
                return Returned(active, count) if flat else Returned(None)
            return Returned(active, pair=True) if flat and single else Returned(None)
        if isinstance(primal.program.result, StaticArg) and (sweep == "primal" or not self.mode.primal):
            return Returned(0)
        if single and (sweep == "primal" or not self.mode.primal):
            return Returned(1, 0 if sweep == "primal" else 1, single=True)
        return Returned(None)

    @property
    def buffers(self) -> tuple[Buffer, ...]:
        """Every array that the call touches, for those who restore them between calls."""
        count = len(self.prepared.values)
        names = self.prepared.names
        shadowed = [n for n, kind in zip(names, self.kinds, strict=True) if kind == "duplicated" or
                    (kind == "active" and self.mode.sweep == "forward")]  # fmt: skip
        found = [Buffer(names[k], "argument", a, k in self.prepared.primal.written)
                 for k in range(count) for a in arrays(self.values[k])]  # fmt: skip
        for name, value in zip(shadowed, self.values[count:], strict=False):
            found += [Buffer(name, "shadow", a, True) for a in arrays(value)]
        return tuple(found)


def tangents_of(types: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
    """One tangent per result: forward mode gives none for integers."""
    given = iter(tangents)
    listed = [next(given) if not isinstance(t, Scalar) or is_differentiable(t) else None for t in types]
    return [value if is_differentiable(t) else None for t, value in zip(types, listed, strict=True)]


def _has_scalars(arg: ArgType) -> bool:
    if isinstance(arg, RecordArg):
        return any(_has_scalars(field) for _, field in arg.fields)
    if isinstance(arg, SequenceArg):
        return any(map(_has_scalars, arg.items))
    return isinstance(arg, ScalarArg) and arg.dtype[0] == "f"


def _check_active(name: str, arg: ArgType, mode: Mode) -> None:
    if isinstance(arg, (ArrayArg, UniformArg)) or (isinstance(arg, SequenceArg) and arg.kind == "list"):
        refuse(
            f"`{name}` is an array or a list: it can't be Active",
            help=f"ad.Duplicated({name}, shadow): its derivative is added to the shadow",
        )
    if mode.sweep == "forward":
        refuse(f"`{name}` is Active; forward mode needs its tangent", help=f"ad.Duplicated({name}, 1.0)")
    if not _has_scalars(arg):
        what = {"i": "an integer", "u": "an integer", "b": "a bool"}.get(getattr(arg, "dtype", " ")[0], "no float")
        refuse(f"`{name}` is {what}: it has no derivative", help=f"pass float({name}), or ad.Const({name})")


def _add_numbers(path: str, arg: ArgType, shadow: Any, adjoint: Iterator[Any]) -> None:
    """Add adjoints of numbers inside records and lists to the shadow's own numbers."""
    if isinstance(arg, RecordArg):
        for name, field in arg.fields:
            if isinstance(field, ScalarArg):
                value = next(adjoint)
                if value is not None:
                    _put(path, shadow, name, getattr(shadow, name) + value)
            else:
                _add_numbers(path, field, getattr(shadow, name), adjoint)
    elif isinstance(arg, SequenceArg):
        for k, item in enumerate(arg.items):
            if isinstance(item, ScalarArg):
                value = next(adjoint)
                if value is not None:
                    _put(path, shadow, k, shadow[k] + value)
            else:
                _add_numbers(path, item, shadow[k], adjoint)
    else:
        for _ in leaves(arg, path):
            next(adjoint)


def _put(path: str, target: Any, key: Any, value: Any) -> None:
    try:
        if isinstance(key, int):
            target[key] = value
        else:
            setattr(target, key, value)
    except (AttributeError, TypeError):
        refuse(
            f"the shadow of {path} can't be changed in place ({type(target).__name__})",
            help="use ad.grad, which returns the derivative, or a mutable record",
        )


def weakened(described: Signature, activities: Sequence[Activity]) -> Signature:
    """The signature with layouts that shadows have too: a strided shadow of a contiguous array makes both strided."""
    args = []
    for arg, activity in zip(described.args, activities, strict=True):
        shadows: Sequence[Any] = getattr(activity, "shadows", ())
        shadows = [activity.shadow] if isinstance(activity, Duplicated) else shadows
        for shadow in shadows:
            arg = _weaken(arg, shadow)
        args.append(arg)
    return replace(described, args=tuple(args))


def _weaken(arg: ArgType, shadow: Any) -> ArgType:
    if isinstance(arg, ArrayArg):
        plain = not isinstance(shadow, np.ndarray) or shadow.flags.c_contiguous
        return arg if plain else replace(arg, layout="S")
    if isinstance(arg, SequenceArg) and isinstance(shadow, (list, tuple)) and len(shadow) == len(arg.items):
        return replace(arg, items=tuple(map(_weaken, arg.items, shadow)))
    if isinstance(arg, RecordArg) and type(shadow) is arg.cls:
        fields = tuple((name, _weaken(field, getattr(shadow, name, None))) for name, field in arg.fields)
        return replace(arg, fields=fields)
    if isinstance(arg, UniformArg) and isinstance(shadow, (list, tuple)):
        item = arg.item
        for part in shadow:
            item = _weaken(item, part)
        return replace(arg, item=item)
    return arg


def differences(expected: Signature, found: Signature) -> list[Diagnostic]:
    """Why a handle does not fit arguments."""
    pairs = zip(expected.names, expected.args, found.args, strict=True)
    return [
        Diagnostic(f"`{name}` was compiled as {kind_text(a)}, and this call has {kind_text(b)}", None,
                   help="compile once more for arguments of this kind")
        for name, a, b in pairs if a != b
    ]  # fmt: skip


def kind_text(arg: ArgType) -> str:
    """A kind of argument in words."""
    if isinstance(arg, ScalarArg):
        return f"a {'Python' if arg.weak else 'NumPy'} {arg.dtype}"
    if isinstance(arg, ArrayArg):
        layout = "" if arg.layout == "C" else "strided "
        return f"a {layout}{arg.rank}-dimensional {'' if arg.writeable else 'read-only '}array of {arg.dtype}"
    if isinstance(arg, UniformArg):
        return f"a {arg.kind} of items that are each {kind_text(arg.item)}"
    if isinstance(arg, SequenceArg):
        return f"a {arg.kind} ({', '.join(map(kind_text, arg.items))})"
    if isinstance(arg, RecordArg):
        return f"a {arg.cls.__name__} ({', '.join(f'{n}: {kind_text(f)}' for n, f in arg.fields)})"
    return repr(arg.value)


__all__ = ["AnnotatedCall", "Buffer", "Prepared", "annotate", "flatten"]
