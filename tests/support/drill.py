"""A backup and a restore as docs/operations.md says them: its commands are typed, its lines are written."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

from services.cli.local import identity
from services.cli.local.cluster import PASSWORDS, write_private
from services.cli.local.postgres import Postgres, find_programs
from tests.docs.fenced import blocks
from tests.support.sandbox import PROJECT

PAGE = PROJECT / "docs" / "operations.md"


def documented(name: str, **words: str) -> subprocess.CompletedProcess[str]:
    """Run the one line of the page that begins with `name`, with what stands for addresses and folders filled in."""
    (line,) = re.findall(rf"^{name} .*$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    command = shlex.split(_filled(line, {word: shlex.quote(value) for word, value in words.items()}))
    return _run([str(find_programs() / command[0]), *command[1:]], line)


def typed(section: str, holds: str, **words: str) -> str:
    """Type the one shell block of a section that holds a text, words filled in; answers what it printed."""
    (text,) = [
        block.text for block in blocks(PAGE) if block.section == section and block.is_shell and holds in block.text
    ]
    filled = _filled(text, {word: shlex.quote(value) for word, value in words.items()})
    return _run(["sh", "-euc", filled], filled).stdout


def lines(section: str, holds: str, **words: str) -> str:
    """The one block of a section that shows a file and holds a text, words filled in."""
    (text,) = [block.text for block in blocks(PAGE) if block.section == section and block.title and holds in block.text]
    return _filled(text, words)


def _filled(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        assert re.search(rf"\b{word}\b", text), f"{word} is not in: {text}"
        text = re.sub(rf"\b{word}\b", lambda _, value=value: value, text)  # type: ignore[misc]
    return text


def _run(command: list[str], shown: str) -> subprocess.CompletedProcess[str]:
    path = f"{find_programs()}:{os.environ['PATH']}"
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=200, check=False, env={**os.environ, "PATH": path}
    )
    assert done.returncode == 0, f"{shown}\n{done.stderr}"
    return done


def inherit(server: Postgres, restored: Path) -> None:
    """Whoever starts a server over the restored folder knows the passwords of the one before."""
    restored.mkdir(mode=0o700)
    for file in PASSWORDS.values():
        write_private(restored / file, (server.folder / file).read_text())


def own(folder: Path) -> None:
    """Give a folder and what is in it to whom PostgreSQL runs as here."""
    identity.give(folder, identity.choose(folder, find_programs() / "postgres").owner)
