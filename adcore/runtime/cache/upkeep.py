"""Looking at the object cache, and keeping it small: what is in it, how large it is, and what goes first."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from adcore.runtime.cache.disk import SUFFIX, folder


@dataclass(frozen=True)
class CacheUse:
    """What a cache folder holds: entries, bytes, and seconds since the entry that waited longest was read."""

    place: Path | None
    entries: int = 0
    bytes: int = 0
    oldest: float = 0.0

    def __str__(self) -> str:
        if self.place is None:
            return "the cache is off"
        if not self.entries:
            return f"{self.place}: empty"
        age = f"the one that waited longest was read {_days(self.oldest)}"
        many = "entry" if self.entries == 1 else "entries"
        return f"{self.place}: {self.entries:,} {many}, {self.bytes / 2**20:.1f} MiB; {age}"


def cache_use() -> CacheUse:
    """What is in the folder now."""
    base, found = folder(), entries()
    now = time.time()
    return CacheUse(base, len(found), sum(e.bytes for e in found), max((now - e.used for e in found), default=0.0))


@dataclass(frozen=True)
class CacheEntry:
    """One file of the cache, when it was last read, and its size."""

    path: Path
    used: float
    bytes: int


def entries() -> list[CacheEntry]:
    """All entries, those first that nobody has read for the longest time."""
    base = folder()
    if base is None:
        return []
    found = []
    for file in os.scandir(base):
        if file.name.endswith(SUFFIX):
            try:
                status = file.stat()
            except OSError:  # another process removed it
                continue
            found.append(CacheEntry(Path(file.path), status.st_mtime, status.st_size))
    return sorted(found, key=lambda entry: entry.used)


def clear() -> int:
    """Remove every entry; how many there were."""
    return sum(_removed(entry) for entry in entries())


def _removed(entry: CacheEntry) -> bool:
    try:
        entry.path.unlink()
    except OSError:
        return False
    return True


def _days(seconds: float) -> str:
    days = int(seconds // 86_400)
    return {0: "today", 1: "yesterday"}.get(days, f"{days} days ago")
