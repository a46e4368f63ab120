"""The layers of docs/dev/architecture.md: what each part may import, read from the imports themselves."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# A layer may import itself and what stands here; a module counts with its package.
LAYERS: dict[str, set[str]] = {
    "version": set(),
    "source": set(),
    "machine_model": set(),
    "errors": {"source"},
    "fault": {"errors", "source"},
    "ir": {"source", "errors"},
    "abi": {"ir", "source", "errors"},
    "signature": {"ir.types"},
    "ops": {"ir"},
    "instances": set(),
    "captures": {"signature", "ir.types"},
    "loaded_code": set(),
    "frontend": {"captures", "instances", "loaded_code", "signature", "ops", "ir", "source", "errors", "fault"},
    "analysis": {"machine_model", "ops", "ir", "source", "errors"},
    "transform": {"machine_model", "analysis", "ops", "ir", "source", "errors"},
    "lower": {"machine_model", "abi", "ops", "ir", "source", "errors"},
    "jets": {"ops", "ir"},
    "runtime": {"abi", "captures", "instances", "signature", "ir.types", "source", "errors"},
    "library": set(),
}

# Above the layers: the driver, and what users import.
FACE = {"__init__", "__main__", "activities", "api", "command", "driver"}

# The plugin, from the bottom up. What its hooks agree on comes first, and their rooms.
AGREED = {"hooks.entries", "hooks.errors", "hooks.layout", "hooks.reports"}
PLUGIN_LAYERS: dict[str, set[str]] = {
    **dict.fromkeys(sorted(AGREED), AGREED),
    "hooks.native": AGREED,
    "hooks.patching": AGREED,
    "hooks.install": {"hooks.native", "hooks.patching", *AGREED},
    "hooks.attribute": {"hooks.install", *AGREED},
    "hooks.witness": {"hooks.install", *AGREED},
    "hooks.count": {"hooks.attribute", "hooks.witness", "hooks.install", *AGREED},
    "hooks": set(),
    "options": {"hooks.reports"},
    "checks": {"hooks", "options"},
    "session": {"checks", "options", "hooks.reports"},
    "report": {"session", "checks", "hooks", "options"},
    "integration": {"report", "session", "checks", "hooks", "options"},
    "command": {"integration", "report", "checks"},
}

# Above these: what pytest loads, and what users import.
PLUGIN_FACE = {"__init__", "plugin", "strategies"}

HEAVY = ("adcore", "llvmlite", "numpy", "psutil", "scipy", "hypothesis")


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@functools.cache
def imported(path: Path) -> tuple[tuple[str, int], ...]:
    """Dotted names that a module imports, wherever in it, with the line."""
    return tuple(_imported(path))


def _imported(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: relative import"
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def within(name: str, part: str) -> bool:
    """Whether a dotted name is that of a part or of something in it."""
    return name == part or name.startswith(part + ".")


def allowed(layer: str, name: str) -> bool:
    """Whether `layer` may import `adcore.<name>`."""
    return any(within(name, part) for part in (layer, *LAYERS[layer]))


def names(path: Path, package: str) -> str:
    """`ir/types.py` as `ir.types`."""
    return ".".join(path.relative_to(ROOT / package).with_suffix("").parts)


def test_every_module_has_a_layer() -> None:
    parts = {names(path, "adcore").split(".")[0] for path in modules("adcore")}
    assert parts - LAYERS.keys() <= FACE, (
        "a new part of adcore needs its place in the table of docs/dev/architecture.md"
    )


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_point_down(layer: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in modules("adcore")
        if names(path, "adcore").split(".")[0] == layer
        for name, line in imported(path)
        if name.split(".")[0] == "adcore" and not allowed(layer, name.removeprefix("adcore."))
    ]
    assert wrong == []


def import_graph(package: str) -> dict[str, set[str]]:
    """By module, the modules of `package` that it imports, wherever in it: in functions and for types, too."""
    found = {f"{package}.{names(path, package)}".removesuffix(".__init__"): path for path in modules(package)}
    graph: dict[str, set[str]] = {}
    for name, path in found.items():
        targets = {t if t in found else t.rpartition(".")[0] for t, _ in imported(path)}
        graph[name] = (targets & found.keys()) - {name}
    return graph


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """The sets of modules that import each other, directly or not."""
    reached: dict[str, set[str]] = {}
    for start in graph:
        reached[start], waiting = set(), [start]
        while waiting:
            fresh = graph[waiting.pop()] - reached[start]
            reached[start] |= fresh
            waiting += fresh
    found = [{m for m in reached[n] if n in reached[m]} for n in graph if n in reached[n]]
    return [c for k, c in enumerate(found) if c not in found[:k]]


def test_no_import_circles() -> None:
    found = [c for package in ("adcore", "pytest_adalloc") for c in circles(import_graph(package))]
    assert found == [], "modules that import each other: move what they share below them"


def plugin_layer(name: str) -> str:
    """The layer of a module of the plugin: the longest name that it lies within."""
    return max((layer for layer in PLUGIN_LAYERS if within(name, layer)), key=len, default=name)


def test_every_module_of_the_plugin_has_a_layer() -> None:
    layers = {plugin_layer(names(path, "pytest_adalloc")) for path in modules("pytest_adalloc")}
    assert layers - PLUGIN_LAYERS.keys() <= PLUGIN_FACE


@pytest.mark.parametrize("layer", PLUGIN_LAYERS)
def test_imports_of_the_plugin_point_down(layer: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in modules("pytest_adalloc")
        if plugin_layer(names(path, "pytest_adalloc")) == layer
        for name, line in imported(path)
        if within(name, "pytest_adalloc")
        and not any(within(name.removeprefix("pytest_adalloc."), part) for part in (layer, *PLUGIN_LAYERS[layer]))
    ]
    assert wrong == []


def test_the_compiler_knows_no_pytest() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in modules("adcore")
        for name, line in imported(path)
        if name.split(".")[0] in ("pytest", "_pytest", "pytest_adalloc")
    ]
    assert wrong == []


SHARED = ("adcore.abi", "adcore.instances", "adcore.command")


def test_the_plugin_uses_public_names_and_what_is_shared_only() -> None:
    """The ABI, what an object is, and how commands are written."""
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in modules("pytest_adalloc")
        for name, line in imported(path)
        if name.split(".")[0] == "_pytest"
        or (within(name, "adcore") and name != "adcore" and not any(within(name, part) for part in SHARED))
    ]
    assert wrong == []


def test_the_document_has_the_tables() -> None:
    """Their rows are those of this test."""
    text = (ROOT / "docs" / "dev" / "architecture.md").read_text()
    rows = re.findall(r"^\| `([\w.]+)` \| .* \| (.*) \|$", text, re.MULTILINE)
    told = {layer: set(re.findall(r"`([\w.]+)`", may)) for layer, may in rows}
    lowest = ("hooks.native", "hooks.patching")
    plugin = {layer: may - AGREED for layer, may in PLUGIN_LAYERS.items() if may - AGREED or layer in lowest}
    assert told == {**LAYERS, **plugin}


@pytest.mark.parametrize("statement", ["import pytest_adalloc.plugin", "import pytest_adalloc", "import adcore"])
def test_start_up_is_light(statement: str) -> None:
    """The plugin is loaded in every pytest run, whether the run uses it or not."""
    code = (
        f"import sys\n{statement}\nheavy = [n for n in {HEAVY!r} if n in sys.modules and n not in {statement!r}]\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
