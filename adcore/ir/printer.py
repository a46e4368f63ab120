"""IR as text. `adcore.ir.parser` reads it back; the grammar is shown in `adcore.ir.core`."""

from __future__ import annotations

import re

from adcore.ir.core import Attributes, Function, Instr, Module, Region, Value


def print_function(function: Function) -> str:
    """The function as text; names are the users' where there are any, made unique."""
    return _Printer().function(function)


def print_module(module: Module) -> str:
    """The callees, then the main function."""
    return "\n".join(print_function(f) for f in (*module.callees.values(), module.main))


def print_attributes(attrs: Attributes) -> str:
    """` [key=literal, ...]`, or nothing."""
    shown = [f"{key}={value!r}" for key, value in sorted(attrs.items())]
    return f" [{', '.join(shown)}]" if shown else ""


class _Printer:
    """Hands out unique names in order of appearance."""

    def __init__(self) -> None:
        self.names: dict[Value, str] = {}
        self.taken: dict[str, int] = {}

    def name(self, value: Value) -> str:
        if value not in self.names:
            base = re.sub(r"[^A-Za-z0-9_]", "_", value.hint)
            count = self.taken[base] = self.taken.get(base, -1) + 1
            self.names[value] = "%" + (base + (f".{count}" if count else "") if base else str(count))
        return self.names[value]

    def typed(self, values: tuple[Value, ...]) -> str:
        return ", ".join(f"{self.name(v)}: {v.type}" for v in values)

    def uses(self, values: tuple[Value, ...]) -> str:
        return ", ".join(map(self.name, values))

    def function(self, f: Function) -> str:
        head = f"func @{f.name}({self.typed(f.params)}) -> ({', '.join(str(v.type) for v in f.results)}) {{"
        body = [line for instr in f.region.body for line in self.instr(instr, "  ")]
        return "\n".join([head, *body, f"  return {self.uses(f.results)}".rstrip(), "}\n"])

    def instr(self, instr: Instr, indent: str) -> list[str]:
        results = f"{self.typed(instr.results)} = " if instr.results else ""
        operands = f" {self.uses(instr.operands)}" if instr.operands else ""
        line = f"{indent}{results}{instr.op}{operands}{print_attributes(instr.attrs)}"
        if not instr.regions:
            return [line]
        lines = [f"{line} {{"]
        for k, region in enumerate(instr.regions):
            if k:
                lines.append(f"{indent}}} {{")
            lines += self.region(region, indent)
        return [*lines, f"{indent}}}"]

    def region(self, region: Region, indent: str) -> list[str]:
        lines = [f"{indent}({self.typed(region.params)}):"]
        for instr in region.body:
            lines += self.instr(instr, indent + "  ")
        return [*lines, f"{indent}  yield {self.uses(region.yields)}".rstrip()]
