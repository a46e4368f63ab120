"""Why code that was compiled for some arguments does not fit others, in words."""

from __future__ import annotations

from adcore.errors import Diagnostic
from adcore.signature import (
    ArgType,
    ArrayArg,
    DictArg,
    ObjectArg,
    RecordArg,
    SameArg,
    ScalarArg,
    SequenceArg,
    Signature,
    UniformArg,
)


def differences(expected: Signature, found: Signature) -> list[Diagnostic]:
    """Why a handle does not fit arguments."""
    pairs = zip(expected.names, expected.args, found.args, strict=True)
    return [
        Diagnostic(f"`{name}` was compiled as {kind_text(a)}, and this call has {kind_text(b)}", None,
                   help="compile once more for arguments of this kind")
        for name, a, b in pairs if a != b
    ] + [
        Diagnostic(f"`{path}` was compiled with a length of {a}, and this call has {b}", None, help="compile once more")
        for (path, _, a), (_, _, b) in zip(expected.lengths, found.lengths, strict=False) if a != b
    ]  # fmt: skip


def kind_text(arg: ArgType) -> str:
    """A kind of argument in words."""
    if isinstance(arg, ScalarArg):
        return f"a {'Python' if arg.weak else 'NumPy'} {arg.dtype}"
    if isinstance(arg, ArrayArg):
        layout = "" if arg.layout == "C" else "strided "
        return f"a {layout}{arg.rank}-dimensional {'' if arg.writeable else 'read-only '}array of {arg.dtype}"
    if isinstance(arg, UniformArg):
        return f"a {arg.kind} of items that are each {kind_text(arg.item)}"
    if isinstance(arg, SequenceArg):
        return f"a {arg.kind} ({', '.join(map(kind_text, arg.items))})"
    if isinstance(arg, RecordArg):
        return f"a {arg.cls.__name__} ({', '.join(f'{n}: {kind_text(f)}' for n, f in arg.fields)})"
    if isinstance(arg, DictArg):
        parts = (f"{key!r}: {kind_text(item)}" for key, item in zip(arg.keys, arg.items, strict=True))
        return f"a dict ({', '.join(parts)})"
    if isinstance(arg, ObjectArg):
        return f"a {arg.cls.__name__} ({', '.join(f'{n}: {kind_text(f)}' for n, f in arg.fields)})"
    return f"the same as `{arg.path}`" if isinstance(arg, SameArg) else repr(arg.value)


__all__ = ["differences", "kind_text"]
