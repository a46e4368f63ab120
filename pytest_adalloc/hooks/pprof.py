"""Write an allocation report as a profile that ``go tool pprof`` and speedscope read.

The format is ``profile.proto``, gzipped; its few messages are encoded here, because the wire format is small: a field
is a tag, which is the field's number and kind, and a variable-length integer or a length with bytes.
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytest_adalloc.hooks.report import AllocationReport, Frame, Site


def write_profile(report: AllocationReport, path: str | Path) -> Path:
    """Write the sites of a report to ``path`` (by custom ``*.pb.gz``): counts and bytes over all calls, with stacks."""
    target = Path(path)
    target.write_bytes(profile(report))
    return target


def profile(report: AllocationReport, *, now: float | None = None) -> bytes:
    """The gzipped profile; ``now`` is its time stamp in seconds, the present if None."""
    tables = _Tables()
    kinds = (("alloc_objects", "count"), ("alloc_space", "bytes"))
    comment = f"{report.calls} calls, {report.driven} loop, {report.scope} scope"
    stamp = int((time.time() if now is None else now) * 1e9)
    fields = [
        *(_message(1, _value_type(tables, *kind)) for kind in kinds),
        *(_message(2, _sample(site, tables)) for site in report.sites),
        *(_message(3, mapping) for mapping in tables.mappings),
        *(_message(4, location) for location in tables.locations),
        *(_message(5, function) for function in tables.functions),
        _integer(9, stamp),
        _message(11, _value_type(tables, "calls", "count")),
        _integer(12, max(report.calls, 1)),
        _integer(13, tables.text(comment)),
        _integer(14, tables.text("alloc_space")),
    ]
    # Last, because the fields above fill the table of texts.
    fields += [_message(6, text.encode()) for text in tables.texts]
    return gzip.compress(b"".join(fields), mtime=0)


@dataclass
class _Tables:
    """The shared tables of a profile; an entry is known by its position, counted from one except for texts."""

    texts: dict[str, int] = field(default_factory=lambda: {"": 0})
    functions: dict[bytes, int] = field(default_factory=dict)
    locations: dict[bytes, int] = field(default_factory=dict)
    mappings: dict[bytes, int] = field(default_factory=dict)
    _numbers: dict[tuple[object, ...], int] = field(default_factory=dict)

    def text(self, value: str) -> int:
        return self.texts.setdefault(value, len(self.texts))

    def function(self, frame: Frame) -> int:
        name = frame.symbol or f"{frame.library or 'unknown'}+{frame.offset:#x}"
        return self._entry(self.functions, (2, name), (3, name), (4, frame.file or frame.library))

    def mapping(self, library: str) -> int:
        return self._entry(self.mappings, (5, library or "generated code"))

    def location(self, frame: Frame) -> int:
        key = ("location", frame.address, frame.symbol, frame.file, frame.line)
        if key not in self._numbers:
            number = self._numbers[key] = len(self.locations) + 1
            line = _integer(1, self.function(frame)) + _integer(2, frame.line)
            body = _integer(1, number) + _integer(2, self.mapping(frame.library)) + _integer(3, frame.address)
            self.locations[body + _message(4, line)] = number
        return self._numbers[key]

    def _entry(self, table: dict[bytes, int], *fields: tuple[int, str]) -> int:
        key = (id(table), *fields)
        if key not in self._numbers:
            number = self._numbers[key] = len(table) + 1
            table[_integer(1, number) + b"".join(_integer(at, self.text(value)) for at, value in fields)] = number
        return self._numbers[key]


def _sample(site: Site, tables: _Tables) -> bytes:
    """One site: its stack from the inside out, the allocating function first."""
    own = Frame(0, site.library, site.symbol, 0, site.file, site.line)
    allocator = Frame(0, "", site.function)
    places = [tables.location(frame) for frame in (allocator, *(_from_culprit(site, own)))]
    label = _integer(1, tables.text("phase")) + _integer(2, tables.text(site.phase)) if site.phase else b""
    return _packed(1, places) + _packed(2, (site.count, site.bytes)) + (_message(3, label) if label else b"")


def _from_culprit(site: Site, own: Frame) -> Sequence[Frame]:
    place = (own.symbol, own.file, own.line)
    named = any((frame.symbol, frame.file, frame.line) == place for frame in site.stack)
    return site.stack if named else (own, *site.stack)


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
