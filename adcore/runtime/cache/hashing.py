"""BLAKE2 without OpenSSL, whose library `hashlib` loads in 3 ms for hashes that we do not use."""

from __future__ import annotations

try:
    from _blake2 import blake2b  # what `hashlib.blake2b` is
except ImportError:
    from hashlib import blake2b

__all__ = ["blake2b"]
