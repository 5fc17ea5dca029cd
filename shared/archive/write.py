"""Writes parts: slices of orders, each locked, freed of its person and read in one transaction. Deletes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from shared.archive import folder, parts
from shared.archive.choose import Found, candidates, ready, whole_orders
from shared.archive.parquet import TYPES, Writer
from shared.archive.tables import TABLES, Column, columns_of, read
from shared.db.connect import Connection
from shared.db.migrate import files
from shared.privacy.orders import erase_orders, lock_orders
from shared.version import VERSION

SLICE = 200
"""Orders that are locked at once, for as long as it takes to read them."""


@dataclass(slots=True)
class _Open:
    """A part that is being written."""

    part: parts.Part
    columns: dict[str, list[Column]]
    writers: dict[str, Writer]
    slices: int = 0
    records: set[int] = field(default_factory=set)


def abandon_unfinished(conn: Connection, root: Path) -> int:
    """Remove parts that a run which was killed left half written: of them nothing was deleted. How many."""
    left = parts.parts(conn, "writing")
    for one in left:
        folder.abandon(root, one.name)
        parts.forget(conn, one.no)
    return len(left)


def count(conn: Connection, cutoff: datetime) -> dict[str, int]:
    """By month, how many records would go; as far as it can be told without their locks."""
    found: dict[str, int] = {}
    for one in candidates(conn, cutoff):
        found[f"{one.month:%Y-%m}"] = found.get(f"{one.month:%Y-%m}", 0) + 1
    return found


def write_part(
    conn: Connection, root: Path, cutoff: datetime, most: int, after: int, failpoint: Callable[[str], None]
) -> tuple[parts.Part | None, int]:
    """The next part: at most about `most` records of one month, from those whose id is above `after`.

    The part, which is `written`, or None where nothing may go (any more); and where to go on. An order that somebody
    else holds just now is left for another run.
    """
    left = candidates(conn, cutoff, after)
    first = next(left, None)
    if first is None:
        return None, after
    columns = {table.name: columns_of(conn, table) for table in TABLES}
    unknown = {c.type for table in columns.values() for c in table} - TYPES.keys()
    if unknown:
        raise folder.ArchiveError(f"Types of columns that the archive cannot write: {', '.join(sorted(unknown))}.")
    last = first.id
    with ExitStack() as stack:
        opened = _open(conn, root, first, columns, stack)
        for ids in _slices(first, left, most):
            last = ids[-1]
            _write_slice(conn, opened, ids, cutoff)
            failpoint("archive.slice-written")
            if len(opened.records) >= most:
                break
    if not opened.records:
        folder.abandon(root, opened.part.name)
        parts.forget(conn, opened.part.no)
        return None, last
    return _finish(conn, root, opened, failpoint), last


def _slices(first: Found, left: Iterator[Found], most: int) -> Iterator[list[int]]:
    """Ids of one month. It ends where another month begins, which is then the next part's."""
    ids = [first.id]
    for one in left:
        if one.month != first.month:
            break
        if len(ids) == min(SLICE, most):
            yield ids
            ids = []
        ids.append(one.id)
    yield ids


def _open(conn: Connection, root: Path, first: Found, columns: dict[str, list[Column]], stack: ExitStack) -> _Open:
    part = parts.new(conn, first.month)
    at = folder.begin(root, part.name)
    writers = {
        table.name: stack.enter_context(Writer(at / f"{table.name}.parquet", columns[table.name])) for table in TABLES
    }
    return _Open(part, columns, writers)


def _write_slice(conn: Connection, opened: _Open, ids: list[int], cutoff: datetime) -> None:
    with conn.transaction():
        free, _, _ = lock_orders(conn, whole_orders(conn, ids))
        going = [id_ for id_ in ready(conn, free, cutoff) if id_ not in opened.records]
        if not going:
            return
        # What was added since their person was erased, e.g. why somebody ignored an order, may name them again.
        erase_orders(conn, going)
        for table in TABLES:
            opened.writers[table.name].write(read(conn, table, opened.columns[table.name], going))
    opened.slices += 1
    opened.records.update(going)


def _finish(conn: Connection, root: Path, opened: _Open, failpoint: Callable[[str], None]) -> parts.Part:
    part, rows = opened.part, sum(writer.rows for writer in opened.writers.values())
    said: dict[str, Any] = {
        "format": folder.FORMAT, "part": part.no, "id": part.id, "month": f"{part.month:%Y-%m}",
        "made_at": part.begun_at, "release": VERSION, "schema": files()[-1].number, "records": len(opened.records),
        "slices": opened.slices,
        "files": [
            {"file": f"{name}.parquet", "table": name, "rows": writer.rows}
            for name, writer in opened.writers.items()
        ],
    }  # fmt: skip
    at = part.name.unfinished(root)
    sha256 = folder.write_manifest(at, said)
    failpoint("archive.before-rename")
    folder.finish(root, part.name)
    failpoint("archive.renamed")
    parts.written(conn, part.no, len(opened.records), rows, sum(file["bytes"] for file in said["files"]), sha256)
    failpoint("archive.part-written")
    found = parts.part(conn, part.no)
    assert found is not None
    return found
