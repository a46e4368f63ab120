"""Write an allocation report as a profile that ``go tool pprof`` and speedscope read.

The format is ``profile.proto``, gzipped; its few messages are encoded here, because the wire format is small: a field
is a tag, which is the field's number and kind, and a variable-length integer or a length with bytes. A profile is
complete in itself: names and lines are inside, so that it can be read on a machine that has none of the libraries.
"""

from __future__ import annotations

import gzip
import os
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytest_adalloc.hooks.install.callers import is_interpreter
from pytest_adalloc.hooks.install.loaded_objects import LoadedObject, loaded_objects
from pytest_adalloc.hooks.reports import AllocationReport, Site, StackFrame

SAMPLE_TYPES = (("alloc_objects", "count"), ("alloc_space", "bytes"))


def write_profile(report: AllocationReport, path: str | Path) -> Path:
    """Write the sites of a report to ``path`` (by custom ``*.pb.gz``): counts and bytes over all calls, with stacks.

    To be called in the process that measured, while its libraries are loaded. Raises OSError when the file cannot be
    written.
    """
    target = Path(path)
    target.write_bytes(profile(report))
    return target


def profile(report: AllocationReport, *, now: float | None = None) -> bytes:
    """The gzipped profile; ``now`` is its time stamp in seconds, the present if None."""
    tables = _Tables(loaded_objects()[0])
    comment = f"{report.calls} calls, {report.driven} loop, {report.scope} scope"
    stamp = int((time.time() if now is None else now) * 1e9)
    samples = [_sample(site, tables) for site in report.sites]
    fields = [
        *(_message(1, _value_type(tables, *kind)) for kind in SAMPLE_TYPES),
        *(_message(2, sample) for sample in samples),
        *(_message(3, mapping) for mapping in tables.mappings),
        *(_message(4, location) for location in tables.locations),
        *(_message(5, function) for function in tables.functions),
        _integer(9, stamp),
        # Every allocation is in the profile, not one in so many bytes.
        _message(11, _value_type(tables, "space", "bytes")),
        _integer(12, 1),
        _integer(13, tables.text(comment)),
        _integer(14, tables.text("alloc_space")),
    ]
    # Last, because the fields above fill the table of texts.
    fields += [_message(6, text.encode()) for text in tables.texts]
    return gzip.compress(b"".join(fields), mtime=0)


@dataclass
class _Tables:
    """The shared tables of a profile; an entry is known by its position, counted from one except for texts."""

    objects: Sequence[LoadedObject]
    texts: dict[str, int] = field(default_factory=lambda: {"": 0})
    functions: dict[bytes, int] = field(default_factory=dict)
    locations: dict[bytes, int] = field(default_factory=dict)
    mappings: dict[bytes, int] = field(default_factory=dict)
    _numbers: dict[tuple[object, ...], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Readers take the first one for the program that was run.
        if self.objects:
            self.mapping(self.objects[0])

    def text(self, value: str) -> int:
        return self.texts.setdefault(value, len(self.texts))

    def owner(self, frame: StackFrame) -> LoadedObject | None:
        """The loaded object that holds the code of a frame; None for generated code and lines of Python."""
        return next((known for known in self.objects if known.holds_code(frame.address - 1)), None)

    def function(self, frame: StackFrame) -> int:
        name = frame.symbol or (f"{frame.library}+{frame.offset:#x}" if frame.library else "generated code")
        key = ("function", name, frame.file or frame.library)
        texts = ((2, name), (3, name), (4, frame.file or frame.library))
        return self._entry(self.functions, key, *((at, self.text(value)) for at, value in texts))

    def mapping(self, owner: LoadedObject) -> int:
        start, limit = owner.span()
        path = os.path.realpath(owner.name or sys.executable)
        # The last four: functions, files and lines are known already. Readers need not look for the library.
        known = ((7, 1), (8, 1), (9, 1), (10, 1))
        return self._entry(self.mappings, ("mapping", owner.base), (2, start), (3, limit), (5, self.text(path)), *known)

    def location(self, frame: StackFrame) -> int:
        key = ("location", frame.address, frame.symbol, frame.file, frame.line)
        if key in self._numbers:
            return self._numbers[key]  # most frames are those of many sites, and to find an owner takes time
        owner = self.owner(frame)
        line = _integer(1, self.function(frame)) + _integer(2, frame.line)
        # A frame is known by where it returns to; the format wants an address inside the call.
        places = ((2, self.mapping(owner) if owner else 0), (3, max(frame.address - 1, 0)))
        return self._entry(self.locations, key, *places, tail=_message(4, line))

    def _entry(
        self, table: dict[bytes, int], key: tuple[object, ...], *fields: tuple[int, int], tail: bytes = b""
    ) -> int:
        if key not in self._numbers:
            number = self._numbers[key] = len(table) + 1
            table[_integer(1, number) + b"".join(_integer(at, value) for at, value in fields) + tail] = number
        return self._numbers[key]


def _sample(site: Site, tables: _Tables) -> bytes:
    """One site: its stack from the inside out, the allocating function first."""
    places = [tables.location(frame) for frame in (StackFrame(0, "", site.function), *_stack(site, tables))]
    label = _integer(1, tables.text("phase")) + _integer(2, tables.text(site.phase)) if site.phase else b""
    return _packed(1, places) + _packed(2, (site.count, site.bytes)) + (_message(3, label) if label else b"")


def _stack(site: Site, tables: _Tables) -> list[StackFrame]:
    """The frames that tell something: neither the counting loop nor, where the line of Python is known, the insides of
    the interpreter that ran it.
    """
    python = [frame for frame in site.stack[-1:] if not frame.address and frame.file]
    frames = list(site.stack[: len(site.stack) - len(python)])
    while frames and (_is_nameless(frames[-1]) or (python and _runs_python(tables.owner(frames[-1])))):
        frames.pop()
    own = StackFrame(0, site.library, site.symbol, 0, site.file, site.line)
    return [*frames, *python] or [own]


def _is_nameless(frame: StackFrame) -> bool:
    return not (frame.library or frame.symbol or frame.file)


def _runs_python(owner: LoadedObject | None) -> bool:
    return owner is not None and (is_interpreter(owner) or owner.file_name.startswith("libffi"))


def _value_type(tables: _Tables, kind: str, unit: str) -> bytes:
    return _integer(1, tables.text(kind)) + _integer(2, tables.text(unit))


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _integer(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value) if value else b""


def _message(number: int, body: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(body)) + body


def _packed(number: int, values: Iterable[int]) -> bytes:
    return _message(number, b"".join(map(_varint, values)))
