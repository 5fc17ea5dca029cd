"""Hints in the database: told once or a hundred times, looked at by one, never lost to who looked too early."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.db.connect import Connection, connect
from shared.records.hints import (
    Mark,
    claim_hints,
    due_hints,
    hinted_interfaces,
    put_back,
    remove_hints,
    store_hints,
    waiting_hints,
)
from tests.support.spine import SLUG, store_lane

pytestmark = pytest.mark.servers
ALL = ("order", "delivery", "article")


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        store_lane(opened)
        yield opened


def store(conn: Connection, *named: tuple[str, str], gather: float = 0.0) -> None:
    store_hints(conn, SLUG, named, gather)


def due_in(conn: Connection, id_: str) -> float:
    row = conn.execute("SELECT extract(epoch FROM due_at - now())::float8 FROM hints WHERE id = %s", (id_,)).fetchone()
    assert row is not None
    return float(row[0])


def test_a_hint_is_due_a_while_after_its_first_sight_however_often_it_is_seen(conn: Connection) -> None:
    for _ in range(100):
        store(conn, ("article", "7"), gather=100.0)
    assert conn.execute("SELECT count(*), max(no) FROM hints").fetchone() == (1, 100)
    assert claim_hints(conn, SLUG, ALL, 10) == []
    store(conn, ("article", "7"), gather=1000.0)
    assert due_in(conn, "7") < 101, "seen again does not postpone it"
    conn.execute("UPDATE hints SET due_at = now()")
    assert claim_hints(conn, SLUG, ALL, 10) == [Mark("article", "7", 101)]


def test_only_due_hints_of_the_kinds_asked_for_are_taken_and_only_once(conn: Connection) -> None:
    store(conn, ("order", "1"), ("delivery", "1"), ("article", "1"))
    assert [mark.kind for mark in claim_hints(conn, SLUG, ("order", "delivery"), 10)] == ["delivery", "order"]
    assert claim_hints(conn, SLUG, ("order", "delivery"), 10) == [], "somebody has them"
    assert [mark.kind for mark in claim_hints(conn, SLUG, ALL, 10)] == ["article"]
    conn.execute("UPDATE hints SET due_at = now()")
    assert len(claim_hints(conn, SLUG, ALL, 2)) == 2, "after the lease somebody else may"


def test_two_that_claim_at_once_never_get_the_same(conn: Connection, database_url: str) -> None:
    store(conn, *[("article", str(number)) for number in range(400)])
    ready = threading.Barrier(4)

    def take() -> list[Mark]:
        with connect(database_url, "taker") as own:
            ready.wait(10)
            found: list[Mark] = []
            while batch := claim_hints(own, SLUG, ALL, 7):
                found += batch
            return found

    with ThreadPoolExecutor(4) as threads:
        taken = [mark for marks in threads.map(lambda _: take(), range(4)) for mark in marks]
    assert len(taken) == len(set(taken)) == 400


def test_what_was_looked_at_is_gone_unless_it_was_seen_again_meanwhile(conn: Connection) -> None:
    store(conn, ("article", "1"), ("article", "2"))
    marks = claim_hints(conn, SLUG, ALL, 10)
    store(conn, ("article", "2"))
    remove_hints(conn, SLUG, marks, gather=0.0)
    assert conn.execute("SELECT id FROM hints").fetchall() == [("2",)]
    again = claim_hints(conn, SLUG, ALL, 10)
    assert again == [Mark("article", "2", 2)]
    remove_hints(conn, SLUG, again)
    assert waiting_hints(conn) == []


def test_one_who_comes_back_late_removes_nothing_that_he_did_not_see(conn: Connection) -> None:
    store(conn, ("order", "1"))
    late = claim_hints(conn, SLUG, ALL, 10)
    conn.execute("UPDATE hints SET due_at = now()")
    remove_hints(conn, SLUG, claim_hints(conn, SLUG, ALL, 10))
    store(conn, ("order", "1"))
    store(conn, ("order", "1"))
    remove_hints(conn, SLUG, late)
    assert waiting_hints(conn) == [(SLUG, "order", 1)]


def test_what_failed_comes_back_later_and_later_with_its_reason(conn: Connection) -> None:
    store(conn, ("order", "1"))
    waits = []
    for _ in range(12):
        conn.execute("UPDATE hints SET due_at = now()")
        put_back(conn, SLUG, claim_hints(conn, SLUG, ALL, 10), "remote-timeout")
        waits.append(round(due_in(conn, "1")))
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (5, 900)
    assert conn.execute("SELECT code, tries FROM hints").fetchone() == ("remote-timeout", 12)
    put_back(conn, SLUG, [Mark("order", "1", 1)], "remote-rate-limited", 2000.0)
    assert due_in(conn, "1") > 1990
    store(conn, ("order", "1"))
    assert due_in(conn, "1") > 1990, "told again, it still waits for the ERP"


def test_interfaces_that_are_not_live_or_whose_erp_is_spared_wait(conn: Connection) -> None:
    store(conn, ("article", "1"))
    assert hinted_interfaces(conn, ("order",)) == []
    assert hinted_interfaces(conn, ALL) == [SLUG]
    assert due_hints(conn, SLUG, ALL)
    assert not due_hints(conn, SLUG, ("order",))
    conn.execute("UPDATE side_states SET breaker = 'open' WHERE side = 'erp'")
    assert hinted_interfaces(conn, ALL) == []
    conn.execute("UPDATE side_states SET breaker = 'closed'")
    conn.execute("UPDATE interfaces SET mode = 'paused'")
    assert hinted_interfaces(conn, ALL) == []


def test_telling_and_removing_at_once_lock_in_one_order(conn: Connection, database_url: str) -> None:
    named = [("article", str(number)) for number in range(40)]
    store(conn, *named)

    def tell() -> None:
        with connect(database_url, "teller") as own:
            for _ in range(60):
                store_hints(own, SLUG, named[::-1], 0.0)

    def look() -> None:
        with connect(database_url, "looker") as own:
            for _ in range(60):
                marks = claim_hints(own, SLUG, ALL, 40)
                put_back(own, SLUG, marks[::-2], "remote-timeout")
                remove_hints(own, SLUG, marks[::-1], 0.0)

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(job) for job in (tell, look, tell, look)]:
            done.result(60)
