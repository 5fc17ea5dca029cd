"""One process at a time does a thing for an interface: a lock of the database, let go when its connection ends."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from shared.db.connect import Connection


@contextmanager
def alone(conn: Connection, what: int, slug: str) -> Iterator[bool]:
    """Whether nobody else does it now; held while inside. what: a number of the thing's own."""
    lock = (what, zlib.crc32(slug.encode()) - 2**31)
    if conn.execute("SELECT pg_try_advisory_lock(%s, %s)", lock).fetchone() != (True,):
        yield False
        return
    try:
        yield True
    finally:
        if not conn.closed:
            conn.execute("SELECT pg_advisory_unlock(%s, %s)", lock)
