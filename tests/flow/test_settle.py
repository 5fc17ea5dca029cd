"""Settles: fenced, with history, harmless when repeated, and what was sent is never forgotten."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from shared.db.connect import Connection, connect
from shared.records.settle import mark_for_reading_back, settle
from shared.records.states import State
from tests.support.spine import (
    assert_sound,
    claims,
    codes,
    event,
    make_due,
    record,
    settlement,
    states,
    store_lane,
    take_in,
)
from tests.support.waiting import until

pytestmark = pytest.mark.servers
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1)


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        store_lane(opened)
        yield opened


def test_each_state_leaves_history_an_attempt_and_a_fitting_due(conn: Connection) -> None:
    ends = [State.DONE, State.WARNING, State.FAILED, State.SKIPPED, State.WAITING, State.PENDING]
    take_in(conn, *(event(str(end)) for end in ends))
    held = {one.key: one for one in claims(conn)}
    settle(conn, [settlement(held[str(end)], end) for end in ends])
    assert states(conn) == {str(end): str(end) for end in ends}
    assert conn.execute("SELECT count(*) FROM attempts").fetchone() == (len(ends),)
    assert_sound(conn)


def test_a_settle_whose_answer_was_lost_is_found_when_it_is_repeated(conn: Connection) -> None:
    take_in(conn, event("A"), event("B"))
    held = claims(conn)
    batch = [
        settlement(held[0], State.DONE, called=True, sent=True, remote="7"),
        settlement(held[1], State.FAILED, "sku:X", called=True),
    ]
    first = settle(conn, batch)
    again = settle(conn, batch)
    assert (again.states, again.refused) == (first.states, [])
    assert_sound(conn)


def test_a_connection_that_ends_in_the_middle_of_a_settle_leaves_nothing_half(
    conn: Connection, database_url: str
) -> None:
    take_in(conn, *(event(f"N{n}") for n in range(6)))
    batch = [settlement(one, State.FAILED, f"sku:{one.key}", called=True) for one in claims(conn)]
    with connect(database_url, "doomed") as doomed, conn.transaction():
        conn.execute("SELECT FROM records WHERE key = 'N5' FOR UPDATE")  # the settle waits for this one
        failed: list[BaseException] = []

        def settling() -> None:
            try:
                settle(doomed, batch)
            except psycopg.OperationalError as error:
                failed.append(error)

        thread = threading.Thread(target=settling)
        thread.start()
        until(
            lambda: conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'doomed'"
                " AND datname = current_database() AND wait_event_type = 'Lock'"
            ).fetchone(),
            "the settle waits",
        )
        thread.join(10)
    assert failed
    assert set(states(conn).values()) == {"running"}
    assert conn.execute("SELECT count(*) FROM blocks").fetchone() == (0,)
    assert settle(conn, batch).refused == []
    assert set(states(conn).values()) == {"failed"}
    assert_sound(conn)


def test_what_may_have_arrived_is_remembered_with_its_copy(conn: Connection) -> None:
    take_in(conn, event("A", time=NOON))
    (held,) = claims(conn)
    settle(conn, [settlement(held, State.WAITING, called=True)])
    take_in(conn, event("A", time=LATER, total="1.00"))
    (again,) = claims(conn)
    assert (again.payload_no, again.sent_no, again.remote, again.sent_body) == (2, 1, None, held.body)


def test_after_a_call_the_newer_copy_waits_as_long_as_was_said(conn: Connection) -> None:
    take_in(conn, event("A", time=NOON))
    (held,) = claims(conn)
    take_in(conn, event("A", time=LATER, total="1.00"))
    settle(conn, [settlement(held, State.WAITING, called=True, after=10.0)])
    row = record(conn, "A")
    assert (row["state"], 9.0 < row["due"] <= 10.0) == ("pending", True)


def test_a_forced_record_that_has_to_run_again_stays_forced(conn: Connection) -> None:
    take_in(conn, event("A", time=NOON), event("B", time=NOON))
    conn.execute("UPDATE records SET forced = true")
    held = claims(conn)
    take_in(conn, event("A", time=LATER, total="1.00"))
    settle(conn, [settlement(one, State.DONE, sent=True) for one in held])
    assert (record(conn, "A")["forced"], record(conn, "B")["forced"]) == (True, False)


# -- a call was made by a worker that no longer held the record ----------------------------------------------------


@pytest.mark.parametrize("state", [State.DONE, State.WARNING, State.FAILED, State.SKIPPED, State.WAITING])
def test_a_record_at_rest_is_read_back_after_the_lag(conn: Connection, state: State) -> None:
    take_in(conn, event("A"))
    (first,) = claims(conn)
    make_due(conn, "A")
    (second,) = claims(conn)
    settle(conn, [settlement(second, state)])
    late = [settlement(first, State.DONE, called=True, sent=True)]
    assert settle(conn, late).refused == late
    assert mark_for_reading_back(conn, late, 5.0) == 1
    row = record(conn, "A")
    assert (row["state"], row["intended"], 4.0 < row["due"] <= 5.0) == ("pending", True, True)
    assert codes(conn, "A")[-1] == "read-back"
    make_due(conn, "A")
    (third,) = claims(conn)
    assert third.called_seconds is not None, "the call counts, whoever made it"
    assert_sound(conn)


def test_a_record_in_other_hands_is_read_back_whatever_they_say(conn: Connection) -> None:
    take_in(conn, event("A"))
    (first,) = claims(conn)
    make_due(conn, "A")
    (second,) = claims(conn)
    mark_for_reading_back(conn, [settlement(first, State.DONE, called=True, sent=True)], 5.0)
    assert record(conn, "A")["state"] == "running"
    settle(conn, [settlement(second, State.DONE, called=True, sent=True)])
    row = record(conn, "A")
    assert (row["state"], row["recheck"], row["intended"]) == ("pending", False, True)
    (third,) = claims(conn)
    assert third.called_seconds is not None
    settle(conn, [settlement(third, State.DONE)])
    assert states(conn) == {"A": "done"}
    assert_sound(conn)


def test_reading_back_is_asked_for_once_however_often_it_is_reported(conn: Connection) -> None:
    take_in(conn, event("A"), event("B"))
    held = claims(conn)
    make_due(conn, "A", "B")
    settle(conn, [settlement(one, State.DONE) for one in claims(conn)])
    late = [settlement(one, State.DONE, called=True) for one in held]
    mark_for_reading_back(conn, late, 0.0)
    mark_for_reading_back(conn, late, 0.0)
    settle(conn, [settlement(one, State.DONE) for one in claims(conn)])
    assert set(states(conn).values()) == {"done"}
    assert_sound(conn)


def test_what_a_remote_system_says_is_storable_whatever_it_says(conn: Connection) -> None:
    take_in(conn, event("4711"))
    (held,) = claims(conn)
    said = settlement(held, State.DONE, remote="ERP-\0-\ud800", detail={"remote": "a\0b", "call_seconds": 0.1})
    assert settle(conn, [said]).states == {held.id: State.DONE}
    assert record(conn, "4711")["remote"] == "ERP-\ufffd-?"
