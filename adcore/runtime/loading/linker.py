"""Object code into this process: by our own loader, and where that cannot, by LLVM's linker.

Every symbol that an object does not define is resolved here, in Python, and handed over explicitly: left alone, the
linker would bind silently to whatever the process has, and a missing symbol would end the process.
"""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from adcore.abi import elf
from adcore.abi.llvm_lock import LOCK
from adcore.runtime.loading import loader

LIBRARIES = ("libm.so.6", "libmvec.so.1", "libc.so.6")


class LinkError(Exception):
    """Object code that cannot be loaded: a symbol that nothing defines, or an export that it does not have."""


class Loaded:
    """Addresses of a loaded object's exports; the code stays as long as this is referenced."""

    def __init__(self, addresses: Mapping[str, int], keep: Any = None) -> None:
        self.addresses, self._keep = addresses, keep

    def __getitem__(self, name: str) -> int:
        return self.addresses[name]


def load(
    object_code: bytes,
    exports: Sequence[str],
    imports: Mapping[str, int] | None = None,
    undefined: Iterable[str] | None = None,
) -> Loaded:
    """Link `object_code` and give the addresses of `exports`.

    `imports` overrides what undefined symbols resolve to (an allocator hook for malloc, say). `undefined` are the
    object's undefined symbols, where the caller knows them.
    """
    given = dict(imports or {})
    names = undefined_symbols(object_code) if undefined is None else undefined
    addresses = {name: given.get(name) or resolve(name) for name in names if name != elf.GOT_SYMBOL}
    try:
        return Loaded(*loader.load(object_code, exports, addresses))
    except loader.Unsupported:
        with LOCK:
            return _link(object_code, exports, addresses)
    except elf.ObjectError as error:
        raise LinkError(f"cannot load object code: {error}") from error


def _link(object_code: bytes, exports: Sequence[str], addresses: Mapping[str, int]) -> Loaded:
    from llvmlite import binding

    builder = binding.JITLibraryBuilder().add_object_img(object_code)
    for name in exports:
        builder.export_symbol(name)
    for name, address in addresses.items():
        builder.import_symbol(name, address)
    engine = _engine()
    try:
        tracker = builder.link(engine, f"adcore.{next(_numbers)}")
    except RuntimeError as error:
        raise LinkError(f"cannot load object code: {error}") from error
    return Loaded({name: tracker[name] for name in exports}, (engine, tracker))


PROVIDED: dict[str, Callable[[], int]] = {}
"""Functions of our own that objects may call, by name: what gives the address."""


def resolve(name: str) -> int:
    """The address of a function of ours or of the C library; LinkError if there is none."""
    if name in PROVIDED:
        return PROVIDED[name]()
    for library in _libraries():
        try:
            address = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
        except AttributeError:
            continue
        if address:
            return address
    raise LinkError(f"object code needs {name}, which no library here defines")


@lru_cache(maxsize=1)
def _libraries() -> tuple[ctypes.CDLL, ...]:
    found = [ctypes.CDLL(None)]
    for name in LIBRARIES:
        try:
            found.append(ctypes.CDLL(name))
        except OSError:
            continue
    # The named libraries first: a symbol of the process itself may be an unrelated one of the same name.
    return (*found[1:], found[0])


def undefined_symbols(object_code: bytes) -> tuple[str, ...]:
    """Names that an ELF object expects others to define."""
    try:
        return tuple(elf.undefined(object_code))
    except elf.ObjectError as error:
        raise LinkError(f"cannot load object code: {error}") from error


_numbers = itertools.count()


@lru_cache(maxsize=1)
def _engine() -> Any:
    """The process's one linker, for ever: code that it has loaded may be running."""
    from llvmlite import binding

    machine = target_machine()
    # JITLink puts all sections of an object into one mapping. The older linker maps each where the system has room, and
    # ends the process when a large array lies between two of them: they refer to each other by 32 bits.
    return binding.create_lljit_compiler(machine, use_jit_link=True)


def target_machine() -> Any:
    """LLVM's description of this processor, for code that is loaded here."""
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding.Target.from_default_triple().create_target_machine(
        cpu=binding.get_host_cpu_name(), opt=2, reloc="pic", codemodel="small", jit=True
    )
