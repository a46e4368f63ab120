"""The code of some sweeps as a native function of its parameters, one by one, whatever the arguments look like."""

from __future__ import annotations

from collections.abc import Sequence
from threading import get_ident
from typing import Any

from adcore.abi.faults import AssignedBefore
from adcore.driver.specialisations import Specialisation
from adcore.ir.types import ArrayType, Scalar, Type
from adcore.runtime import native_types as native
from adcore.runtime.calls import Returned, called_block
from adcore.runtime.frames import Frame
from adcore.runtime.values.leaves import LeafValue

MISSED = object()
"""What a call gives that the general path has to serve."""

_KINDS = {"f64": "float", "i64": "int", "bool": "bool"}


class LeafKernel(native.NativeCallable):
    """`kernel(*parameters)`: all results, as a sequence; MISSED for what the wrapper can't take.

    `shadows`: for the parameters behind the primal ones that are shadows, the parameter whose shape each has. What
    comes behind those stays as it is in `given`. `returned`: what a call hands back instead."""

    def __init__(
        self, code: Specialisation, given: Sequence[LeafValue], primals: int, shadows: Sequence[int],
        returned: Returned | None = None,
    ) -> None:  # fmt: skip
        kernel = self.kernel = code.kernel
        self._faults: dict[int, tuple[AssignedBefore | None, list[Any]]] = {}
        types = kernel.layout.params
        mates = [None] * primals + list(shadows)
        order = [(k, _kind(types[k]), mate if _kind(types[k]) == "array" else None) for k, mate in enumerate(mates)]
        frame = self.frame = kernel.frame(given)
        if not native.supported() or kernel.messages or any(kind == "" for _, kind, _ in order):
            return
        # Each call brings its own arrays.
        frame.pinned.clear()
        count = len(kernel.layout.results)
        faults = self._faults

        def finish(own: Frame) -> list[Any]:
            return [own.result(k) for k in range(count)]

        def failed(own: Frame) -> None:
            faults[get_ident()] = own.assigned()

        if returned is None and all(str(type_) == "f64" for type_ in kernel.layout.results):
            returned = Returned(count)
        returned = returned or Returned(None)
        made = called_block(kernel, frame, order, returned, _missed, finish, [object] * len(order), failed)
        if made is not None:
            self._attach(*made)

    def assigned(self) -> tuple[AssignedBefore | None, list[Any]]:
        """After a call of this thread that failed: see `Frame.assigned`."""
        return self._faults.pop(get_ident(), (None, []))

    def __call__(self, *args: Any) -> Any:
        return MISSED


def _missed(*args: Any, **kwargs: Any) -> Any:
    return MISSED


def _kind(type_: Type) -> str:
    """How the wrapper takes a parameter; empty where it can't."""
    if isinstance(type_, ArrayType):
        return "array" if type_.layout == "C" else ""
    return _KINDS.get(type_.name, "") if isinstance(type_, Scalar) else ""


__all__ = ["MISSED", "LeafKernel"]
