"""What this Python raises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def python_message(function: Callable[..., Any], *arguments: Any) -> tuple[str, str]:
    """Type and message of what this Python raises for a call: they differ between versions."""
    try:
        function(*arguments)
    except Exception as error:
        # A `check` formats its message.
        return type(error).__name__, str(error).replace("{", "{{").replace("}", "}}")
    raise AssertionError(f"{function} does not raise for {arguments}")
