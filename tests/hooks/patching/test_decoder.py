"""The decoder against a disassembler, and moved instructions against where they came from."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_adalloc.hooks.install.loaded_objects import loaded_objects
from pytest_adalloc.hooks.patching.decoder import LONGEST, NotDecoded, decoded
from tests.samples import sample

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="this decodes x86-64")


def disassembled(path: str, most: int) -> Iterator[tuple[bytes, bytes, str]]:
    """Bytes of instructions as objdump tells them apart, what follows each, and their text."""
    tool = shutil.which("objdump")
    if tool is None:
        pytest.skip("objdump is not installed")
    command = [tool, "-d", "--insn-width=15", "-j", ".text", path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        rows: list[tuple[bytes, str]] = []
        for line in run.stdout:
            match = re.match(r"\s*[0-9a-f]+:\t((?:[0-9a-f]{2} )+)\s*\t?(.*)", line)
            if match:
                rows.append((bytes.fromhex(match[1]), match[2]))
            if len(rows) > most:
                break
        run.kill()
    raw = b"".join(code for code, _ in rows) + bytes(LONGEST)
    at = 0
    for code, text in rows:
        yield code, raw[at : at + LONGEST], text
        at += len(code)


def library(name: str) -> str:
    return next(owner.name for owner in loaded_objects()[0] if owner.file_name.startswith(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", sample(["libc.", "libm.", "libpython", "libffi"], quick=1))
def test_lengths_are_those_of_a_disassembler(name: str) -> None:
    path = next((owner.name for owner in loaded_objects()[0] if owner.file_name.startswith(name)), "")
    if not path or not Path(path).exists():
        pytest.skip(f"no {name} is loaded")
    equal, refused = 0, 0
    for code, ahead, text in disassembled(path, 60_000):
        if "(bad)" in text:
            continue
        try:
            found = decoded(ahead)
        except NotDecoded:
            refused += 1
            continue
        assert found.length == len(code), (code.hex(), text)
        relative = "(%rip)" in text
        assert (found.kind == "relative") == relative, (code.hex(), text)
        assert (found.kind in ("jump", "branch")) == bool(re.match(r"(?:j\w+)\s+[0-9a-f]+ ", text)), (code.hex(), text)
        equal += 1
    assert equal > 20_000 or name != "libc."
    assert refused < 0.25 * (equal + refused)  # calls above all


HERE, THERE = 0x401000, 0x7000


@pytest.mark.parametrize("code", ["eb10", "7510", "78f0", "0f8410000000", "e9fffeffff"])
def test_a_moved_branch_leads_where_it_led(code: str) -> None:
    before = decoded(bytes.fromhex(code).ljust(LONGEST, b"\x90"))
    after = decoded(before.moved(HERE, THERE).ljust(LONGEST, b"\x90"))
    assert (after.kind, after.condition % 16 if after.kind == "branch" else 0) == (
        before.kind,
        before.condition if before.kind == "branch" else 0,
    )
    assert HERE + before.target == THERE + after.target


def test_a_moved_instruction_addresses_what_it_addressed() -> None:
    before = decoded(bytes.fromhex("488b0509814100").ljust(LONGEST, b"\x90"))  # mov rax, [rip + 0x418109]
    after = before.moved(HERE, THERE)
    assert THERE + int.from_bytes(after[3:], "little", signed=True) == HERE + 0x418109
    assert after[:3] == before.raw[:3]


def test_other_instructions_move_as_they_are() -> None:
    for code in ("4154", "4885ff", "55", "f30f1efa", "4883ec18"):
        assert decoded(bytes.fromhex(code).ljust(LONGEST, b"\x90")).moved(HERE, THERE).hex() == code


@pytest.mark.parametrize(
    "code",
    [
        "e800000000",  # call: it would leave another return address
        "ffd0",  # call rax
        "c5f877",  # vzeroupper
        "cc",  # a debugger's breakpoint
        "f3a4",  # rep movsb
        "66e90000",  # a branch of 16 bits
        "c7f800000000",  # xbegin
    ],
)
def test_what_cannot_run_elsewhere_is_refused(code: str) -> None:
    with pytest.raises(NotDecoded):
        decoded(bytes.fromhex(code).ljust(LONGEST, b"\x90"))


def test_an_instruction_that_is_cut_short_is_refused() -> None:
    with pytest.raises(NotDecoded, match="cut short"):
        decoded(bytes.fromhex("488b05"))


def test_what_is_too_far_is_refused() -> None:
    instruction = decoded(bytes.fromhex("488b0500000000").ljust(LONGEST, b"\x90"))
    with pytest.raises(NotDecoded, match="too far"):
        instruction.moved(0x1000, 1 << 40)
