"""What commands print: one JSON document, or text for people: coloured on a terminal, plain lines anywhere else.

Values come from strangers: control characters never reach the terminal.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any, TextIO
from uuid import UUID

from rich.console import Console
from rich.table import Table
from rich.text import Text

COLOURS = {
    "failed": "bold red",
    "waiting": "yellow",
    "warning": "yellow",
    "running": "blue",
    "pending": "blue",
    "done": "green",
    "never": "dim",
    "skipped": "dim",
    "ok": "green",
    "wrong": "bold red",
    "remark": "yellow",
    "head": "bold",
    "faint": "dim",
}

Cell = str | tuple[str, str]
"""A text, or a text with the name of its colour."""


def _plain_value(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date | UUID):
        return str(value)
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("utf-8", "backslashreplace")
    raise TypeError(f"{type(value).__name__} has no JSON form")


def as_json(data: Any) -> str:
    """One JSON document; times are RFC 3339 UTC."""
    return json.dumps(data, default=_plain_value, ensure_ascii=False, indent=2)


def clean(text: str) -> str:
    """The text without control characters (a name must not be able to move the cursor)."""
    return "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in text)


class Printer:
    """Prints to one stream."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self.terminal = self._stream.isatty()
        self._console = Console(file=self._stream, highlight=False, soft_wrap=True)

    def json(self, data: Any) -> None:
        """One JSON document."""
        self._stream.write(as_json(data) + "\n")

    def raw(self, text: str) -> None:
        """Text as it is, without a line's end."""
        self._stream.write(text)

    def line(self, *cells: Cell) -> None:
        """A line of texts, each in its colour on a terminal."""
        if self.terminal:
            self._console.print(_coloured(*cells))
        else:
            self._stream.write("".join(_text(cell) for cell in cells) + "\n")

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
        """A table; away from a terminal, lines with two blanks between columns, nothing cut off."""
        if self.terminal:
            table = Table(*heads, box=None, pad_edge=False, header_style="bold")
            for row in rows:
                table.add_row(*[_coloured(cell) for cell in row])
            Console(file=self._stream, highlight=False).print(table)
            return
        texts = [list(heads), *[[_text(cell).replace("\n", " ") for cell in row] for row in rows]]
        widths = [max(len(row[n]) for row in texts) for n in range(len(heads))]
        for row in texts:
            self._stream.write("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
            self._stream.write("\n")


def _text(cell: Cell) -> str:
    return clean(cell if isinstance(cell, str) else cell[0])


def _coloured(*cells: Cell) -> Text:
    return Text.assemble(*((_text(cell), "" if isinstance(cell, str) else COLOURS[cell[1]]) for cell in cells))
