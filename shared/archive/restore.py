"""Brings back what a part took out: the same rows, in slices, each with its note in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date, datetime
from pathlib import Path

from shared.archive import months, parts
from shared.archive.tables import TABLES, Row, insert, of_records
from shared.archive.verify import Verified, verified
from shared.db.connect import Connection


def restore(
    conn: Connection,
    root: Path,
    part: parts.Part,
    failpoint: Callable[[str], None],
    only: Collection[int] | None = None,
    done: Callable[[int], None] = lambda _: None,
) -> int:
    """Put the rows of all its records, or of these, back; how many records. What is back already is not touched.

    done: called in the transaction that brings so many back.

    The files stay: taken out again, the records go into a new part. Raises ArchiveError where the files are damaged.
    """
    back = 0
    with verified(part.name.within(root), part.manifest) as files:
        for no in range(files.slices):
            ids = [id_ for id_ in files.ids(no) if only is None or id_ in only]
            if parts.noted(conn, part.no, ids):
                with conn.transaction():
                    brought = _slice(conn, part.no, files, no, ids)
                    done(brought)
                back += brought
                failpoint("archive.slice-restored")
    return back


def _slice(conn: Connection, part: int, files: Verified, no: int, ids: list[int]) -> int:
    rows: dict[str, dict[int, list[Row]]] = {}
    for table in TABLES:
        if table.taken_out:
            reader = files.files[table.name]
            rows[table.name] = of_records(table, reader.columns, reader.slice(no))
    months.make(conn, _months(files, [row for id_ in ids for row in rows["transitions"].get(id_, ())]))
    wanted = sorted(parts.taken_back(conn, part, ids))
    for table in TABLES:
        if table.taken_out:
            put = [row for id_ in wanted for row in rows[table.name].get(id_, ())]
            insert(conn, table, files.files[table.name].columns, put, all_=table.name != "payloads")
    return len(wanted)


def _months(files: Verified, rows: list[Row]) -> set[date]:
    at = [column.name for column in files.files["transitions"].columns].index("at")
    found: set[date] = set()
    for row in rows:
        moment = row[at]
        assert isinstance(moment, datetime)
        found.add(moment.date().replace(day=1))
    return found
