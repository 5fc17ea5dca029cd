"""Fenced blocks of a Markdown document: what a reader copies, and what the document says comes back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# A block inside a list is indented; its lines are as far in as its fence.
_BLOCK = re.compile(
    r"(?:^ *<!-- (?P<note>[^\n]*?) -->\n)?"
    r"^(?P<indent> *)```(?P<language>[\w-]*)(?P<rest>[^\n]*)\n(?P<text>.*?)^(?P=indent)```[ ]*$",
    re.MULTILINE | re.DOTALL,
)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_TITLE = re.compile(r'title="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Block:
    """One block. title: the name of the file that it shows; line: of its first fence, from 1.

    note:    the comment right above it, which readers do not see: `look again`, `another terminal`
    section: the heading that it stands under
    """

    language: str
    title: str | None
    text: str
    line: int
    note: str = ""
    section: str = ""

    @property
    def is_shell(self) -> bool:
        """Whether a reader types it into a shell."""
        return self.language == "sh" and self.title is None


def blocks(document: Path) -> list[Block]:
    """All blocks, in order."""
    return list(_found(document.read_text(encoding="utf-8")))


def _found(text: str) -> Iterator[Block]:
    # A `#` in a block is no heading; what is blanked keeps its length.
    outside = _BLOCK.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    for match in _BLOCK.finditer(text):
        title = _TITLE.search(match["rest"])
        inside = re.sub(f"^{match['indent']}", "", match["text"], flags=re.MULTILINE)
        line = text.count("\n", 0, match.start("indent")) + 1
        headings = _HEADING.findall(outside, 0, match.start())
        section = headings[-1] if headings else ""
        yield Block(match["language"], title[1] if title else None, inside, line, match["note"] or "", section)
