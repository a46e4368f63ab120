"""What one compilation reads from outside of its functions (`adcore.captures`)."""

from __future__ import annotations

from dataclasses import replace

from adcore.captures import Capture
from adcore.ir.core import Value


class Captures:
    """The captures of one compilation, each variable once; `parameters` are those of arrays, in order."""

    def __init__(self) -> None:
        self.found: dict[object, Capture] = {}
        self.parameters: dict[object, Value] = {}

    def add(self, key: tuple[object, ...], capture: Capture) -> None:
        if key not in self.found:
            self.found[key] = replace(capture, key=key)

    def in_order(self) -> tuple[Capture, ...]:
        """All captures; those of arrays come in the order of `parameters`."""
        return tuple(self.found.values())
