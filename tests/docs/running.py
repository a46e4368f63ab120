"""Runs what a page shows, in the order in which it stands there, and compares what it prints with what the page says.

How a page says what a block is:

- A `python` block runs, with the names of the blocks before it. If its first line is a comment such as `# model.py`,
  it is a file of that name; a file whose name begins with `test_` is only written, for a command that follows.
- A `console` block has commands, each after `$ `, and what they print.
- A block without a language, or a `text` block, directly below a `python` block is what that prints; an exception that
  ends the block is its last lines.
- `toml`, `ini`, `json` and `yaml` blocks are parsed; with a first line such as `# pytest.ini` they are files, too.
- `<!-- run ... -->` before a block holds statements that a reader does not need to see; `<!-- needs: jax -->` takes
  the next block and its output out where a module is missing, `<!-- not run: reason -->` everywhere.

`...` stands for anything, within a line or for lines. Times are not compared.
"""

from __future__ import annotations

import configparser
import contextlib
import importlib
import importlib.util
import io
import json
import linecache
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PARTS = re.compile(
    r"^<!-- (?P<note>run|needs|not run)(?P<said>.*?)-->$|^```(?P<language>[a-z]*|\{[a-z-]+\})\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
FILE = re.compile(r"# ([\w./-]+\.\w+)\n")
OUTPUT = ("", "text")
NOT_RUN = ("diff", "mermaid", "llvm", "html", "c")
"""Languages that other tests look after, or none can."""


@dataclass(frozen=True)
class Block:
    """A block of code with the line at which it begins; `follows`: nothing but blanks stands before it and another."""

    language: str
    body: str
    line: int
    follows: bool


def blocks(text: str) -> Iterator[Block | tuple[str, str]]:
    """Blocks and notes of a page in order."""
    end = 0
    for part in PARTS.finditer(text):
        if part["note"]:
            yield part["note"], part["said"].strip(": \n")
        else:
            line = text.count("\n", 0, part.start()) + 2
            yield Block(part["language"], part["body"], line, not text[end : part.start()].strip())
        end = part.end()


def plain(text: str, folder: Path) -> str:
    """Without what is different each time: folders, times, spaces at the ends of lines."""
    text = re.sub(rf"{re.escape(str(folder))}/(\d+/)?", "", text)
    text = re.sub(r"^adalloc: .* \.\.\.\n", "", text, flags=re.MULTILINE)  # progress of a slow machine
    text = re.sub(r"\b\d+(\.\d+)?s\b", "0s", text)
    text = re.sub(r"(=+) (.*?) =+$", r"= \2 =", text, flags=re.MULTILINE)
    return "\n".join(line.rstrip() for line in text.strip().split("\n"))


def agrees(said: str, printed: str) -> bool:
    """Whether what is printed is what the page says, with `...` for anything."""
    pieces = [re.escape(piece) for piece in said.split("...")]
    return re.fullmatch(".*".join(pieces), printed, re.DOTALL) is not None


class PageRun:
    """One page in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: dict[str, Any] = {"__name__": "example"}
        self.count = 0
        self.raised = ""  # by the last block; its page has to show that

    def run(self, text: str) -> None:
        """Everything on the page. Fails at the first block that is not true."""
        before, printed, skip = "", "", False
        for part in blocks(text):
            if isinstance(part, tuple):
                note, said = part
                if note == "run":
                    self.python(said)
                elif note == "not run" or not importlib.util.find_spec(said):
                    skip = True
                continue
            if skip:
                skip = False
                before = ""
            elif part.language in OUTPUT:
                if part.follows and before == "python":
                    said = plain(part.body, self.folder)
                    assert agrees(said, plain(printed, self.folder)), told(part, said, plain(printed, self.folder))
                    self.raised = ""
                before = ""
            else:
                assert not self.raised, f"before line {part.line}: {self.raised}"
                printed = self.block(part)
                before = part.language
        assert not self.raised, f"the last block: {self.raised}"

    def block(self, block: Block) -> str:
        """Run one block; what it printed."""
        named = FILE.match(block.body)
        if named and block.language != "console":
            path = self.folder / named[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.body)
            os.utime(path, (self.count + 1, self.count + 1))
        if block.language == "python":
            is_test = named and (Path(named[1]).name.startswith("test_") or named[1].endswith("conftest.py"))
            return "" if is_test else self.python(block.body, named[1] if named else "example.py")
        if block.language == "console":
            self.commands(block)
        elif block.language == "toml":
            parsed("tomllib", block.body)
        elif block.language == "json":
            json.loads(block.body)
        elif block.language == "ini":
            configparser.ConfigParser().read_string(block.body)
        elif block.language == "yaml":
            parsed("yaml", block.body)
        else:
            known = block.language in NOT_RUN or block.language.startswith("{")
            assert known, f"line {block.line}: nothing runs blocks of {block.language!r}"
        return ""

    def python(self, source: str, name: str = "example.py") -> str:
        """Run statements; what they printed, and the exception that ended them."""
        self.count += 1
        path = self.folder / str(self.count) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
        linecache.checkcache()
        said, before = io.StringIO(), Path.cwd()
        os.chdir(self.folder)
        with contextlib.redirect_stdout(said):
            try:
                exec(compile(source, str(path), "exec"), self.names)
            except Exception as error:
                kind = type(error)
                home = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
                self.raised = f"{home}{kind.__name__}: {error}"
                print(self.raised)
            finally:
                os.chdir(before)
        return said.getvalue()

    def commands(self, block: Block) -> None:
        """Each command in a shell of its own, and what it prints."""
        for text in re.split(r"^\$ ", block.body, flags=re.MULTILINE)[1:]:
            command, _, said = text.partition("\n")
            while command.endswith("\\"):
                more, _, said = said.partition("\n")
                command = f"{command[:-1]}{more}"
            printed = plain(self.command(command), self.folder)
            said = plain(said, self.folder)
            assert agrees(said, printed), told(block, said, printed)

    def command(self, command: str) -> str:
        """What a command prints, errors included; programs of this environment are the ones that run these tests."""
        own = {"pytest": "-m pytest -p no:cacheprovider", "python": "", "adcore": "-m pytest_adalloc.command.main"}
        for name, module in own.items():
            command = re.sub(rf"(^|&& |\| ){name} ", lambda m, to=module: f"{m[1]}{PYTHON} {to} ", command)
        ran = subprocess.run(
            command,
            shell=True,
            cwd=self.folder,
            env={**os.environ, **CLEAN, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return ran.stdout


ROOT = Path(__file__).parents[2]
PYTHON = shlex.quote(sys.executable)
CLEAN = {"COLUMNS": "80", "NO_COLOR": "1", "CI": "", "GITHUB_ACTIONS": "", "PYTEST_ADDOPTS": ""}


def parsed(reader: str, text: str) -> None:
    """Parse a block by a module that Python 3.10, or a plain environment, may lack."""
    if importlib.util.find_spec(reader):
        module = importlib.import_module(reader)
        (module.safe_load if reader == "yaml" else module.loads)(text)


def told(block: Block, said: str, printed: str) -> str:
    return f"the block at line {block.line} says\n\n{said}\n\nand it printed\n\n{printed}\n"
