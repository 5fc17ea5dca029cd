"""A list as a file to keep: exactly what the filter matches, CSV as it is read, XLSX by way of a temporary file."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import chain
from typing import IO, Literal

from starlette.responses import Response, StreamingResponse

from services.journal.problem_json import ApiProblem, busy
from services.journal.wiring import Journal
from shared.db.connect import Connection
from shared.errors.entry import Language
from shared.records.filter import Filter
from shared.records.listing import stream
from shared.records.sheet import Sheet
from shared.records.sheet_csv import csv_lines
from shared.records.sheet_xlsx import SheetTooLong, write_xlsx

Form = Literal["csv", "xlsx"]
MEDIA = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
AT_MOST = 900.0
"""Seconds a reader may take for a CSV: as long it holds a connection to the database."""

CHUNK = 64 * 1024


def download(
    journal: Journal,
    sheet: Sheet,
    form: Form,
    scope: Callable[[Connection], Filter],
    *,
    sort: str,
    reveal: bool,
) -> Response:
    """The answer. Raises FilterError and ListingError before anything is sent; reveal False hides buyers' names."""
    language: Language = sheet.language or "en"
    pieces = (_csv if form == "csv" else _xlsx)(journal, sheet, scope, sort, reveal, language)
    first = next(pieces)  # what cannot be understood is said now, while there is a status to say it with
    name = sheet.name(form, datetime.now(UTC))
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(chain([first], pieces), media_type=MEDIA[form], headers=headers)


@contextmanager
def _turn(journal: Journal) -> Iterator[Connection]:
    if not journal.downloads.acquire(timeout=journal.patience):
        raise busy()
    try:
        with journal.database() as conn:
            yield conn
    finally:
        journal.downloads.release()


def _csv(
    journal: Journal,
    sheet: Sheet,
    scope: Callable[[Connection], Filter],
    sort: str,
    reveal: bool,
    language: Language,
) -> Iterator[bytes]:
    until = time.monotonic() + AT_MOST
    with _turn(journal) as conn:
        items = stream(conn, sheet.resource.flow, scope(conn), sort=sort, reveal=reveal, language=language)
        with closing(items):
            first = next(items, None)
            for piece in csv_lines(sheet, items if first is None else chain([first], items)):
                yield piece
                if time.monotonic() > until:
                    raise TimeoutError("the reader took too long")


def _xlsx(
    journal: Journal,
    sheet: Sheet,
    scope: Callable[[Connection], Filter],
    sort: str,
    reveal: bool,
    language: Language,
) -> Iterator[bytes]:
    with tempfile.TemporaryFile() as file:
        with _turn(journal) as conn:
            items = stream(conn, sheet.resource.flow, scope(conn), sort=sort, reveal=reveal, language=language)
            with closing(items):
                try:
                    write_xlsx(file, sheet, items)
                except SheetTooLong as error:
                    raise ApiProblem(413, "too-many", str(error)) from None
        yield from _read(file)


def _read(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(CHUNK):
        yield piece
