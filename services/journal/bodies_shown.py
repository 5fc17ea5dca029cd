"""Shows a raw body so that nothing in it can mislead: unseen characters by their names, binary as a dump. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from shared.unseen import UNSEEN, named

MOST_CHARACTERS = 100_000
MOST_MARKS = 500
MOST_DUMPED = 4096

WRITTEN = re.compile('"\ue000([^"\ue000]*)\ue000"')
"""A number as `_AsWritten` hides it."""


@dataclass(frozen=True, slots=True)
class Shown:
    """pieces: (text, name of the unseen character behind it, else empty); cut: whether there is more.

    readable: the same with line breaks and indents where it is JSON; dump: of what is no text.
    """

    pieces: list[tuple[str, str]]
    cut: bool
    readable: list[tuple[str, str]] | None = None
    dump: str | None = None


def shown(raw: bytes) -> Shown:
    """A body for a page."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return Shown(pieces(raw.decode("utf-8", "replace")), len(raw) > MOST_CHARACTERS, dump=dump(raw))
    return Shown(pieces(text), len(text) > MOST_CHARACTERS, _readable(text))


def to_edit(raw: bytes) -> str:
    """The text to begin with when somebody mends it: the readable one unless it has unseen characters."""
    seen = shown(raw)
    if seen.readable is not None and all(not mark for _, mark in seen.readable):
        return "".join(text for text, _ in seen.readable)
    return raw.decode("utf-8", "replace")


def pieces(text: str) -> list[tuple[str, str]]:
    """The text in pieces that end before an unseen character, at most MOST_CHARACTERS and MOST_MARKS of it."""
    found: list[tuple[str, str]] = []
    at, text = 0, text[:MOST_CHARACTERS]
    for match in UNSEEN.finditer(text):
        if len(found) == MOST_MARKS:
            break
        found.append((text[at : match.start()], named(match[0])))
        at = match.end()
    # Past the last mark that is shown one by one, the rest is there without any.
    return [*found, (UNSEEN.sub("\N{WHITE SQUARE}", text[at:]), "")]


def dump(raw: bytes) -> str:
    """Sixteen bytes a line: where, in hexadecimal, as ASCII."""
    lines = []
    for at in range(0, min(len(raw), MOST_DUMPED), 16):
        row = raw[at : at + 16]
        seen = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{at:08x}  {row.hex(' '):<47}  {seen}")
    return "\n".join(lines)


def _readable(text: str) -> list[tuple[str, str]] | None:
    """Indented, with every number as it was written; None where it is no JSON or reads well already."""
    if len(text) > MOST_CHARACTERS or "\ue000" in text:
        return None
    try:
        value = json.loads(
            text, parse_float=_AsWritten, parse_int=_AsWritten, parse_constant=_AsWritten, object_pairs_hook=_once
        )
        said = json.dumps(value, ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return None
    said = WRITTEN.sub(r"\1", said)
    return None if said == text.strip() else pieces(said)


class _AsWritten(str):
    """A number as the text had it: Python would round one or write it in another way."""

    __slots__ = ()

    def __new__(cls, text: str) -> _AsWritten:
        return super().__new__(cls, f"\ue000{text}\ue000")


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object; one that says a name twice would lose the first."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found
