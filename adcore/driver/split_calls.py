"""The arguments of one forward call of a split reverse mode, with the code of both its sweeps."""

from __future__ import annotations

from collections.abc import Sequence

from adcore.driver.inplace import AnnotatedCall
from adcore.driver.pipeline import Sweep
from adcore.driver.specialisations import Version
from adcore.runtime.alias_guard import alias_groups
from adcore.runtime.arguments import refuse
from adcore.runtime.frames import Frame, array_words
from adcore.runtime.leaves import Array, LeafValue, arrays
from adcore.runtime.shadows import check_overlaps

Held = tuple[str, Array, list[int]]
"""An array with its name, and its address, dimensions and strides when it was given."""


class SplitCall(AnnotatedCall):
    """As AnnotatedCall; `version` and `frame` are the forward sweep's, `back` is the code of the reverse sweep. Its
    parameters are those that cross, then `added`: shadows and seeds. `held` and `held_shadows` are arrays as given."""

    back: Version
    back_frame: Frame
    added: list[LeafValue]
    held: list[Held]
    held_shadows: list[Held]

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
        self.added += [1.0 for seeded in self.seeds() if seeded]
        self.back_frame = Frame(self.back.kernel.layout)
        for k, value in enumerate(self.added, len(self.back_frame.layout.params) - len(self.added)):
            self.back_frame.set_param(k, value)
        names = self.prepared.names
        self.held, self.held_shadows = _held(names, self.prepared.values), _held(names, shadows)
        return list(self.prepared.values)


def _held(names: Sequence[str], values: Sequence[LeafValue | None]) -> list[Held]:
    pairs = zip(names, values, strict=True)
    return [(name, array, array_words(array)) for name, value in pairs for array in arrays(value)]
