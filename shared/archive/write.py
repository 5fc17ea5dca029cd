"""Writes parts: slices of records, each locked, freed of its person and read in one transaction. Deletes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from shared.archive import folder, parts
from shared.archive.choose import Found, articles, candidates, lock_articles, ready, whole_orders
from shared.archive.parquet import TYPES, Writer
from shared.archive.tables import TABLES, Column, columns_of, read
from shared.db.connect import Connection
from shared.db.migrate import files
from shared.privacy.orders import erase_orders, lock_orders
from shared.version import VERSION

SLICE: Mapping[parts.Kind, int] = {"orders": 200, "articles": 20}
"""Records that are locked at once, for as long as it takes to read them; an article may have thousands of rows."""


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
    """By month, how many records of orders would go; as far as it can be told without their locks."""
    found: dict[str, int] = {}
    for one in candidates(conn, cutoff):
        found[f"{one.month:%Y-%m}"] = found.get(f"{one.month:%Y-%m}", 0) + 1
    return found


def count_articles(conn: Connection, wanted: Sequence[date]) -> int:
    """Of how many articles something would go with these months (their first days)."""
    return sum(1 for _ in articles(conn, wanted[-1], parts.month_after(wanted[-1]))) if wanted else 0


def write_part(
    conn: Connection,
    root: Path,
    cutoff: datetime,
    most: int,
    after: int,
    failpoint: Callable[[str], None],
    month: date | None = None,
) -> tuple[parts.Part | None, int]:
    """The next part: at most about `most` records of one month, from those whose id is above `after`. month: what
    happened to articles in it and before, in place of orders.

    The part, which is `written`, or None where nothing may go (any more); and where to go on. An order that somebody
    else holds just now is left for another run.
    """
    kind: parts.Kind = "orders" if month is None else "articles"
    left = candidates(conn, cutoff, after) if month is None else articles(conn, month, parts.month_after(month), after)
    first = next(left, None)
    if first is None:
        return None, after
    columns = {table.name: columns_of(conn, table) for table in TABLES}
    unknown = {c.type for table in columns.values() for c in table} - TYPES.keys()
    if unknown:
        raise folder.ArchiveError(f"Types of columns that the archive cannot write: {', '.join(sorted(unknown))}.")
    last = first.id
    with ExitStack() as stack:
        opened = _open(conn, root, kind, first, columns, stack)
        for ids in _slices(first, left, min(SLICE[kind], most)):
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


def _slices(first: Found, left: Iterator[Found], many: int) -> Iterator[list[int]]:
    """Ids of one month. It ends where another month begins, which is then the next part's."""
    ids = [first.id]
    for one in left:
        if one.month != first.month:
            break
        if len(ids) == many:
            yield ids
            ids = []
        ids.append(one.id)
    yield ids


def _open(
    conn: Connection, root: Path, kind: parts.Kind, first: Found, columns: dict[str, list[Column]], stack: ExitStack
) -> _Open:
    part = parts.new(conn, kind, first.month)
    at = folder.begin(root, part.name)
    writers = {
        table.name: stack.enter_context(Writer(at / f"{table.name}.parquet", columns[table.name])) for table in TABLES
    }
    return _Open(part, columns, writers)


def _write_slice(conn: Connection, opened: _Open, ids: list[int], cutoff: datetime) -> None:
    with conn.transaction():
        going = [id_ for id_ in _held(conn, opened.part, ids, cutoff) if id_ not in opened.records]
        if not going:
            return
        for table in TABLES:
            rows = read(conn, table, opened.columns[table.name], going, opened.part.until)
            opened.writers[table.name].write(rows)
    opened.slices += 1
    opened.records.update(going)


def _held(conn: Connection, part: parts.Part, ids: list[int], cutoff: datetime) -> list[int]:
    """Lock them; those that may go. Orders lose their person once more: what was added since they did, e.g. why
    somebody ignored an order, may name them again."""
    if part.kind == "articles":
        return lock_articles(conn, ids)
    free, _, _ = lock_orders(conn, whole_orders(conn, ids))
    going = ready(conn, free, cutoff)
    if going:
        erase_orders(conn, going)
    return going


def _finish(conn: Connection, root: Path, opened: _Open, failpoint: Callable[[str], None]) -> parts.Part:
    part, rows = opened.part, sum(writer.rows for writer in opened.writers.values())
    said: dict[str, Any] = {
        "format": folder.FORMAT, "part": part.no, "id": part.id, "kind": part.kind, "month": f"{part.month:%Y-%m}",
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
