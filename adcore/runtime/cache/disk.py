"""The object cache on disk: machine code under a key that holds everything it depends on.

Linking damaged machine code may crash or, worse, compute something else, so every entry starts with a checksum that is
verified before anyone sees the code; what does not verify is removed and compiled again. A checksum is no protection
against someone else's code: entries and the folder must belong to this user, with no write access for others.

Entries that nobody has read for a month are removed in passing, and those that waited longest where all together are
larger than a gibibyte. `ADCORE_CACHE` names another folder; `ADCORE_CACHE=off` (or `0`, or empty) switches it off.
"""

from __future__ import annotations

import functools
import itertools
import os
import stat
import time
from pathlib import Path

from adcore.runtime.cache.environment import environment, files, sources
from adcore.runtime.cache.hashing import blake2b

MAGIC = b"adcore-object-1\n"
DIGEST = 32
OLDEST = 30 * 24 * 3600.0
"""Seconds without use after which an entry goes."""
LARGEST = 1 << 30
"""Bytes that all entries together may have."""
OFF = ("", "0", "off", "no")
SUFFIX = ".o"


def key(*parts: object) -> str:
    """The name of an entry: a hash of `parts` (texts, options, own version), of what compiles it and of the CPU."""
    digest = blake2b(digest_size=20)
    for part in (MAGIC, *_environment(), *parts):
        text = str(part).encode()
        # Lengths keep ("ab", "c") apart from ("a", "bc").
        digest.update(len(text).to_bytes(8, "little") + text)
    return digest.hexdigest()


_FILES = files()
"""The compiler as this process imports it. Where somebody edits it meanwhile, nothing is stored any more: the code
would stand under the name of another compiler."""


LOOKED_AT = 0.5
"""Seconds for which the answer holds: looking at every file takes longer than storing one."""

_checked = [0.0, True]


def _unedited() -> bool:
    """Whether our own files are still those of the start."""
    now = time.monotonic()
    if now - _checked[0] > LOOKED_AT:
        _checked[:] = [now, files() == _FILES]
    return bool(_checked[1])


@functools.cache
def _environment() -> tuple[str, ...]:
    """What all entries depend on. Reading every module takes 8 ms, asking for their times 1."""
    name = f"sources-{_FILES}"
    known = fetch(name)
    if known is None:
        known = sources().encode()
        store(name, known)
    return environment(known.decode())


def folder() -> Path | None:
    """Where entries are kept, made if need be; None where the cache is off or the folder is not this user's alone."""
    chosen = os.environ.get("ADCORE_CACHE")
    if chosen is not None and chosen.lower() in OFF:
        return None
    base = Path(chosen) if chosen else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "adcore"
    try:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        return base if _ours(base.stat()) else None
    except (OSError, RuntimeError):
        return None


def _ours(status: os.stat_result) -> bool:
    return status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def fetch(name: str) -> bytes | None:
    """The code stored under `name`; None where there is none, or none that can be trusted."""
    base = folder()
    if base is None:
        return None
    path = base / (name + SUFFIX)
    try:
        with open(path, "rb") as file:
            trusted = _ours(os.fstat(file.fileno()))
            data = file.read()
    except OSError:
        return None
    head = len(MAGIC) + DIGEST
    code = data[head:]
    if trusted and data[: len(MAGIC)] == MAGIC and data[len(MAGIC) : head] == _checksum(name, code):
        _mark_used(path)
        return code
    remove(name)
    return None


def store(name: str, code: bytes) -> None:
    """Keep `code` under `name`. Readers see the whole entry or none; a cache that cannot be written is no error."""
    base = folder()
    if base is None or not _unedited():
        return
    temporary = None
    try:
        temporary = str(base / f"{name}.{os.getpid()}.{next(_numbers)}.{time.time_ns()}.tmp")
        with open(temporary, "xb", opener=_for_this_user) as file:
            file.write(MAGIC + _checksum(name, code) + code)
        os.replace(temporary, base / (name + SUFFIX))
        if name.startswith("00"):
            prune()  # one key in 256: often enough, and no bookkeeping
    except OSError:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


_numbers = itertools.count()


def _for_this_user(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _mark_used(path: Path) -> None:
    try:
        os.utime(path)
    except OSError:
        return


def prune() -> None:
    """Remove entries (and temporary files of processes that died) that were not used for long; then, of the rest, those
    that waited longest, until what is left is within the limit. So entries of older versions go, which nobody reads.
    """
    base = folder()
    if base is None:
        return
    limit, kept = time.time() - OLDEST, []
    for path in (*base.glob("*" + SUFFIX), *base.glob("*.tmp")):
        try:
            status = path.stat()
            if status.st_mtime < limit:
                path.unlink()
            else:
                kept.append((status.st_mtime, status.st_size, path))
        except OSError:
            continue
    total = sum(size for _, size, _ in kept)
    for _, size, path in sorted(kept):
        if total <= LARGEST:
            return
        path.unlink(missing_ok=True)
        total -= size


def remove(name: str) -> None:
    """Forget an entry."""
    base = folder()
    if base is not None:
        try:
            (base / (name + SUFFIX)).unlink(missing_ok=True)
        except OSError:
            return


def _checksum(name: str, code: bytes) -> bytes:
    # The name takes part: an intact entry under another name is as wrong as a damaged one.
    return blake2b(name.encode() + code, digest_size=DIGEST).digest()
