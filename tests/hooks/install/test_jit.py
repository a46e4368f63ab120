"""The cache of objects: used when sound, recompiled when not, and never trusted when others could write to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_adalloc.hooks.install import jit

TEXT = f"""
target triple = "{jit.triple()}"
define i32 @answer() nounwind {{
  ret i32 42
}}
"""


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    done: list[str] = []
    compile_text = jit.compiled

    def noted(text: str, *, opt: int = 2) -> bytes:
        done.append(text)
        return compile_text(text, opt=opt)

    monkeypatch.setattr(jit, "compiled", noted)
    return done


def test_compiled_once(tmp_path: Path, compiled: list[str]) -> None:
    first = jit.object_code(TEXT, cache=tmp_path)
    assert jit.object_code(TEXT, cache=tmp_path) == first
    assert len(compiled) == 1
    assert jit.object_code(TEXT + "; other text\n", cache=tmp_path)
    assert len(compiled) == 2


@pytest.mark.parametrize("damage", [b"", b"short", b"\0" * 4000])
def test_damaged_entries_are_compiled_again(tmp_path: Path, compiled: list[str], damage: bytes) -> None:
    good = jit.object_code(TEXT, cache=tmp_path)
    (entry,) = tmp_path.iterdir()
    entry.write_bytes(damage)
    assert jit.object_code(TEXT, cache=tmp_path) == good
    assert len(compiled) == 2
    assert jit.object_code(TEXT, cache=tmp_path) == good
    assert len(compiled) == 2


def test_one_flipped_bit_is_noticed(tmp_path: Path, compiled: list[str]) -> None:
    good = jit.object_code(TEXT, cache=tmp_path)
    (entry,) = tmp_path.iterdir()
    raw = bytearray(entry.read_bytes())
    raw[-5] ^= 1
    entry.write_bytes(raw)
    assert jit.object_code(TEXT, cache=tmp_path) == good
    assert len(compiled) == 2


def test_a_link_in_place_of_an_entry_is_not_followed(tmp_path: Path, compiled: list[str]) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    jit.object_code(TEXT, cache=cache)
    (entry,) = cache.iterdir()
    entry.rename(tmp_path / "elsewhere")
    entry.symlink_to(tmp_path / "elsewhere")
    jit.object_code(TEXT, cache=cache)
    assert len(compiled) == 2


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    assert jit.object_code(TEXT, cache=gone)
    assert not gone.exists()


def test_directories_of_others_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    monkeypatch.setenv("ADALLOC_CACHE", str(shared))
    assert jit.cache_directory() is None
    shared.chmod(0o700)
    assert jit.cache_directory() == shared
    for off in ("", "off", "OFF", "0", "no"):
        monkeypatch.setenv("ADALLOC_CACHE", off)
        assert jit.cache_directory() is None


def test_a_home_that_cannot_be_written_falls_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no directory")
    monkeypatch.delenv("ADALLOC_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    directory = jit.cache_directory()
    assert directory is not None
    assert directory.name == f"pytest-adalloc-{os.getuid()}"


def test_linked_code_runs() -> None:
    import ctypes

    address = jit.link([jit.compiled(TEXT)], ["answer"])["answer"]
    assert ctypes.CFUNCTYPE(ctypes.c_int)(address)() == 42
