"""LLVM text under construction: a module's declarations and metadata, and the blocks of one function."""

from __future__ import annotations

import re
from collections.abc import Sequence

_SYMBOL = re.compile(r"@([\w.$]+)\(")


class LLVMModule:
    """Everything of a module but the function being lowered; equal entries are kept once."""

    def __init__(self) -> None:
        self._functions: dict[str, str] = {}
        self._attributes: dict[str, int] = {}
        self._nodes: list[str] = []
        self._shared: dict[str, str] = {}
        self.kept_symbols: dict[str, None] = {}
        self.ready: dict[str, None] = {}
        """Modules, as text, with functions that this one calls and that need no optimisation."""

    def function(self, text: str) -> None:
        """Add a declaration or a definition, unless its symbol is there."""
        match = _SYMBOL.search(text)
        assert match, text
        self._functions.setdefault(match.group(1), text)

    def attributes(self, text: str) -> str:
        """The `#k` of an attribute group."""
        return f"#{self._attributes.setdefault(text, len(self._attributes))}"

    def node(self, text: str) -> str:
        """The `!k` of a metadata node."""
        if text not in self._shared:
            self._shared[text] = f"!{len(self._nodes)}"
            self._nodes.append(text)
        return self._shared[text]

    def distinct(self, *fields: str) -> str:
        """The `!k` of a node that equals no other; its first field is itself."""
        name = f"!{len(self._nodes)}"
        self._nodes.append(f"distinct !{{{', '.join((name, *fields))}}}")
        return name

    def group(self) -> str:
        """An access group: a distinct node without fields."""
        self._nodes.append("distinct !{}")
        return f"!{len(self._nodes) - 1}"

    def reserve(self) -> str:
        """The `!k` of a node whose text `fill` gives later."""
        self._nodes.append("")
        return f"!{len(self._nodes) - 1}"

    def fill(self, name: str, text: str) -> None:
        self._nodes[int(name[1:])] = text

    def text(self, function: str) -> str:
        """The whole module around `function`."""
        parts = [*self._functions.values(), function]
        if self.kept_symbols:
            kept = ", ".join(f"ptr @{name}" for name in self.kept_symbols)
            used = f"[{len(self.kept_symbols)} x ptr] [{kept}]"
            parts.append(f'@llvm.compiler.used = appending global {used}, section "llvm.metadata"')
        parts += [f"attributes #{k} = {{ {text} }}" for text, k in self._attributes.items()]
        parts += [f"!{k} = {text}" for k, text in enumerate(self._nodes)]
        return "\n".join(parts) + "\n"


class Writer:
    """The blocks of one function. `block` is the label of the open one."""

    def __init__(self) -> None:
        self.allocas: dict[str, str] = {}
        """Memory on the stack, by its name: allocas come first."""
        self.lines: list[str] = []
        self.cold: list[str] = []
        """Blocks of faults: they come last."""
        self.block = "entry"
        self._count = 0

    def fresh(self, prefix: str = "v") -> str:
        """A name that nothing has yet, without its sigil."""
        self._count += 1
        return f"{prefix}{self._count}"

    def let(self, text: str) -> str:
        """Append `%fresh = text` and return `%fresh`."""
        name = f"%{self.fresh()}"
        self.lines.append(f"  {name} = {text}")
        return name

    def alloca(self, prefix: str, type_: str, alignment: int) -> str:
        """Memory that lasts as long as the function runs."""
        name = f"%{self.fresh(prefix)}"
        self.allocas[name] = f"  {name} = alloca {type_}, align {alignment}"
        return name

    def do(self, text: str) -> None:
        """Append an instruction without result."""
        self.lines.append(f"  {text}")

    def label(self, name: str) -> None:
        """Open a block."""
        self.lines.append(f"{name}:")
        self.block = name

    def jump(self, target: str) -> None:
        self.do(f"br label %{target}")

    def branch(self, condition: str, then: str, otherwise: str, suffix: str = "") -> None:
        self.do(f"br i1 {condition}, label %{then}, label %{otherwise}{suffix}")

    def phi(self, type_: str) -> Phi:
        """Append a phi whose incoming values may be added later."""
        phi = Phi(self, type_, f"%{self.fresh()}", len(self.lines))
        self.lines.append("")
        return phi

    def add(self, a: str, b: str) -> str:
        """The sum of two i64 that is known to fit; literals fold."""
        if a == "0" or b == "0":
            return b if a == "0" else a
        return str(int(a) + int(b)) if literal(a, b) else self.let(f"add nsw i64 {a}, {b}")

    def mul(self, a: str, b: str) -> str:
        """The product of two i64 that is known to fit; literals fold."""
        if a == "0" or b == "0":
            return "0"
        if a == "1" or b == "1":
            return b if a == "1" else a
        return str(int(a) * int(b)) if literal(a, b) else self.let(f"mul nsw i64 {a}, {b}")


class Phi:
    """A phi node; `str()` is its name."""

    def __init__(self, writer: Writer, type_: str, name: str, line: int) -> None:
        self._writer, self._type, self.name, self._line = writer, type_, name, line
        self._incoming: list[str] = []

    def incoming(self, value: str, block: str) -> None:
        """Add the value that it takes when control comes from `block`."""
        self._incoming.append(f"[{value}, %{block}]")
        self._writer.lines[self._line] = f"  {self.name} = phi {self._type} {', '.join(self._incoming)}"


def literal(*texts: str) -> bool:
    """Whether all of these are integer literals."""
    return all(t.lstrip("-").isdigit() for t in texts)


def join(types: Sequence[str], texts: Sequence[str]) -> str:
    """`type text, type text`."""
    return ", ".join(f"{ty} {text}" for ty, text in zip(types, texts, strict=True))
