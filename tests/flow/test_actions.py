"""What people do to records: retry and import by number, conditional and with a trace."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.db.connect import Connection, connect
from shared.records.actions import request, retry
from shared.records.claim import Kind
from shared.records.receipt import read_receipt
from shared.records.settle import settle
from shared.records.states import State
from tests.support.spine import (
    SLUG,
    assert_sound,
    claims,
    codes,
    event,
    record,
    settlement,
    states,
    store_lane,
    take_in,
)

pytestmark = pytest.mark.servers


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        store_lane(opened)
        yield opened


@pytest.mark.parametrize("state", [State.DONE, State.WARNING, State.FAILED, State.SKIPPED, State.WAITING])
def test_a_retry_gives_the_turn_and_a_fresh_budget(conn: Connection, state: State) -> None:
    take_in(conn, event("A"))
    more = {"after": 3600.0} if state is State.WAITING else {}
    settle(conn, [settlement(claims(conn)[0], state, tries=7, trying=True, **more)])
    found = retry(conn, [record(conn, "A")["id"], 999], "erika")
    row = record(conn, "A")
    assert (row["state"], row["tries"], row["trying_since"], row["forced"]) == ("pending", 0, None, False)
    assert found.skipped == {999: "is not known"}
    assert conn.execute("SELECT actor FROM transitions ORDER BY seq DESC LIMIT 1").fetchone() == ("erika",)
    assert_sound(conn)


def test_clicked_twice_it_runs_once(conn: Connection) -> None:
    take_in(conn, event("A"), event("B"))
    held = claims(conn, 1)
    settle(conn, [settlement(held[0], State.FAILED)])
    ids = [record(conn, key)["id"] for key in "AB"]
    assert retry(conn, ids, "erika").done == ids[:1]
    assert retry(conn, ids, "erika").done == []
    assert codes(conn, "A").count("retried") == 1
    running = claims(conn)
    assert retry(conn, [one.id for one in running], "erika").done == []


@pytest.mark.parametrize("mode", ["test", "paused"])
def test_where_the_interface_does_not_run_a_person_can_make_a_record_run(conn: Connection, mode: str) -> None:
    conn.execute("UPDATE interfaces SET mode = %s", (mode,))
    take_in(conn, event("A"), event("B"))
    row = record(conn, "A")
    assert retry(conn, [row["id"]], "erika").done == [row["id"]]
    assert retry(conn, [row["id"]], "erika").done == [], "once is enough"
    assert [(one.key, one.test) for one in claims(conn, kind=Kind.FORCED)] == [("A", mode == "test")]
    assert codes(conn, "A")[2] == "retried"
    assert_sound(conn)


def test_a_receipt_answers_at_once_what_is_known_or_cannot_be_a_number(conn: Connection) -> None:
    take_in(conn, event("A"))
    numbers = ["A", "B", "B", " C ", "", "x" * 101, "with\0nul", "half\ud800"]
    found = read_receipt(conn, request(conn, "import", SLUG, numbers, "erika"))
    assert found is not None
    results = [(one["number"], one["result"]) for one in found["numbers"]]
    assert results == [
        ("A", "exists"),
        ("B", "queued"),
        ("C", "queued"),
        ("x" * 100, "malformed"),
        ("with\ufffdnul", "malformed"),
        ("half?", "malformed"),
    ]
    assert not found["complete"]
    assert states(conn) == {"A": "pending"}
