"""What a window saw, as values: frozen records that print as text and refuse to be read as a yes or a no."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, NoReturn

Scope = Literal["thread", "process"]
Pattern = Literal["none", "first call", "every call", "growing", "irregular", "shape-dependent"]
WitnessState = Literal["agrees", "disagrees", "unavailable", "not asked"]


@dataclass(frozen=True)
class StackFrame:
    """One return address of a backtrace: the object it lies in, the function and, where known, the source line."""

    address: int
    library: str
    symbol: str = ""
    offset: int = 0
    file: str = ""
    line: int = 0
    phase: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.file else self.library or hex(self.address)
        return f"{self.symbol} ({where})" if self.symbol else f"{where}+{self.offset:#x}"


@dataclass(frozen=True)
class Site:
    """One place that allocates, over all calls of the window: who called which entry, how often, for how many bytes.

    ``phase`` is what the address table of the caller said about the code (such as "reverse sweep"), else empty.
    ``past_slots``: the call came by no relocation slot, and the patched function saw it.
    """

    function: str
    library: str
    symbol: str
    file: str
    line: int
    count: int
    bytes: int
    phase: str = ""
    stack: tuple[StackFrame, ...] = ()
    past_slots: bool = False

    def __str__(self) -> str:
        code = " in ".join(part for part in (self.symbol, self.library) if part)
        line = f", {self.file}:{self.line}" if self.file else ""
        phase = f", {self.phase}" if self.phase else ""
        past = ", past the relocation slots" if self.past_slots else ""
        return f"{self.function} x {self.count}, {self.bytes} bytes: {code}{line}{phase}{past}"


@dataclass(frozen=True)
class DomainCount:
    """Requests to one of Python's memory domains, or to NumPy's data handler, over all calls; ``bytes`` is a total,
    not a peak.
    """

    calls: int
    bytes: int
    frees: int


@dataclass(frozen=True)
class Witness:
    """One way of watching, and what it has to say; ``unseen`` holds the calls that it saw and the relocation slots did
    not.
    """

    name: str
    state: WitnessState
    detail: str = ""
    unseen: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name}: {self.state}" + (f" ({self.detail})" if self.detail else "")


@dataclass(frozen=True)
class ShapeCount:
    """What one call with arguments of these shapes allocates: the largest count and bytes of the counted calls."""

    shapes: str
    allocs: int
    bytes: int

    def __str__(self) -> str:
        return f"{self.shapes}: {_many(self.allocs, 'allocation')}, {_many(self.bytes, 'byte')} a call"


@dataclass(frozen=True)
class AllocationReport:
    """Every native allocation of a window.

    ``allocs_per_call`` and ``bytes_per_call`` have one entry per call; bytes are what was asked for, in total, not a
    peak. ``by_function`` and ``frees`` are sums over the window of the measuring thread, and in scope "process" of all
    threads; what these ask for before the first and after the last call is in no entry of ``allocs_per_call``.
    ``other_threads`` has the same form. What the Python interpreter and its standard library asked for is not in
    these, but in ``interpreter``; ``python`` counts the requests inside the interpreter's own allocators. ``status`` is
    the value of the call that stopped a native loop, else 0. ``system_calls`` and ``page_faults`` are those of as many
    further calls, where they were asked for; else ``page_faults`` is None.
    """

    allocs_per_call: tuple[int, ...]
    bytes_per_call: tuple[int, ...]
    by_function: Mapping[str, int] = field(default_factory=dict)
    other_threads: Mapping[str, int] = field(default_factory=dict)
    frees: int = 0
    sites: tuple[Site, ...] = ()
    python: Mapping[str, DomainCount] = field(default_factory=dict)
    witnesses: tuple[Witness, ...] = ()
    blind_spots: tuple[str, ...] = ()
    interpreter: Mapping[str, int] = field(default_factory=dict)
    status: int = 0
    scope: str = "thread"
    driven: str = "native"
    repeats: int = 0
    by_shape: tuple[ShapeCount, ...] = ()
    system_calls: Mapping[str, int] = field(default_factory=dict)
    page_faults: int | None = None

    @property
    def calls(self) -> int:
        """How many calls were counted."""
        return len(self.allocs_per_call)

    @property
    def allocs(self) -> int:
        """Allocations over all calls."""
        return sum(self.allocs_per_call)

    @property
    def bytes(self) -> int:
        """Bytes asked for over all calls."""
        return sum(self.bytes_per_call)

    @property
    def pattern(self) -> Pattern:
        """How the counts go over the calls, and from one shape of the arguments to the other."""
        if len({(count.allocs, count.bytes) for count in self.by_shape}) > 1:
            return "shape-dependent"
        return pattern(self.allocs_per_call, self.bytes_per_call)

    @property
    def by_library(self) -> dict[str, int]:
        """Allocations over all calls by the library that asked, the busiest first."""
        totals: dict[str, int] = {}
        for site in self.sites:
            totals[site.library] = totals.get(site.library, 0) + site.count
        return dict(sorted(totals.items(), key=lambda pair: -pair[1]))

    @property
    def unseen(self) -> dict[str, int]:
        """Calls that only a second witness saw: allocation through a path that the hooks cannot see."""
        return {name: count for witness in self.witnesses for name, count in witness.unseen.items()}

    @property
    def disagreement(self) -> str:
        """What a second witness has against the count; empty when none has."""
        return "; ".join(str(witness) for witness in self.witnesses if witness.state == "disagrees")

    def __bool__(self) -> NoReturn:
        raise TypeError("an AllocationReport is no boolean: compare .allocs_per_call, .pattern or .by_function instead")

    def __str__(self) -> str:
        return render(self)


def pattern(counts: Sequence[int], sizes: Sequence[int]) -> Pattern:
    """Name the sequence: none, only the first call, every call the same, never falling and rising, or none of these."""
    if not any(counts):
        return "none"
    if len(counts) > 1 and not any(counts[1:]):
        return "first call"
    if _grows(counts) or (len(set(counts)) == 1 and _grows(sizes)):
        return "growing"
    if len(set(counts)) == 1:
        return "every call"
    return "irregular"


def _grows(values: Sequence[int]) -> bool:
    steps = [after - before for before, after in pairwise(values)]
    return len(steps) >= 2 and min(steps) >= 0 and sum(step > 0 for step in steps) >= 2


def render(report: AllocationReport, top: int = 5) -> str:
    """The report as text, with the ``top`` sites that allocate most often."""
    lines = [f"{_headline(report)} ({report.driven} loop, {report.scope} scope)"]
    lines += [f"  by function: {_counts(report.by_function)}"] if report.by_function else []
    outside = sum(report.by_function.values()) - report.allocs
    lines += [f"  outside of the calls: {_many(outside, 'allocation')}"] if outside > 0 else []
    lines += [f"  by library: {_counts(report.by_library)}"] if len(report.sites) > top else []
    lines += [f"  {site}" for site in report.sites[:top]]
    lines += [f"  and {len(report.sites) - top} more sites"] if len(report.sites) > top else []
    lines += [f"  {count}" for count in report.by_shape]
    lines += [f"  {demands(report)}"] if report.page_faults is not None else []
    lines += [f"  other threads: {_counts(report.other_threads)}"] if report.other_threads else []
    lines += [f"  the interpreter's own: {_counts(report.interpreter)}"] if report.interpreter else []
    lines += [f"  Python's {name}: {c.calls} calls, {c.bytes} bytes" for name, c in report.python.items() if c.calls]
    lines += [f"  call {report.calls} returned status {report.status} and ended the loop"] if report.status else []
    lines += [f"  witness {witness}" for witness in report.witnesses]
    lines += [f"  not watched: {spot}" for spot in report.blind_spots]
    return "\n".join(lines)


def demands(report: AllocationReport) -> str:
    """What was asked of the system, in one line."""
    calls = f"system calls: {_counts(report.system_calls)}" if report.system_calls else "no system call"
    return f"{calls}, {_many(report.page_faults or 0, 'page fault')} in {_many(report.calls, 'further call')}"


def _headline(report: AllocationReport) -> str:
    calls = _many(report.calls, "call")
    if not report.allocs:
        return f"no native allocation in {calls}"
    kind = {"first call": "in the first call only", "every call": "in every call"}.get(report.pattern, report.pattern)
    where = f", {kind}" if report.calls > 1 else ""
    return f"{_many(report.allocs, 'native allocation')}, {_many(report.bytes, 'byte')} in {calls}{where}"


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} x {count}" for name, count in counts.items())
