"""What users see of the packages: the public names, all of them there, and nothing of the inside."""

from __future__ import annotations

import types

import pytest

import adcore
import pytest_adalloc


@pytest.mark.parametrize("package", [adcore, pytest_adalloc], ids=lambda package: package.__name__)
def test_dir_shows_the_public_names_only(package: types.ModuleType) -> None:
    assert dir(package) == sorted(package.__all__)
    assert [name for name in dir(package) if not hasattr(package, name)] == []
    with pytest.raises(AttributeError, match="nothing_like_this"):
        package.nothing_like_this  # noqa: B018


def test_strategies_are_there_without_an_import_of_their_own() -> None:
    assert callable(pytest_adalloc.strategies.arguments)
