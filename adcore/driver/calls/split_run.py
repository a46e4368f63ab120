"""The arguments of one forward call of a split reverse mode, with the code of both its sweeps."""

from __future__ import annotations

from collections.abc import Sequence

from adcore.driver.calls.attribute_shadows import AttributeShadows
from adcore.driver.calls.in_place import InPlaceRun
from adcore.driver.specialisations import Specialisation
from adcore.runtime.alias_guard import alias_groups
from adcore.runtime.frames import Frame, array_words
from adcore.runtime.values.arguments import refuse
from adcore.runtime.values.leaves import LeafValue, NDArray, arrays
from adcore.runtime.values.shadows import check_overlaps

Held = tuple[str, NDArray, list[int]]
"""An array with its name, and its address, dimensions and strides when it was given."""


class SplitRun(InPlaceRun):
    """As InPlaceRun; `specialisation` and `frame` are the forward sweep's, `back` is the code of the reverse sweep. Its
    parameters are those that cross, then `added`: shadows and seeds. `held` and `held_shadows` are arrays as given."""

    back: Specialisation
    back_frame: Frame
    added: list[LeafValue]
    held: list[Held]
    held_shadows: list[Held]

    def _check_memory(self) -> None:
        call, shadows = self.call, self.lanes[0].values
        if call.groups:
            path = call.paths[call.groups[0][0]]
            refuse(f"`{path}` shares memory that the function writes: its sweeps can't be split", help="pass copies")
        if AttributeShadows(call, self.activities):
            refuse(
                "the function assigns attributes of an object that has a shadow: its sweeps can't be split",
                help="use mode=ad.Reverse, or pass the object without a shadow",
            )
        check_overlaps(call.paths, call.values, shadows, call.primal.written)
        if alias_groups([s if s is not None else 0.0 for s in shadows]):
            refuse("shadows share memory: the sweeps can't be split", help="give each shadow memory of its own")

    def _given(self) -> list[LeafValue]:
        self.added = super()._given()[len(self.call.values) :]
        return list(self.call.values)

    def _specialised(self, given: Sequence[LeafValue]) -> Specialisation:
        call, sweeps = self.call, (self.call.reverse(self.seeds()),)
        self.back = call.primal.specialisation(sweeps, (), call.values, "reverse")
        forward = call.primal.specialisation(sweeps, (), call.values, "forward")
        self.back_frame = Frame(self.back.kernel.layout)
        for k, value in enumerate(self.added, len(self.back_frame.layout.params) - len(self.added)):
            self.back_frame.set_param(k, value)
        self.held = _held(call.paths, call.values)
        self.held_shadows = _held(call.paths, self.lanes[0].values)
        return forward


def _held(paths: Sequence[str], values: Sequence[LeafValue | None]) -> list[Held]:
    pairs = zip(paths, values, strict=True)
    return [(path, array, array_words(array)) for path, value in pairs for array in arrays(value)]


__all__ = ["Held", "SplitRun"]
