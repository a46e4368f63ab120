"""The door to the cache: what an earlier process compiled of the very same program, without any stage of the compiler.

    door = door_of(function, signature, options)     # None: nothing of it can be recognised in another process
    door.interface()                                  # None: nobody has compiled it yet
    door.code(key)

The name of an entry is a hash of all that a compile may read (`adcore.runtime.cache.identity`), the kinds of the
arguments, and what machine code depends on beside the program (`adcore.runtime.cache.environment`). Before something is
kept, three things are looked at once more: that the hash holds all that this compile did read, that nothing of it has
changed meanwhile, and that the files still say what the running code does.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from adcore.captures import Capture
from adcore.driver.derivatives.rules import generation
from adcore.driver.interface import Interface
from adcore.driver.request import Options
from adcore.loaded_code import says_the_same
from adcore.runtime.cache import disk
from adcore.runtime.cache.entries import NotPlain, packed, packed_code, unpacked, unpacked_code
from adcore.runtime.cache.identity import Reached, Unstable, reach
from adcore.runtime.loading.native_code import NativeCode
from adcore.runtime.values.leaves import LeafValue
from adcore.signature import ArgType, DictArg, RecordArg, SequenceArg, Signature, StaticArg, UniformArg, has_objects

WarmKey = tuple[Any, ...]

MOST_FACTS = 32
"""A program that asks for the bytes of ever new shapes must not fill the disk."""

DAMAGE = (NotPlain, ValueError, TypeError, KeyError, IndexError, EOFError)
"""What reading an entry of another form raises."""


def door_of(function: Callable[..., Any], signature: Signature, options: Options) -> Door | None:
    """The entries of a function for a signature; None where there is no cache, or no identity for the program."""
    if options.ops is not None or disk.folder() is None or any(map(has_objects, signature.args)):
        return None
    try:
        return Door(function, signature, options)
    except Unstable:
        return None


class Door:
    """The entries of one function for one signature."""

    def __init__(self, function: Callable[..., Any], signature: Signature, options: Options) -> None:
        self._function, self._signature = function, signature
        self._reached = self._reach()
        described = [_described(arg) for arg in signature.args]
        kinds = (signature.names, described, signature.aliases, signature.ones, signature.lengths, options.boundscheck)
        self._name = disk.key("interface", self._reached.digest, kinds)
        self._closed = False
        self._facts = 0

    def _reach(self) -> Reached:
        statics = [value for arg in self._signature.args for value in _statics(arg)]
        return reach(self._function, statics, _rule_of())

    @property
    def is_current(self) -> bool:
        """Whether all that a compile may read is what it was."""
        try:
            return self._reach().digest == self._reached.digest
        except Unstable:
            return False

    @functools.cached_property
    def _may_keep(self) -> bool:
        """Whether what was compiled just now is what the name of the entry stands for."""
        return not self._closed and self.is_current and all(map(says_the_same, self._reached.functions))

    # The interface

    def interface(self) -> Interface | None:
        entry = disk.fetch(self._name)
        if entry is None:
            return None
        try:
            (captured, written, result, types, compared, size, places), _ = unpacked(entry, self._reached.classes)
            captures = tuple(self._capture(*place) for place in places)
        except DAMAGE:
            return None
        leaves = (*self._signature.leaves(), *captured)
        return Interface(leaves, written, result, types, captures, frozenset(compared), size)

    def _capture(self, path: str, place: Any, arg: Any) -> Capture:
        """A variable as it is now, which is as it was when the entry was made."""
        fetch = self._reached.fetcher(place)
        return Capture(path, fetch, None if arg is not None else fetch(), arg, probe=self._reached.probe(place))

    def keep_interface(self, made: Interface) -> None:
        self._closed = not self._reached.covers(made.captures)
        if not self._may_keep:
            return
        places = [(c.path, self._reached.place(c.key), c.arg) for c in made.captures]
        captured = made.leaves[len(self._signature.leaves()) :]
        compared = tuple(sorted(made.compared))
        try:
            entry = packed((captured, made.written, made.result, made.result_types, compared, made.size, places))
            unpacked(entry, self._reached.classes)
        except NotPlain:
            return
        disk.store(self._name, entry)

    # Its specialisations

    def code(self, key: WarmKey) -> NativeCode | None:
        entry = disk.fetch(self._entry("kernel", key))
        try:
            return unpacked_code(entry, self._reached.classes) if entry is not None else None
        except DAMAGE:
            return None

    def keep_code(self, key: WarmKey, code: NativeCode) -> None:
        if not self._may_keep:
            return
        try:
            entry = packed_code(code)
            unpacked_code(entry, self._reached.classes)
            disk.store(self._entry("kernel", key), entry)
        except NotPlain:
            return

    def fact(self, what: str, key: WarmKey, values: Sequence[LeafValue] | None) -> tuple[str | int | None] | None:
        """What a plan says, in a tuple; None where nobody has asked that yet."""
        entry = disk.fetch(self._entry(what, key, _sizes(values)))
        try:
            return unpacked(entry, {})[0] if entry is not None else None
        except DAMAGE:
            return None

    def keep_fact(self, what: str, key: WarmKey, values: Sequence[LeafValue] | None, told: str | int | None) -> None:
        if self._may_keep and self._facts < MOST_FACTS:
            self._facts += 1
            disk.store(self._entry(what, key, _sizes(values)), packed((told,)))

    def _entry(self, what: str, *key: Any) -> str:
        return disk.key(what, self._name, key)


def _rule_of() -> Callable[[Any], Any]:
    """What finds custom derivatives; nobody has given any while the frontend is not loaded."""
    if generation():
        return sys.modules["adcore.frontend.custom_derivatives"].find  # type: ignore[no-any-return]
    return lambda function: None


def _described(arg: ArgType) -> Any:
    """A kind of argument without the values and classes in it, which are hashed by what they are."""
    if isinstance(arg, StaticArg):
        return "static"
    if isinstance(arg, RecordArg):
        return ("record", [(name, _described(field)) for name, field in arg.fields])
    if isinstance(arg, SequenceArg):
        return (arg.kind, [_described(item) for item in arg.items])
    if isinstance(arg, DictArg):
        return ("dict", len(arg.keys), [_described(item) for item in arg.items])
    if isinstance(arg, UniformArg):
        return ("uniform", arg.kind, _described(arg.item))
    return arg


def _statics(arg: ArgType) -> Iterator[Any]:
    """Values and classes that stand in a signature."""
    if isinstance(arg, StaticArg):
        yield arg.value
    elif isinstance(arg, RecordArg):
        yield arg.cls
        for _, field in arg.fields:
            yield from _statics(field)
    elif isinstance(arg, SequenceArg):
        for item in arg.items:
            yield from _statics(item)
    elif isinstance(arg, DictArg):
        yield from arg.keys
        for item in arg.items:
            yield from _statics(item)
    elif isinstance(arg, UniformArg):
        yield from _statics(arg.item)


def _sizes(values: Sequence[LeafValue] | None) -> Any:
    """What a plan takes of values: shapes, and numbers, which may be sizes."""
    if values is None:
        return None
    return [
        np.shape(value) if isinstance(value, np.ndarray)
        else [np.shape(item) for item in value] if isinstance(value, tuple) else repr(value)
        for value in values
    ]  # fmt: skip


__all__ = ["Door", "door_of"]
