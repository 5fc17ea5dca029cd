"""Commands that documents name: in fenced shell blocks and in `code`, and whether each could be typed.

A command of ours has to be known with every option and argument; a make target has to exist; a module has to be there.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import typer
from typer._click.core import Command, Context
from typer._click.exceptions import BadParameter, MissingParameter, UsageError

from services.cli.__main__ import build
from tests.docs.fenced import blocks

WORD = re.compile(r"(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)")
PLACEHOLDER = re.compile(r"…|<|\b[A-Z]{2,}\b|\$")
FIRST = ("connect", "make", "python", "docker", "rabbitmqctl", "curl", "kubectl", "psql", "pg_dump", "pg_basebackup")


@dataclass(frozen=True, slots=True)
class Named:
    """A command where a document names it. fenced: in a block that a reader copies."""

    document: str
    line: int
    text: str
    fenced: bool

    def __str__(self) -> str:
        return f"{self.document}:{self.line}: {self.text}"


def named(document: Path, root: Path) -> list[Named]:
    """Every command of a document. Of a block each line, joined where it ends with a backslash."""
    return list(_named(document, document.relative_to(root).as_posix()))


def _named(document: Path, name: str) -> Iterator[Named]:
    text = document.read_text(encoding="utf-8")
    for block in blocks(document):
        if block.title is None and block.language in ("sh", "bash", "console", ""):
            joined = re.sub(r"\s*\\\n\s*", " ", block.text)
            for place, line in enumerate(joined.splitlines()):
                # README shows commands with what they do behind them.
                command = re.split(r"\s{3,}|\s#\s", line.strip())[0]
                for part in re.findall(r"\$\((connect [^)]*)\)", command) or [command]:
                    if part.split(" ")[0] in FIRST:
                        yield Named(name, block.line + 1 + place, part.split(" || ")[0], True)
    outside = re.sub(r"^ *```.*?^ *```[ ]*$", lambda found: "\n" * found[0].count("\n"), text, flags=re.M | re.S)
    for match in WORD.finditer(outside):
        words = " ".join(match[1].split())
        if words.split(" ")[0] in FIRST and " " in words:
            yield Named(name, outside.count("\n", 0, match.start()) + 1, words, False)


def wrong(command: str, root: Path) -> str:
    """Why it cannot be typed; "" where it can, as far as a look at it tells."""
    try:
        words = shlex.split(re.sub(r" (\||>|2>|&&) .*", "", re.sub(r"\$\([^)]*\)", "…", command)))
    except ValueError as error:
        return f"the shell would not take it: {error}"
    if words[0] == "connect":
        return _wrong_connect(words[1:])
    if words[0] == "make":
        targets = re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        unknown = [word for word in words[1:] if "=" not in word and word not in targets]
        return f"there is no target {unknown[0]}" if unknown else ""
    if words[:2] == ["python", "-m"]:
        return "" if importlib.util.find_spec(words[2]) else f"there is no module {words[2]}"
    return ""


@cache
def whole() -> Command:
    """The command `connect`."""
    found: Command = typer.main.get_command(build())
    return found


def _wrong_connect(words: list[str]) -> str:
    """Walk down to the command, then have it read its arguments. Nothing runs."""
    command = whole()
    path = ["connect"]
    while hasattr(command, "commands") and words:
        if words[0] in ("--help", "…"):
            return ""
        if words[0] == "--lang":
            words = words[2:]
            continue
        if words[0].startswith("-"):
            break  # an option of the group itself
        alternatives = words[0].split("|")  # `connect orders list|show`
        for other in alternatives[1:]:
            if other not in command.commands:
                return f"{' '.join(path)} has no command {other}"
        if alternatives[0] not in command.commands:
            return f"{' '.join(path)} has no command {alternatives[0]}"
        command, words = command.commands[alternatives[0]], words[1:]
        path.append(alternatives[0])
    if hasattr(command, "commands") and not words:
        return ""  # a group by its name
    words = [word for word in words if word not in ("…", "…,", "[…]")]
    try:
        command.make_context(" ".join(path), list(words), parent=Context(command)).close()
    except MissingParameter:
        return ""  # in the middle of a sentence nobody writes all of it
    except BadParameter as error:
        return "" if any(PLACEHOLDER.search(word) for word in words) else str(error.format_message())
    except UsageError as error:
        said: str = error.format_message()
        return "" if "requires an argument" in said else said  # `--filter` in the middle of a sentence
    except (SystemExit, typer.Exit):
        return ""  # --help
    return ""
