"""A list as CSV: UTF-8 with a mark, so that spreadsheets read umlauts; written as it is read, so it needs no memory.

What might be a formula gets an apostrophe in front. German sheets part cells by semicolon and write decimal commas, as
German spreadsheets expect.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from shared.records.sheet import Cell, Sheet, is_formula

MARK = "\ufeff"
CHUNK = 64 * 1024


def csv_lines(sheet: Sheet, items: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """The file in pieces; the first one has the heads."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";" if sheet.language == "de" else ",", lineterminator="\r\n")
    text.write(MARK)
    writer.writerow(sheet.heads)
    yield _taken(text)
    for item in items:
        writer.writerow([_written(cell, sheet) for cell in sheet.row(item)])
        if text.tell() >= CHUNK:
            yield _taken(text)
    yield _taken(text)


def _taken(text: io.StringIO) -> bytes:
    found = text.getvalue().encode("utf-8", "replace")
    text.seek(0)
    text.truncate()
    return found


def _written(cell: Cell, sheet: Sheet) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        if sheet.language is None:
            return cell.astimezone(UTC).isoformat().replace("+00:00", "Z")
        return cell.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(cell, Decimal):
        return str(cell).replace(".", ",") if sheet.language == "de" else str(cell)
    if isinstance(cell, int):
        return str(cell)
    clean = cell.replace("\0", "")
    return f"'{clean}" if is_formula(clean) else clean
