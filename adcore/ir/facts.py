"""What is found out about a function (or a region of it), kept for as long as that very object lives.

    @kept
    def structure_of(function: Function) -> Structure: ...

    structure_of(f) is structure_of(f)          nothing is found out twice
    f = simplify(f, TABLE)                      another function: its own facts; what f was, is forgotten with it

IR is immutable, so a fact never becomes wrong, and no pass has to say what it has invalidated: it makes another object
where it changes something, and gives back the same one where it does not. Facts of regions outlive the function, as a
pass that changes one region takes the others over.

A fact must not hold on to the object that it is about: keys are weak, and such a fact would keep itself alive.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast
from weakref import WeakKeyDictionary

from adcore.ir.core import Subject

AnySubject = TypeVar("AnySubject", bound=Subject)
Asked = ParamSpec("Asked")
Fact = TypeVar("Fact")

_facts: WeakKeyDictionary[Subject, dict[Hashable, Any]] = WeakKeyDictionary()


def kept(find: Callable[Concatenate[AnySubject, Asked], Fact]) -> Callable[Concatenate[AnySubject, Asked], Fact]:
    """`find` as a function that answers the same question about the same object once. Further arguments are hashable
    and given by position: they are part of the question."""

    @wraps(find)
    def asked(subject: AnySubject, *args: Asked.args, **kwargs: Asked.kwargs) -> Fact:
        assert not kwargs, f"{find.__name__} takes its arguments by position"
        facts = _facts.get(subject)
        if facts is None:
            facts = _facts.setdefault(subject, {})
        question = (find, *args)
        try:
            fact: Fact = facts[question]
        except KeyError:
            fact = facts[question] = find(subject, *args, **kwargs)
        return fact

    return cast(Callable[Concatenate[AnySubject, Asked], Fact], asked)


def forget(subjects: Iterable[Subject]) -> None:
    """Drop what is known about objects that go on living only to be looked at."""
    for subject in subjects:
        _facts.pop(subject, None)
