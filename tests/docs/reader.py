"""Somebody who does what a document says: writes its files, types its commands, compares what comes back.

In a document: a block with `title="NAME"` is a file; a block `sh` is typed; a block `json` or `text` right behind it is
what comes back, with `…` where it may be anything. Comments above a block: `<!-- look again -->` means that it may take
a while until that comes, `<!-- another terminal -->` that it is not typed in this one.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.docs.fenced import Block
from tests.support.waiting import until

ANYTHING = "…"
ANSWERS = ("json", "text")
SECONDS = 180.0
PATIENCE = 300.0
"""For what comes by and by: a machine may be busy."""


class Differs(AssertionError):
    """What came back is not what the document says."""


@dataclass
class Reader:
    """A shell in a folder; what it exports and where it went stay from block to block.

    moved: text of the document → what stands for it here, e.g. a port that is free.
    """

    folder: Path
    environment: Mapping[str, str]
    moved: Mapping[str, str] = field(default_factory=dict)
    said: str = ""

    def follow(self, document: str, found: list[Block]) -> int:
        """Do all of it. Returns how many blocks were typed. Raises Differs with the line of the document."""
        typed = 0
        for place, block in enumerate(found):
            where = f"{document}:{block.line}"
            behind = found[place + 1] if place + 1 < len(found) else None
            answer = behind if behind is not None and behind.title is None and behind.language in ANSWERS else None
            if block.title is not None:
                self.write(block)
            elif block.is_shell and block.note != "another terminal":
                self.type(block, answer, where)
                typed += 1
        return typed

    def write(self, block: Block) -> None:
        """Save a file of the document."""
        assert block.title is not None
        path = self.folder / block.title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._here(block.text), encoding="utf-8")

    def type(self, block: Block, answer: Block | None, where: str) -> None:
        """Run a block, and compare what comes back. Raises Differs."""
        if block.note != "look again":
            problem = self._typed(block) or (answer and self._differs(answer))
            if problem:
                raise Differs(f"{where}: {problem}")
            return
        assert answer is not None, f"{where}: what does one look for?"
        problem = ""

        def comes() -> bool:
            nonlocal problem
            problem = self._typed(block) or self._differs(answer)
            return not problem

        try:
            until(comes, "it comes", PATIENCE)
        except AssertionError:
            raise Differs(f"{where}: after {PATIENCE:.0f} seconds {problem}") from None

    def _typed(self, block: Block) -> str:
        """What went wrong; what it printed is kept in `said`."""
        kept = self.folder / ".environment"
        script = f"[ -f {kept} ] && . {kept}\n{self._here(block.text)}\nexport -p > {kept}\n"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], cwd=self.folder, env=dict(self.environment),
            capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        self.said = done.stdout
        return f"exit {done.returncode}\n{block.text}\n{done.stdout}\n{done.stderr}" if done.returncode else ""

    def _differs(self, answer: Block) -> str:
        """What was printed last against what the document says."""
        wanted = self._here(answer.text)
        if answer.language == "json":
            try:
                problem = _json_differs(json.loads(wanted), json.loads(self.said))
            except ValueError:
                problem = "it is no JSON"
        else:
            problem = _text_differs(wanted, self.said)
        return problem and f"{problem}\n--- the document says\n{wanted}\n--- it was\n{self.said}"

    def _here(self, text: str) -> str:
        for said, instead in self.moved.items():
            text = text.replace(said, instead)
        return text


def _json_differs(wanted: Any, found: Any, at: str = "") -> str:
    """Where two values differ; "" where they do not. A document may leave out nothing but what `…` stands for."""
    if wanted == ANYTHING:
        return ""
    if isinstance(wanted, dict) and isinstance(found, dict):
        if wanted.keys() - {ANYTHING} - found.keys() or (ANYTHING not in wanted and found.keys() - wanted.keys()):
            return f"{at or 'the object'} has {sorted(found)}"
        inner = ((f"{at}.{name}", value, found[name]) for name, value in wanted.items() if name != ANYTHING)
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        inner = ((f"{at}[{place}]", one, found[place]) for place, one in enumerate(wanted))
    elif isinstance(wanted, str) and isinstance(found, str):
        return "" if _pattern(wanted).fullmatch(found) else f"{at} is {found!r}"
    else:
        return "" if wanted == found and type(wanted) is type(found) else f"{at} is {found!r}"
    return next((problem for place, one, other in inner if (problem := _json_differs(one, other, place))), "")


def _text_differs(wanted: str, found: str) -> str:
    """The first line that does not come, in this order; blanks are as wide as they like."""
    lines = iter(" ".join(line.split()) for line in found.splitlines())
    for line in wanted.splitlines():
        if line.strip() in ("", ANYTHING):
            continue
        pattern = _pattern(" ".join(line.split()))
        if not any(pattern.fullmatch(one) for one in lines):
            return f"this line does not come: {line.strip()}"
    return ""


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*?".join(map(re.escape, text.split(ANYTHING))), re.DOTALL)
