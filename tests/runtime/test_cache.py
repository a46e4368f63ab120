"""The object cache: nothing damaged, foreign or half-written is ever used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from adcore.runtime import cache


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ADCORE_CACHE", str(tmp_path / "objects"))
    return tmp_path / "objects"


def entry(place: Path) -> Path:
    (path,) = place.glob("*.o")
    return path


def test_what_was_stored_is_found(place: Path) -> None:
    cache.store("name", b"code")
    assert cache.fetch("name") == b"code"
    assert cache.fetch("other") is None


@pytest.mark.parametrize("position", [0, 20, 60, -1])
def test_a_damaged_entry_is_removed(place: Path, position: int) -> None:
    cache.store("name", b"code" * 100)
    data = bytearray(entry(place).read_bytes())
    data[position] ^= 1
    entry(place).write_bytes(bytes(data))
    assert cache.fetch("name") is None
    assert not list(place.glob("*.o"))


@pytest.mark.parametrize("length", [0, 10, 48, 60])
def test_a_truncated_entry_is_removed(place: Path, length: int) -> None:
    cache.store("name", b"code" * 100)
    entry(place).write_bytes(entry(place).read_bytes()[:length])
    assert cache.fetch("name") is None


def test_an_entry_under_another_name_is_refused(place: Path) -> None:
    cache.store("name", b"code")
    entry(place).rename(place / "other.o")
    assert cache.fetch("other") is None


def test_a_folder_that_others_may_write_is_not_used(place: Path) -> None:
    cache.store("name", b"code")
    place.chmod(0o777)
    assert cache.fetch("name") is None
    place.chmod(0o700)
    entry(place).chmod(0o666)
    assert cache.fetch("name") is None


@pytest.mark.parametrize("value", ["", "0", "off", "OFF"])
def test_it_can_be_switched_off(place: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("ADCORE_CACHE", value)
    cache.store("name", b"code")
    assert cache.fetch("name") is None
    assert cache.folder() is None


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("ADCORE_CACHE", str(blocked / "below"))
    cache.store("name", b"code")
    assert cache.fetch("name") is None


def test_no_temporary_files_stay(place: Path) -> None:
    for k in range(3):
        cache.store("name", bytes([k]))
    assert os.listdir(place) == ["name.o"]


def test_what_is_not_used_for_long_goes(place: Path) -> None:
    for name in ("old", "read", "new"):
        cache.store(name, b"code")
    for name in ("old", "read"):
        os.utime(place / f"{name}.o", (0, 0))
    assert cache.fetch("read") == b"code"
    cache.store("00", b"code")
    assert {path.stem for path in place.glob("*.o")} == {"read", "new", "00"}


def test_keys_tell_parts_apart() -> None:
    assert cache.key("ab", "c") != cache.key("a", "bc")
    assert cache.key("a") == cache.key("a")


def test_nothing_is_stored_by_a_compiler_that_was_edited_meanwhile(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "files", lambda: "other files")
    monkeypatch.setattr(cache, "_checked", [0.0, True])
    cache.store("name", b"code")
    assert cache.fetch("name") is None


def test_the_key_needs_neither_compiler_nor_llvm(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom adcore.runtime import cache\ncache.key('a')\n"
        "stages = ('llvmlite', 'adcore.lower', 'adcore.ops', 'adcore.frontend')\n"
        "heavy = [m for m in sys.modules if m.startswith(stages)]\n"
        "assert not heavy, heavy\n"
    )
    for _ in range(2):
        subprocess.run([sys.executable, "-c", program], check=True, env={**os.environ, "ADCORE_CACHE": str(tmp_path)})
