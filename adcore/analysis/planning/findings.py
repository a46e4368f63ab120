"""What an explanation consists of, as values before it is text: what is kept, why, and what destroys it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from adcore.analysis.planning.choices import Why
from adcore.source import Span

KeptAs = Literal["register", "store", "array", "log", "scratch", "copy", "checkpoint"]
"""Outside of loops a value stays in a register; otherwise it is stored for each iteration, or logged where it is
overwritten, or put down in scratch memory that each iteration of the outer loops uses again, or part of a kept state.
Of an array that is rolled back without a way to do all stores again, a copy is kept."""


@dataclass(frozen=True)
class Kill:
    """A store that may destroy the value in memory: where it stands and `when` it strikes, in words.

    `passed`: whether the reverse sweep has gone back over it when the value is wanted, so that undoing it would help.
    """

    span: Span
    when: str
    passed: bool


@dataclass(frozen=True)
class Stored:
    """One kept value.

    `value` is its source text (or the user's name), `kept_as` where it is, `why` a keyword and `reason` a sentence,
    `killed_by` the stores that destroy it in memory, `needed_by` the lines whose adjoint reads it, `formula` its bytes
    in shapes and trip counts, `bytes` the number for the shapes at hand (None if only a run can tell),
    `alternative_cost` what having it without keeping it would cost in one call, in additions, by the compiler's
    estimate (None if it cannot be had), `fix` a change that was tried and made the bytes fall (empty if none is known).
    """

    value: str
    span: Span | None
    kept_as: KeptAs
    why: Why | Literal["checkpoint", "rewound"]
    reason: str
    needed_by: tuple[Span, ...]
    formula: str
    bytes: int | None
    killed_by: tuple[Kill, ...] = ()
    alternative_cost: float | None = None
    fix: str = ""

    @property
    def overwritten_by(self) -> tuple[Span, ...]:
        """The lines that destroy it in memory."""
        return tuple(dict.fromkeys(kill.span for kill in self.killed_by))


@dataclass(frozen=True)
class Explanation:
    """All that a gradient keeps. Prints as text; `stored` holds the records behind it."""

    name: str
    span: Span | None
    stored: tuple[Stored, ...]
    formula: str
    bytes: int | None
    notes: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        place = f" ({self.span})" if self.span else ""
        if not self.stored:
            lines = [f"The gradient of {self.name}{place} keeps nothing for its reverse sweep."]
        elif all(record.formula == "0" for record in self.stored):
            lines = [f"The gradient of {self.name}{place} keeps no memory for its reverse sweep; in registers:"]
        else:
            amount = f"{in_bytes(self.bytes)} ({self.formula})" if self.bytes is not None else f"{self.formula} bytes"
            lines = [f"The gradient of {self.name}{place} keeps {amount} for its reverse sweep:"]
        for record in self.stored:
            lines += _record_lines(record)
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])


TRIPS = "number of iterations"


def quoted(text: str) -> str:
    """A value in a sentence: code in quotes."""
    return f"the {text}" if text == TRIPS else f"`{text}`"


def in_bytes(count: int) -> str:
    """A number of bytes, in words."""
    return f"{count} byte" if count == 1 else f"{count} bytes"


class ReversedApart(Protocol):
    """A loop that is not reversed by the plan but by running its steps again."""

    def record(self, arguments: Sequence[Any] | None = None) -> Stored: ...
    def notes(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Checkpoints:
    """A loop that is reversed from kept states: at most `count` states of `size` bytes, `rest` bytes for the state at
    the end and the record of one step; of `steps` steps, `advanced` are run again (None where only a run can tell).
    `nested` are loops in a step that are reversed likewise; what they take is part of `rest`."""

    span: Span | None
    state: tuple[str, ...]
    count: int
    size: int
    rest: int
    steps: int | None
    advanced: int | None
    nested: tuple[Checkpoints, ...] = ()

    @property
    def known(self) -> bool:
        """Whether the number of iterations, and with it that of the states, is known beforehand."""
        return self.steps is not None and all(loop.known for loop in self.nested)

    @property
    def bytes(self) -> int:
        """What it takes at most."""
        return self.count * self.size + self.rest

    def record(self, arguments: Sequence[Any] | None = None) -> Stored:
        """As a kept value; its size was decided with the limit."""
        names = ", ".join(f"`{name}`" for name in self.state) or "its carried values"
        why = f"the limit is below what all iterations need: the state ({names}) is kept at {self.count} of them"
        formula = f"{'' if self.known else 'at most '}{self.count}*{self.size} + {self.rest}"
        size = self.bytes if self.known else None
        spans = (self.span,) if self.span else ()
        kept_as: KeptAs = "checkpoint"
        return Stored("states of the loop", self.span, kept_as, "checkpoint", why, spans, formula, size)

    @property
    def again(self) -> str:
        """The price of keeping so few, in words."""
        if self.steps is not None:
            return f"{self.advanced} steps run again (it has {self.steps})"
        if self.count == 1:
            return "n*(n - 1)/2 steps run again, if it has n"
        c = self.count
        smallest = f"with the smallest r for which C({c} + r, {c}) >= n"
        return f"r*n - C({c} + r, {c + 1}) steps run again, if it has n, {smallest}"

    def notes(self) -> tuple[str, ...]:
        """One sentence a loop, the outermost first."""
        states = "1 state" if self.count == 1 else f"{self.count} states"
        line = f" (line {self.span.line})" if self.span else ""
        own = f"Of the checkpointed loop{line} {self.again}: the least for {states} (Griewank & Walther 2000)."
        inner = (note for loop in self.nested for note in loop.notes())
        return (own, *(note.replace("Of the", "In each of its steps, of the", 1) for note in inner))


def _record_lines(record: Stored) -> list[str]:
    amount = f"{in_bytes(record.bytes)} ({record.formula})" if record.bytes is not None else f"{record.formula} bytes"
    amount = "no bytes: a value outside of loops stays in a register" if record.formula == "0" else amount
    lines = [f"  {record.span or '?'}: {quoted(record.value)}, {amount}", f"      why: {record.reason}"]
    lines += [f"      {line}" for line in labelled("needed by:", record.needed_by)]
    lines += [f"      {line}" for line in kill_lines("overwritten by:", record.killed_by)]
    return [*lines, f"      to avoid it: {record.fix}"] if record.fix else lines


def labelled(label: str, spans: Sequence[Span]) -> list[str]:
    """One entry per source line."""
    return list(dict.fromkeys(f"{label} line {s.line}: {s.text()}" for s in spans))


def kill_lines(label: str, kills: Sequence[Kill]) -> list[str]:
    """One entry per source line and moment."""
    return list(dict.fromkeys(f"{label} line {k.span.line}: {k.span.text()} ({k.when})" for k in kills))
