"""What machine code depends on beside the program: the compiler's own text, the libraries, the interpreter, the CPU.

All of it is told without importing the compiler or LLVM, so that whoever finds code in the cache loads neither.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator

import numpy as np

from adcore.runtime.cache.hashing import blake2b

PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
"""The folder of `adcore`."""


def environment(compiler: str) -> tuple[str, ...]:
    """Texts that are the same in every process whose compiles give the same code; `compiler` is `sources()`."""
    return (
        compiler, llvm_version(), np.__version__, sys.version, sys.implementation.name, sys.platform,
        str(sys.flags.optimize), c_library(), cpu(),
    )  # fmt: skip


def sources() -> str:
    """A hash of all of adcore's modules."""
    digest = blake2b(digest_size=20)
    for name, path in sorted(_modules(PACKAGE)):
        with open(path, "rb") as file:
            text = file.read()
        digest.update(f"{name}\0{len(text)}\0".encode() + text)
    return digest.hexdigest()


def files() -> str:
    """A hash of what the system says about adcore's modules: where it is the same, `sources` is, too.

    As with Git's index, a file that was written again has another time of its last change, which nobody can set."""
    facts = []
    for name, path in _modules(PACKAGE):
        status = os.stat(path)
        facts.append((name, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino))
    return blake2b(repr((PACKAGE, sorted(facts))).encode(), digest_size=20).hexdigest()


def _modules(folder: str, prefix: str = "") -> Iterator[tuple[str, str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".py"):
                yield prefix + entry.name, entry.path
            elif entry.name != "__pycache__" and entry.is_dir():
                yield from _modules(entry.path, f"{prefix}{entry.name}/")


def llvm_version() -> str:
    """Which llvmlite is installed: its version, and size and time of the library that holds LLVM."""
    spec = importlib.util.find_spec("llvmlite")
    if spec is None or spec.origin is None:
        return "none"
    base = os.path.dirname(spec.origin)
    with os.scandir(os.path.join(base, "binding")) as entries:
        libraries = sorted((e.name, e.stat().st_size, e.stat().st_mtime_ns) for e in entries
                           if e.name.endswith((".so", ".dylib", ".dll")))  # fmt: skip
    with open(os.path.join(base, "_version.py")) as file:
        return f"{file.read()} {libraries}"


def c_library() -> str:
    """Which C library runs: its vector functions, which code may call, are not the same in every version.

    The same interpreter on the same processor may meet another one: containers share a home."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or "unknown"
    except (AttributeError, OSError, ValueError):
        return "unknown"


def cpu() -> str:
    """Model and abilities of this processor."""
    try:
        with open("/proc/cpuinfo", "rb") as file:
            lines = file.read(1 << 14).splitlines()
    except OSError:
        lines = []
    wanted = (
        b"model name", b"flags", b"CPU implementer", b"CPU part", b"Features", b"vendor_id", b"cpu family", b"model\t",
    )  # fmt: skip
    first: dict[bytes, bytes] = {}
    for line in lines:
        if line.startswith(wanted):
            first.setdefault(line.split(b":")[0].strip(), line)
    if b"flags" in first or b"Features" in first:
        return b"\n".join(first.values()).decode(errors="replace")
    import llvmlite.binding as llvm  # another system: LLVM knows

    return f"{llvm.get_host_cpu_name()} {llvm.get_host_cpu_features().flatten()}"
