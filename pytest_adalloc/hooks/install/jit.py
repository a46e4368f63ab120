"""Turn IR into running code: compiled once per version, kept on disk as an object, linked for ever.

``object_code(text)`` answers from the cache when it can. The cache is a convenience: a directory that is not ours, a
damaged entry or a full disk only costs the compilation again. ``link`` pins what it links, because some library may
hold an address of it.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import itertools
import os
import stat
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm

from adcore.abi.llvm_lock import LOCK

DIGEST_BYTES = 32
OFF = ("", "0", "off", "no")
_pinned: list[Any] = []
_serial = itertools.count()


def object_code(text: str, *, opt: int = 2, cache: Path | None = None) -> bytes:
    """A relocatable object for the IR, position independent and for any processor of this architecture."""
    directory = cache_directory() if cache is None else cache
    path = directory / f"{digest(f'; {opt}{text}')}.o" if directory else None
    return (path and _stored(path)) or _kept(compiled(text, opt=opt), path)


def compiled(text: str, *, opt: int = 2) -> bytes:
    """The object for the IR, compiled afresh; ``opt`` is the effort of the code generator, from 0 to 3."""
    with LOCK:
        machine = _target_machine(opt)
        module = llvm.parse_assembly(text)
        module.verify()
        return bytes(machine.emit_object(module))


def link(objects: Iterable[bytes], exports: Iterable[str], imports: Mapping[str, int] | None = None) -> dict[str, int]:
    """Load objects into this process for its whole life and return the addresses of the exported symbols."""
    builder = llvm.JITLibraryBuilder()
    for code in objects:
        builder.add_object_img(code)
    for name, address in (imports or {}).items():
        builder.import_symbol(name, address)
    names = tuple(exports)
    for name in names:
        builder.export_symbol(name)
    with LOCK:
        library = builder.link(_engine(), f"adalloc-{next(_serial)}")
        _pin(library)
        return {name: int(library[name]) for name in names}


def triple() -> str:
    """The target of this process."""
    return str(llvm.get_process_triple())


def cache_directory() -> Path | None:
    """A directory of this user that nobody else can write to; None when there is none.

    ``ADALLOC_CACHE`` names another place; ``off`` (or ``0``, or nothing) turns the cache off.
    """
    chosen = os.environ.get("ADALLOC_CACHE")
    if chosen is not None and chosen.lower() in OFF:
        return None
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    candidates = (
        [chosen] if chosen else [f"{base}/pytest-adalloc", f"{tempfile.gettempdir()}/pytest-adalloc-{os.getuid()}"]
    )
    return next((path for path in map(Path, candidates) if _private(path)), None)


def _private(directory: Path) -> bool:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = directory.lstat()
    except OSError:
        return False
    others_write = facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid() and not others_write


def digest(text: str) -> str:
    """A name for the object that this compiler makes of the IR."""
    version = ".".join(map(str, llvm.llvm_version_info))
    return hashlib.sha256(f"{llvmlite.__version__} {version}\n{text}".encode()).hexdigest()


def _stored(path: Path) -> bytes | None:
    try:
        facts = path.lstat()
        if facts.st_uid != os.getuid() or not stat.S_ISREG(facts.st_mode):
            return None
        raw = path.read_bytes()
    except OSError:
        return None
    digest, code = raw[:DIGEST_BYTES], raw[DIGEST_BYTES:]
    return code if code and hashlib.sha256(code).digest() == digest else None


def _kept(code: bytes, path: Path | None) -> bytes:
    if path is not None:
        with contextlib.suppress(OSError):
            replace_file(path, hashlib.sha256(code).digest() + code)
    return code


def replace_file(path: Path, raw: bytes) -> None:
    """Write a file whole: two sessions that start together must never read half of it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix="new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
        os.replace(name, path)
    except OSError:
        os.unlink(name)
        raise


def _target_machine(opt: int = 2) -> Any:
    _start_llvm()
    return llvm.Target.from_triple(triple()).create_target_machine(opt=opt, reloc="pic", codemodel="default")


@functools.cache
def _start_llvm() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.initialize_native_asmparser()  # the counter of patched functions is written in assembly


@functools.cache
def _engine() -> Any:
    # JITLink keeps the sections of an object together: the older linker ends the process when they come to lie too far
    # apart, between large arrays or, on aarch64 under emulation, always.
    engine = llvm.create_lljit_compiler(_target_machine(), use_jit_link=True)
    _pin(engine)
    return engine


def _pin(thing: Any) -> None:
    # One reference that is never given back: the code outlives the module's own dictionary at exit.
    _pinned.append(thing)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))
