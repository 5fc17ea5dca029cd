"""A list as XLSX: dates are dates, amounts are numbers, and whatever came from outside is text and nothing else.

Written row by row into files of the temporary folder, so it needs no memory; there is a deadline.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import IO, Any

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from shared.records.sheet import Cell, Sheet, is_formula

ROWS = 1_048_575  # that a sheet holds below its heads
LONGEST = 32_767  # characters that a cell holds
AT_MOST = 300.0  # seconds
WIDTHS = {"text": 20, "time": 19, "amount": 12, "count": 10, "state": 16}
OPTIONS = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}


class SheetTooLong(RuntimeError):
    """It takes longer than AT_MOST seconds: narrow the filter, or take CSV, which has no limit."""

    def __init__(self) -> None:
        super().__init__("This list is too long for a workbook: narrow the filter, or take CSV.")


class _Book:
    def __init__(self, file: IO[bytes], sheet: Sheet) -> None:
        self.book = Workbook(file, OPTIONS)
        self.sheet = sheet
        self.head = self.book.add_format({"bold": True})
        self.time = self.book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self.amount = self.book.add_format({"num_format": "#,##0.00"})
        self.quoted = self.book.add_format({"quote_prefix": True})  # stays text also where somebody edits it

    def page(self) -> Worksheet:
        """A sheet with its heads, which stay in sight."""
        page = self.book.add_worksheet()
        page.freeze_panes(1, 0)
        for at, (column, head) in enumerate(zip(self.sheet.columns, self.sheet.heads, strict=True)):
            page.set_column(at, at, WIDTHS[column.kind])
            page.write_string(0, at, head, self.head)
        return page

    def write(self, page: Worksheet, row: int, at: int, cell: Cell) -> None:
        """One cell."""
        if isinstance(cell, datetime):
            page.write_datetime(row, at, cell.replace(tzinfo=None, microsecond=0), self.time)
        elif isinstance(cell, Decimal):
            page.write_number(row, at, float(cell), self.amount)
        elif isinstance(cell, int):
            page.write_number(row, at, cell)
        elif cell is not None:
            text = cell if len(cell) <= LONGEST else cell[: LONGEST - 1] + "…"
            form: Format | None = self.quoted if is_formula(text) else None
            page.write_string(row, at, text, form)


def write_xlsx(file: IO[bytes], sheet: Sheet, items: Iterable[Mapping[str, Any]], at_most: float = AT_MOST) -> int:
    """Write the workbook; returns how many rows it has. Raises SheetTooLong."""
    until = time.monotonic() + at_most
    book = _Book(file, sheet)
    page, row, written = book.page(), 0, 0
    for item in items:
        if row == ROWS:
            page, row = book.page(), 0
        row, written = row + 1, written + 1
        for at, cell in enumerate(sheet.row(item)):
            book.write(page, row, at, cell)
        if time.monotonic() > until:
            raise SheetTooLong
    book.book.close()
    return written
