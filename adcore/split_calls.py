"""The arguments of one forward call of a split reverse mode, with the code of both its sweeps."""

from __future__ import annotations

from adcore.inplace import AnnotatedCall
from adcore.pipeline import Sweep
from adcore.runtime.arguments import refuse
from adcore.runtime.frames import Frame
from adcore.runtime.guard import alias_groups
from adcore.runtime.leaves import LeafValue
from adcore.runtime.shadows import check_overlaps
from adcore.versions import Version


class SplitCall(AnnotatedCall):
    """As AnnotatedCall; `version` and `frame` are the forward sweep's, `back` is the code of the reverse sweep. Its
    parameters are the `crossing` ones, then `added`: shadows and seeds."""

    back: Version
    back_frame: Frame
    added: list[LeafValue]
    shadow_names: list[str]

    def _version(self, kinds: tuple[str, ...], shadows: list[LeafValue | None]) -> Version:
        primal, names, values = self.prepared.primal, self.prepared.names, self.prepared.values
        if self.prepared.groups:
            path = names[self.prepared.groups[0][0]]
            refuse(f"`{path}` shares memory that the function writes: its sweeps can't be split", help="pass copies")
        check_overlaps(names, values, shadows, primal.written)
        if alias_groups([s if s is not None else 0.0 for s in shadows]):
            refuse("shadows share memory: the sweeps can't be split", help="give each shadow memory of its own")
        sweeps = (Sweep("reverse", kinds, self.seeds()),)
        self.back = primal.version(sweeps, (), values, "reverse")
        return primal.version(sweeps, (), values, "forward")

    def _derived_values(self, kinds: tuple[str, ...], shadows: list[LeafValue | None]) -> list[LeafValue]:
        self.added = [s for s, kind in zip(shadows, kinds, strict=True) if kind == "duplicated"]
        self.shadow_names = [n for n, kind in zip(self.prepared.names, kinds, strict=True) if kind == "duplicated"]
        self.added += [1.0 for seeded in self.seeds() if seeded]
        self.back_frame = Frame(self.back.kernel.layout)
        self.crossing = len(self.back_frame.layout.params) - len(self.added)
        for k, value in enumerate(self.added, self.crossing):
            self.back_frame.set_param(k, value)
        return list(self.prepared.values)
