"""Derivative rules of ops, broken one at a time in the table: a sign, a thousandth, a missing term."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from adcore.ops import TABLE
from adcore.ops.define import Op

CHANGES: dict[str, Callable[[Any], Any]] = {
    "with the other sign": lambda term: -term,
    "a thousandth larger": lambda term: term * 1.001,
    "missing": lambda term: None,
}


@dataclass(frozen=True)
class BrokenRule:
    """What an op's rule says of operand number `position`, changed."""

    op: str
    position: int
    change: str

    def __str__(self) -> str:
        return f"rule of {self.op}, operand {self.position}: {self.change}"

    def apply(self) -> None:
        """Change the rule in this process."""
        op = TABLE[self.op]
        TABLE._ops = {**TABLE._ops, self.op: self._broken(op)}  # type: ignore[assignment]

    def _broken(self, op: Op) -> Op:
        of = "partials" if op.partials is not None else "adjoint"
        right = getattr(op, of)

        def wrong(*given: Any, **attrs: Any) -> list[Any]:
            terms = list(right(*given, **attrs))
            if terms[self.position] is not None:
                terms[self.position] = CHANGES[self.change](terms[self.position])
            return terms

        return replace(op, **{of: wrong})


def broken_rules() -> Iterator[BrokenRule]:
    """Every rule of an op that has samples, at each operand that it is differentiated by."""
    for name, op in sorted(TABLE.items()):
        if op.partials is None and op.adjoint is None:
            continue
        for position in range(len(op.samples[0]) if op.samples else 0):
            if position not in op.blocked:
                yield from (BrokenRule(name, position, change) for change in CHANGES)


__all__ = ["BrokenRule", "broken_rules"]
