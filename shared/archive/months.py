"""Months of transitions: dropped once they are empty, and made again for what is restored."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date

import psycopg
from psycopg import sql

from shared.db.connect import Connection

_NAME = re.compile(r"transitions_(\d{4})_(\d{2})")
_WAIT = "500ms"
"""How long others may have to stand behind us for the lock on all of the history."""


def drop_empty(conn: Connection, before: date) -> list[str]:
    """Drop months that end before this day and have no row left; their names. Waits for no lock long.

    One that is in use just now stays until the next run.
    """
    dropped = []
    for name, end in _months(conn):
        if end > before or conn.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(sql.Identifier(name))).fetchone():
            continue
        try:
            with conn.transaction():
                conn.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(_WAIT)))
                # The parent first, as whoever adds a row does: the other way round both would wait for each other.
                conn.execute("LOCK TABLE ONLY transitions IN ACCESS EXCLUSIVE MODE")
                conn.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(name)))
                if conn.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(sql.Identifier(name))).fetchone() is None:
                    conn.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
                    dropped.append(name)
        except psycopg.errors.LockNotAvailable:
            continue
    return dropped


def over(conn: Connection, before: date) -> list[date]:
    """First days of the months that end before this day, the oldest first."""
    return [date(int(name[-7:-3]), int(name[-2:]), 1) for name, end in _months(conn) if end <= before]


def make(conn: Connection, wanted: Collection[date]) -> None:
    """Make months (their first days) that are missing. Raises LockNotAvailable where history is in use all the time."""
    there = {name for name, _ in _months(conn)}
    for first in sorted(wanted):
        name = f"transitions_{first:%Y_%m}"
        if name in there:
            continue
        with conn.transaction():
            conn.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(_WAIT)))
            conn.execute(
                sql.SQL("CREATE TABLE {} PARTITION OF transitions FOR VALUES FROM ({}) TO ({})").format(
                    sql.Identifier(name), *(sql.Literal(f"{day} 00:00:00+00") for day in (first, _next(first)))
                )
            )


def _months(conn: Connection) -> list[tuple[str, date]]:
    """Names and the first days after them."""
    rows = conn.execute(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = 'transitions'::regclass ORDER BY 1"
    ).fetchall()
    found = []
    for (name,) in rows:
        if parts := _NAME.fullmatch(name):
            found.append((name, _next(date(int(parts[1]), int(parts[2]), 1))))
    return found


def _next(first: date) -> date:
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)
