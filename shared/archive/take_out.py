"""Takes out of the database what a verified part has: only rows that are exactly those of its files by now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from shared.archive import parts
from shared.archive.choose import lock_articles
from shared.archive.tables import TABLES, delete, of_records, read
from shared.archive.verify import Verified, verified
from shared.db.connect import Connection
from shared.privacy.orders import lock_orders, order_and_export


def take_out(
    conn: Connection,
    root: Path,
    part: parts.Part,
    failpoint: Callable[[str], None],
    done: Callable[[], None] = lambda: None,
) -> int:
    """Slice by slice; how many records. May be begun again after a kill: what went is noted with its going.

    done: called in the transaction that ends the part.
    An order that has changed since it was written, or is held by now, stays whole. Raises ArchiveError before anything
    is deleted where the files are not what was written.
    """
    gone = 0
    with verified(part.name.within(root), part.manifest) as files:
        for no in range(files.slices):
            gone += _slice(conn, part, files, no)
            failpoint("archive.slice-deleted")
    with conn.transaction():
        parts.finished(conn, part.no)
        done()
    return gone


def _slice(conn: Connection, part: parts.Part, files: Verified, no: int) -> int:
    with conn.transaction():
        ids = files.ids(no)
        known = set(parts.noted(conn, part.no, ids))
        left = [id_ for id_ in ids if id_ not in known]
        free = lock_articles(conn, left) if part.kind == "articles" else lock_orders(conn, left)[0]
        same = set(free)
        for table in TABLES:
            if not table.taken_out:
                continue
            columns = files.files[table.name].columns
            written = of_records(table, columns, files.files[table.name].slice(no))
            here = of_records(table, columns, read(conn, table, columns, free, part.until))
            same = {id_ for id_ in same if written.get(id_) == here.get(id_)}
        orders = set(order_and_export(conn, free)) if part.kind == "orders" else {(id_, "", str(id_)) for id_ in free}
        moved = {(interface, number) for id_, interface, number in orders if id_ not in same}
        going = sorted(id_ for id_, interface, number in orders if id_ in free and (interface, number) not in moved)
        for table in TABLES:
            if table.taken_out:
                delete(conn, table, going, part.until)
        parts.note(conn, part.no, going)
    return len(going)
