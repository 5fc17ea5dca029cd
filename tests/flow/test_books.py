"""The books: what came in on a day is somewhere, and where it is not, that is said."""

import uuid
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from shared.db.connect import Connection, connect
from shared.records.books import accounting
from tests.support.stored import NOW, store_record

pytestmark = pytest.mark.servers
DAY = date(2026, 11, 23)


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        yield opened


def arrived(conn: Connection, inputs: int, interface: str = "otto-de") -> None:
    conn.execute(
        "INSERT INTO arrivals(event, interface, inputs, received_at) VALUES ('order-imported', %s, %s, %s)",
        (interface, inputs, NOW),
    )


def event(conn: Connection, outcome: str) -> None:
    conn.execute(
        "INSERT INTO events(hash, source, id, event, interface, key, data_hash, outcome, received_at)"
        " VALUES (%s, '/t', 'x', 'order-imported', 'otto-de', '1', %s, %s, %s)",
        (uuid.uuid4(), uuid.uuid4(), outcome, NOW),
    )


def rejected(conn: Connection, interface: str) -> None:
    conn.execute(
        "INSERT INTO rejections(queue, origin, event, interface, body_hash, raw, problems, received_at)"
        " VALUES ('q', 'q', 'order-imported', %s, %s, '', %s, %s)",
        (interface, uuid.uuid4(), Jsonb([]), NOW),
    )


def only(found: dict[str, Any]) -> dict[str, Any]:
    (book,) = found["books"]
    return dict(book)


def test_both_equations_hold_with_every_term(conn: Connection) -> None:
    arrived(conn, 6)
    arrived(conn, 6)
    states = ["done", "warning", "failed", "waiting", "pending", "running", "skipped"]
    for n, state in enumerate(states):
        event(conn, "applied")
        store_record(conn, f"A{n}", state=state)
    for outcome in ("duplicate", "superseded", "no-target"):
        event(conn, outcome)
    conn.execute(
        "INSERT INTO duplicates(event, interface, received_at) VALUES ('order-imported', 'otto-de', %s)", (NOW,)
    )
    rejected(conn, "otto-de")
    found = accounting(conn, "otto-de", DAY)
    book = only(found)
    assert found["balanced"], book["remainders"]
    assert (book["inputs"], book["rejected"], book["duplicate"]) == (12, 1, 2)
    assert (book["superseded"], book["no_target"], book["applied"]) == (1, 1, 7)
    assert (book["done"], book["failed"], book["waiting"], book["in_flight"], book["skipped"]) == (2, 1, 1, 2, 1)


def test_records_of_a_test_are_counted_apart(conn: Connection) -> None:
    arrived(conn, 1)
    event(conn, "applied")
    store_record(conn, "A", state="done", test=True)
    book = only(accounting(conn, "otto-de", DAY))
    assert (book["done"], book["test"]["done"], book["balanced"]) == (0, 1, True)


def test_unreadable_input_has_a_book_of_its_own(conn: Connection) -> None:
    arrived(conn, 1, "?")
    rejected(conn, "?")
    book = only(accounting(conn, None, DAY))
    assert (book["interface"], book["rejected"], book["balanced"]) == ("?", 1, True)


def test_a_lost_input_is_named_with_the_side_that_has_more(conn: Connection) -> None:
    arrived(conn, 3)
    event(conn, "applied")
    store_record(conn, "A")
    store_record(conn, "B")
    found = accounting(conn, "otto-de", DAY)
    inputs, applied = only(found)["remainders"]
    assert not found["balanced"]
    assert (inputs["name"], inputs["difference"], inputs["more"]) == ("inputs", 2, "came in")
    assert (applied["name"], applied["difference"], applied["more"]) == ("applied", -1, "records hold one")


def test_a_day_begins_and_ends_at_midnight_utc(conn: Connection) -> None:
    arrived(conn, 1)
    event(conn, "applied")
    store_record(conn, "A")
    for other in (DAY - timedelta(days=1), DAY + timedelta(days=1)):
        assert only(accounting(conn, "otto-de", other))["inputs"] == 0
    assert accounting(conn, None, DAY + timedelta(days=1)) == {
        "day": "2026-11-24",
        "interface": None,
        "balanced": True,
        "books": [],
    }
