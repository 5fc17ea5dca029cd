"""Orders that were over long ago: made today, and moved back in time with all that happened to them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.archive import months
from shared.db.connect import Connection
from shared.privacy.retention import Keep, retain
from shared.records.indexer import Indexer
from shared.records.settle import settle
from shared.records.states import State
from tests.support.spine import claims, event, nothing, settlement, take_in

DAYS = 800
GOES = ("transitions", "attempts", "payloads")
PERSON: dict[str, Any] = {
    "customer": {"email": "erika.canary@example.org", "first_name": "Erika", "last_name": "Canary"}
}


def rest(conn: Connection, state: State = State.DONE) -> None:
    settle(conn, [settlement(one, state, remote="77", detail={"remote": "77", "n": 1}) for one in claims(conn)])
    Indexer().batch(conn, nothing)


def orders(conn: Connection, *numbers: str) -> dict[str, bytes]:
    """Imported, changed once more, and over."""
    came = {number: event(number, **PERSON) for number in numbers}
    take_in(conn, *came.values())
    take_in(conn, *(event(number, version=2, total="45.00", **PERSON) for number in numbers))
    rest(conn)
    return came


def grow_old(conn: Connection, days: int = DAYS) -> None:
    """Everything so far happened so many days earlier, and buyers go by their age."""
    then = datetime.now(UTC) - timedelta(days=days)
    months.make(conn, {then.date().replace(day=1), (then - timedelta(days=3)).date().replace(day=1)})
    late = conn.execute("SELECT id FROM records WHERE received_at > now() - interval '1 day'").fetchall()
    ids = [row[0] for row in late]
    for table, columns, owner in (
        ("records", ("received_at", "updated_at", "input_at"), "id"), ("payloads", ("received_at",), "record_id"),
        ("transitions", ("at",), "record_id"), ("attempts", ("started_at", "ended_at"), "record_id"),
        ("events", ("received_at",), "record_id"),
    ):  # fmt: skip
        moved = ", ".join(f"{column} = {column} - make_interval(days => %(days)s)" for column in columns)
        conn.execute(f"UPDATE {table} SET {moved} WHERE {owner} = ANY(%(ids)s)".encode(), {"days": days, "ids": ids})
    conn.execute("UPDATE arrivals SET received_at = received_at - make_interval(days => %s)", (days,))
    while retain(conn, Keep(730, 0, 0), nothing):
        pass


def rows(conn: Connection, *tables: str) -> dict[str, list[str]]:
    """All rows of these tables, as text."""
    return {
        table: sorted(row[0] for row in conn.execute(f"SELECT t::text FROM {table} t".encode()).fetchall())
        for table in tables or (*GOES, "records", "parts", "shipments", "events")
    }
