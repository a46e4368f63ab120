"""What a compilation assumes, and what it finds out to be otherwise.

Lists of known length are values item by item, and numbers carry no flags that tell Python's from NumPy's: hardly any
program needs more. Where one does, that shows only later than the code that would have to be different. The compilation
then notes it and goes on, as well as it can, so that it finds everything else of the kind, too; its result is thrown
away, and the program is compiled once more with all that is known. What is noted counts at once for what follows: a
list whose type depends on that of another one does not take a compilation of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from adcore.ir.types import Scalar
from adcore.source import Span


@dataclass
class Speculation:
    """What is known so far about a program, beyond the compilation that found it.

    `elements`: element types of the lists (by where they are written) that need memory, because a subscript is only
    known at run time; `mixed`: those of them that hold numbers of Python and of NumPy; `flags`: whether numbers
    carry flags that tell which of the two they are; `attributes`: those of a class that are assigned elsewhere than
    in its methods; `objects`: dataclasses whose instances are objects, because fields are assigned. `failed`: the
    compilation under way found out something that it should have known from the start.
    """

    elements: dict[Span, Scalar] = field(default_factory=dict)
    mixed: set[Span] = field(default_factory=set)
    flags: bool = False
    attributes: dict[type, dict[str, None]] = field(default_factory=dict)
    objects: set[type] = field(default_factory=set)
    failed: bool = False
    _flags_wanted: bool = False

    def needs_memory(self, where: Span, element: Scalar) -> None:
        """The list written at `where` has to be an array of `element`."""
        if self.elements.get(where) != element:
            self.elements[where] = element
            self.failed = True

    def holds_both(self, where: Span) -> None:
        """The list written at `where` holds numbers of Python and of NumPy."""
        if where not in self.mixed:
            self.mixed.add(where)
            self.failed = True

    def needs_flags(self) -> None:
        """Something depends on whether a number is weak that may be either."""
        self._flags_wanted = self.failed = True

    def assigns(self, cls: type, name: str) -> None:
        """Instances of `cls` get an attribute that no method of theirs assigns."""
        known = self.attributes.setdefault(cls, {})
        if name not in known:
            known[name] = None
            self.failed = True

    def needs_objects(self, cls: type) -> None:
        """It matters which instance of the dataclass `cls` a value is."""
        if cls not in self.objects:
            self.objects.add(cls)
            self.failed = True

    def renew(self) -> None:
        """Before the next compilation, which knows what this one has found."""
        self.flags = self.flags or self._flags_wanted
        self.failed = False
