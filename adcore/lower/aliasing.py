"""The alias facts that loads and stores carry as metadata."""

from __future__ import annotations

from collections.abc import Sequence

from adcore.ir.core import Function, Instr, Value, walk
from adcore.ir.types import ArrayType, ListType
from adcore.lower.descriptors import ArrayDescriptor
from adcore.lower.roots import Root, alias_classes, roots
from adcore.lower.writer import LLVMModule
from adcore.ops import Table


class Aliasing:
    """Roots and alias classes of one function, and the metadata nodes made from them.

    `open_groups` are the access groups of the loops being lowered that are proved parallel.
    """

    def __init__(
        self,
        function: Function,
        ops: Table,
        alias_groups: tuple[tuple[int, ...], ...],
        module: LLVMModule,
        parallel: frozenset[Instr],
        handed: bool = False,
    ) -> None:
        """`handed`: parameters may be arrays that another kernel kept."""
        self.known = roots(function, ops)
        stored = (i.result for i in walk(function.region) if i.op in ops.allocs and i.attrs.get("role") == "stored")
        self._unaligned = frozenset((*stored, *(function.params if handed else ())))
        self.module, self.parallel = module, parallel
        self.open_groups: list[str] = []
        self._classes = alias_classes(function, alias_groups, ops)
        self._scopes: dict[int, str] = {}
        self._suffixes: dict[frozenset[int], str] = {}
        self._others: dict[frozenset[int], str] = {}

    def roots(self, value: Value) -> frozenset[Root]:
        return self.known.get(value, frozenset())

    def suffix(self, array: ArrayDescriptor) -> str:
        """What follows the address of a load or store through `array`."""
        align = min((self._alignment(root) for root in array.roots), default=1)
        classes = frozenset(self._classes[root] for root in array.roots)
        if classes not in self._suffixes:
            self._suffixes[classes] = self._facts(classes)
        groups = ""
        if array.type.layout == "P":
            pass  # neighbours share a byte: no two iterations that write there are independent
        elif len(self.open_groups) == 1:
            groups = f", !llvm.access.group {self.open_groups[0]}"
        elif self.open_groups:
            groups = f", !llvm.access.group {self._list(self.open_groups)}"
        return f", align {align}{self._suffixes[classes]}{groups}"

    def _facts(self, classes: frozenset[int]) -> str:
        if not classes or len(set(self._classes.values())) < 2:
            return ""
        self._others[classes] = self.module.reserve()
        scopes = [self._scope(c) for c in sorted(classes)]
        return f", !alias.scope {self._list(scopes)}, !noalias {self._others[classes]}"

    def end(self) -> None:
        """A piece of the kernel ends. Only the scopes of its own accesses matter to them: naming all others as well
        would make the lists of a long kernel quadratic."""
        used = sorted(frozenset().union(*self._others))
        for classes, node in self._others.items():
            self.module.fill(node, self._text([self._scope(c) for c in used if c not in classes]))
        self._others.clear()
        self._suffixes.clear()

    def _list(self, nodes: Sequence[str]) -> str:
        return self.module.node(self._text(nodes))

    def _text(self, nodes: Sequence[str]) -> str:
        return "!{" + ", ".join(nodes) + "}"

    def _scope(self, number: int) -> str:
        if not self._scopes:
            self._domain = self.module.distinct()
        if number not in self._scopes:
            self._scopes[number] = self.module.distinct(self._domain)
        return self._scopes[number]

    def _alignment(self, root: Root) -> int:
        """What the addresses of a root's elements satisfy. Layout C of the user's arrays vouches for alignment, S does
        not; what is kept lies side by side in the workspace, without padding."""
        assert isinstance(root.type, (ArrayType, ListType))
        return root.type.element.bytes if root.type.layout == "C" and root not in self._unaligned else 1
