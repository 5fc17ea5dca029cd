"""The breaker: one opens it, one looks, and when it closes everything that had been tried goes on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.db.connect import Connection, connect
from shared.records.interfaces import summaries
from shared.records.settle import settle
from shared.records.states import State
from shared.runtime.breaker import Looks, close_breaker, keep_open, open_breaker, take_look
from tests.support.spine import SLUG, assert_sound, claims, event, settlement, states, store_lane, take_in

pytestmark = pytest.mark.servers
LOOKS = Looks()


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        store_lane(opened)
        yield opened


def look_now(conn: Connection) -> None:
    conn.execute("UPDATE side_states SET retry_at = now() WHERE side = 'erp'")


def breaker(conn: Connection) -> str:
    (summary,) = summaries(conn)
    return summary.breakers["erp"]


def test_of_many_that_open_it_one_does(conn: Connection, database_url: str) -> None:
    def opening(_: int) -> bool:
        with connect(database_url, "tests") as own:
            return open_breaker(own, SLUG, "erp", "remote-timeout", LOOKS)

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(opening, range(4))) == 1
    assert breaker(conn) == "open"
    assert not open_breaker(conn, SLUG, "erp", "remote-timeout", LOOKS)


def test_one_looks_and_who_dies_over_it_is_followed_by_another(conn: Connection, database_url: str) -> None:
    open_breaker(conn, SLUG, "erp", "remote-timeout", LOOKS)
    assert not take_look(conn, SLUG, "erp"), "not at once"
    look_now(conn)

    def looking(_: int) -> bool:
        with connect(database_url, "tests") as own:
            return take_look(own, SLUG, "erp")

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(looking, range(4))) == 1
    assert breaker(conn) == "half-open"
    look_now(conn)
    assert take_look(conn, SLUG, "erp")


def test_looks_become_rarer_but_never_rarer_than_once_a_minute(conn: Connection) -> None:
    open_breaker(conn, SLUG, "erp", "remote-timeout", LOOKS)
    waits = []
    for _ in range(14):
        look_now(conn)
        assert take_look(conn, SLUG, "erp")
        keep_open(conn, SLUG, "erp", "remote-timeout", LOOKS)
        row = conn.execute(
            "SELECT extract(epoch FROM retry_at - now())::float8 FROM side_states WHERE side = 'erp'"
        ).fetchone()
        assert row is not None
        waits.append(round(row[0]))
    assert waits == sorted(waits)
    assert waits[-1] == LOOKS.last


def test_closing_sets_due_what_had_been_tried(conn: Connection) -> None:
    take_in(conn, *(event(f"N{n}") for n in range(3)))
    settle(
        conn,
        [settlement(one, State.WAITING, f"erp:{SLUG}", after=3600.0, tries=4, trying=True) for one in claims(conn)],
    )
    open_breaker(conn, SLUG, "erp", "remote-timeout", LOOKS)
    take_in(conn, event("untried"))
    assert close_breaker(conn, SLUG, "erp") == 3
    assert close_breaker(conn, SLUG, "erp") == 0
    assert set(states(conn).values()) == {"pending"}
    assert breaker(conn) == "closed"
    assert_sound(conn)
