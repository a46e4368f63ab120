"""The object cache: nothing damaged, foreign or half-written is ever used."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import adcore
from adcore.runtime.cache import disk, environment


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ADCORE_CACHE", str(tmp_path / "objects"))
    return tmp_path / "objects"


def entry(place: Path) -> Path:
    (path,) = place.glob("*.o")
    return path


def test_what_was_stored_is_found(place: Path) -> None:
    disk.store("name", b"code")
    assert disk.fetch("name") == b"code"
    assert disk.fetch("other") is None


@pytest.mark.parametrize("position", [0, 20, 60, -1])
def test_a_damaged_entry_is_removed(place: Path, position: int) -> None:
    disk.store("name", b"code" * 100)
    data = bytearray(entry(place).read_bytes())
    data[position] ^= 1
    entry(place).write_bytes(bytes(data))
    assert disk.fetch("name") is None
    assert not list(place.glob("*.o"))


@pytest.mark.parametrize("length", [0, 10, 48, 60])
def test_a_truncated_entry_is_removed(place: Path, length: int) -> None:
    disk.store("name", b"code" * 100)
    entry(place).write_bytes(entry(place).read_bytes()[:length])
    assert disk.fetch("name") is None


def test_an_entry_under_another_name_is_refused(place: Path) -> None:
    disk.store("name", b"code")
    entry(place).rename(place / "other.o")
    assert disk.fetch("other") is None


def test_a_folder_that_others_may_write_is_not_used(place: Path) -> None:
    disk.store("name", b"code")
    place.chmod(0o777)
    assert disk.fetch("name") is None
    place.chmod(0o700)
    entry(place).chmod(0o666)
    assert disk.fetch("name") is None


@pytest.mark.parametrize("value", ["", "0", "off", "OFF"])
def test_it_can_be_switched_off(place: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("ADCORE_CACHE", value)
    disk.store("name", b"code")
    assert disk.fetch("name") is None
    assert disk.folder() is None


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("ADCORE_CACHE", str(blocked / "below"))
    disk.store("name", b"code")
    assert disk.fetch("name") is None


def test_no_temporary_files_stay(place: Path) -> None:
    for k in range(3):
        disk.store("name", bytes([k]))
    assert os.listdir(place) == ["name.o"]


def test_what_is_not_used_for_long_goes(place: Path) -> None:
    for name in ("old", "read", "new"):
        disk.store(name, b"code")
    for name in ("old", "read"):
        os.utime(place / f"{name}.o", (0, 0))
    assert disk.fetch("read") == b"code"
    disk.store("00", b"code")
    assert {path.stem for path in place.glob("*.o")} == {"read", "new", "00"}


def test_what_waited_longest_goes_where_there_is_too_much(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for k in range(4):
        disk.store(f"name{k}", bytes(1000))
        os.utime(place / f"name{k}.o", (1e9 + k, 1e9 + k))
    monkeypatch.setattr(disk, "OLDEST", 1e12)
    monkeypatch.setattr(disk, "LARGEST", 2500)
    assert disk.fetch("name0") is not None  # reading is using
    disk.prune()
    assert sorted(path.name for path in place.glob("*.o")) == ["name0.o", "name3.o"]


def test_keys_tell_parts_apart() -> None:
    assert disk.key("ab", "c") != disk.key("a", "bc")
    assert disk.key("a") == disk.key("a")


def test_nothing_is_stored_by_a_compiler_that_was_edited_meanwhile(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "files", lambda: "other files")
    monkeypatch.setattr(disk, "_checked", [0.0, True])
    disk.store("name", b"code")
    assert disk.fetch("name") is None


def test_the_key_needs_neither_compiler_nor_llvm(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom adcore.runtime.cache import disk\ndisk.key('a')\n"
        "stages = ('llvmlite', 'adcore.lower', 'adcore.ops', 'adcore.frontend')\n"
        "heavy = [m for m in sys.modules if m.startswith(stages)]\n"
        "assert not heavy, heavy\n"
    )
    for _ in range(2):
        subprocess.run([sys.executable, "-c", program], check=True, env={**os.environ, "ADCORE_CACHE": str(tmp_path)})


def test_every_module_of_the_compiler_counts() -> None:
    found = {name for name, _ in environment._modules(environment.PACKAGE)}
    package = Path(adcore.__file__).parent
    assert found == {str(path.relative_to(package)) for path in package.rglob("*.py")}


def test_another_c_library_is_another_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code may call vector functions that an older one does not have."""
    found = [environment.environment("compiler")]
    monkeypatch.setattr(os, "confstr", lambda name: "glibc 2.0")
    found.append(environment.environment("compiler"))
    monkeypatch.delattr(os, "confstr")
    found.append(environment.environment("compiler"))
    assert len(set(found)) == 3
