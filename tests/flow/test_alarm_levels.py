"""What no transition tells of, against a real database: silence, records that nobody gets to, drifted stock."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.alarms import levels, planned, subscriptions
from shared.alarms.arrivals import count_on
from shared.alarms.lookback import past_of, told
from shared.alarms.planned import Maintenance
from shared.alarms.round import Round, play
from shared.alarms.wanted import Alarm
from shared.db.connect import Connection, connect
from shared.db.migrate import migrate
from tests.support.stored import store_interface, store_record
from tests.support.waiting import until

pytestmark = [pytest.mark.servers]
ALARM = Alarm(name="Night", on=("error", "warning"), recipients=("a@example.org",), language="de")


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    migrate(database_url)
    with connect(database_url, "tests") as opened:
        store_interface(opened, "otto-de")
        opened.execute("UPDATE interfaces SET poll_seconds = 300, updated_at = '2020-01-01'")
        yield opened


def arrived(conn: Connection, weeks: int, *, lately: timedelta, event: str = "order-imported") -> None:
    """Twelve inputs an hour for so many weeks, day and night, up to so long ago."""
    conn.execute(
        "INSERT INTO arrivals(event, interface, inputs, received_at)"
        " SELECT %s, 'otto-de', 2, at FROM generate_series(now() - make_interval(weeks => %s) - interval '2 hours',"
        "   now() - %s::interval, interval '10 minutes') at",
        (event, weeks, lately),
    )


def one_minute_on(conn: Connection) -> Round:
    """The next round that looks for levels; the past is counted before, which a round does a stretch at a time."""

    def counted() -> bool:
        with conn.transaction():
            now = conn.execute("SELECT clock_timestamp()").fetchone()
            assert now is not None
            return bool(count_on(conn, now[0]) >= now[0] - timedelta(minutes=1))

    until(counted, "the past is counted")
    conn.execute("UPDATE alarm_watch SET leveled = 'epoch', compared = 'epoch'")
    done = play(conn)
    assert done is not None
    return done


def incident(conn: Connection, code: str) -> tuple[Any, ...] | None:
    return conn.execute(
        "SELECT flow, severity, ended IS NULL, problem -> 'values' FROM incidents WHERE code = %s", (code,)
    ).fetchone()


def test_a_silence_is_told_with_what_is_usual_and_is_over_when_something_arrives(conn: Connection) -> None:
    subscriptions.add(conn, ALARM, "anna", "Europe/Berlin", verified=True)
    arrived(conn, 5, lately=timedelta(minutes=55))
    now = datetime.now(UTC)
    days = {now.date() + timedelta(days=n): "Betriebsferien" for n in (-1, 0, 1)}
    planned.add_free_days(conn, days)
    one_minute_on(conn)
    assert incident(conn, "orders-silent") is None, "on a free day nobody expects anything"
    planned.remove_free_days(conn, list(days))
    window = planned.plan(conn, Maintenance(starts=now - timedelta(hours=1), ends=now + timedelta(hours=1)), "anna")
    one_minute_on(conn)
    assert incident(conn, "orders-silent") is None, "nor while there is maintenance"
    conn.execute("DELETE FROM maintenance WHERE id = %s", (window,))
    conn.execute("UPDATE interfaces SET mode = 'paused'")
    one_minute_on(conn)
    assert incident(conn, "orders-silent") is None, "nor while it is paused"
    conn.execute("UPDATE interfaces SET mode = 'live'")
    one_minute_on(conn)
    found = incident(conn, "orders-silent")
    assert found is not None
    assert found[:3] == ("order-import", "error", True)
    assert found[3]["usual"] == "12–12"
    assert re.fullmatch(r"5\d min|1 h( \d min)?", found[3]["since"])
    assert conn.execute("SELECT what FROM alarm_decisions").fetchall() == [("opened",)]
    counted = conn.execute("SELECT sum(u.n) FROM alarm_arrivals, unnest(slots) AS u(n)").fetchone()
    assert counted == conn.execute("SELECT sum(inputs) FROM arrivals").fetchone(), "each is counted once"
    one_minute_on(conn)
    assert conn.execute("SELECT count(*) FROM alarm_facts").fetchone() == (1,), "it stands, and is not told each minute"
    row = conn.execute("SELECT seen FROM alarm_watch").fetchone()
    assert row is not None
    past = past_of(conn, row[0] - timedelta(days=1), row[0])
    assert [str(one.what) for one in told(conn, ALARM, "Europe/Berlin", past)] == ["opened"], "the look back sees it"
    conn.execute(
        "INSERT INTO arrivals(event, interface, inputs, received_at)"
        " VALUES ('order-imported', 'otto-de', 1, now() - interval '21 seconds')"
    )
    conn.execute("UPDATE alarm_watch SET counted_to = now() - interval '1 minute'")
    one_minute_on(conn)
    conn.execute("UPDATE alarm_watch SET standing = replace(standing::text, %s, %s)::jsonb", ("PT2M", "PT0S"))
    assert dict(one_minute_on(conn).decided) == {"resolved": 1}


def test_records_that_nobody_gets_to_and_drifted_stock(conn: Connection) -> None:
    now = datetime.now(UTC)
    old = now - timedelta(hours=3)
    store_record(conn, "1", due_at=old, updated_at=old)
    store_record(conn, "announced", due_at=now + timedelta(hours=3), updated_at=old)
    store_record(conn, "test", due_at=old, updated_at=old, test=True)
    article = store_record(conn, "ABC-1", flow="stock", state="done", updated_at=old)
    conn.execute(
        "INSERT INTO articles(record_id, interface, sku, sent, sent_at, shown, shown_at)"
        " VALUES (%s, 'otto-de', 'ABC-1', 5, %s, 7, %s)",
        (article, old, old + timedelta(hours=1)),
    )
    one_minute_on(conn)
    found = incident(conn, levels.TOO_OLD)
    assert found is not None
    assert found == ("order-import", "error", True, {"age": "3 h", "limit": "1 h"})
    assert incident(conn, levels.DRIFTED) == ("stock", "warning", True, {"count": "1"})
    levels.set_limit(conn, "order-import", 240)
    conn.execute("UPDATE articles SET shown = 5")
    one_minute_on(conn)
    standing = conn.execute("SELECT code, open FROM alarm_facts ORDER BY no DESC LIMIT 2").fetchall()
    assert sorted(standing) == [(levels.TOO_OLD, 0), (levels.DRIFTED, 0)]
