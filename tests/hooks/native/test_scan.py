"""The native search for slots finds what other tools read in the file."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

import pytest

from pytest_adalloc.hooks.entries import NAMES
from pytest_adalloc.hooks.install import loaded_objects


def test_scanning_agrees_with_readelf(paths: Any) -> None:
    readelf = shutil.which("readelf")
    if readelf is None:
        pytest.skip("readelf is not installed")
    text = subprocess.run([readelf, "-rW", str(paths.path)], capture_output=True, text=True, check=True).stdout
    expected = {
        (int(parts[0], 16), parts[4].split("@")[0])
        for parts in (line.split() for line in text.splitlines())
        if len(parts) >= 5 and parts[4].split("@")[0] in NAMES
    }
    objects, _ = loaded_objects.loaded_objects()
    owner = next(o for o in objects if o.name == str(paths.path))
    found = {(slot.address - owner.base, slot.symbol) for slot in loaded_objects.relocation_slots(owner, NAMES)}
    assert found == expected
