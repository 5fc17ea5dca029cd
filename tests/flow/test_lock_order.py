"""Whoever writes several records takes them in one order, so that no two wait for each other in a ring.

Somebody holds the record in the middle. What the writer that waits for it has taken by then are those before it.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from shared.db.connect import Connection, connect
from shared.records.actions import retry
from shared.records.claim import Claim, release, renew
from shared.records.ignoring import ignore, unignore
from shared.records.settle import settle
from shared.records.states import State
from tests.flow.test_receive_back import arrive, changed
from tests.support.spine import SLUG, assert_sound, claims, event, settlement, store_lane, take_in
from tests.support.waiting import until

pytestmark = pytest.mark.servers
KEYS = string.ascii_uppercase
MIDDLE = "M"
Write = Callable[[Connection, list[Claim]], object]

FREE = "SELECT key FROM records WHERE interface = 'otto-de' AND flow = 'order-import' FOR UPDATE SKIP LOCKED"
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype IN ('transactionid', 'tuple')"


OTHERS = 1000
"""Records of another interface: of a table of a few pages PostgreSQL reads all, in whatever order they lie."""


def mixed(keys: str = KEYS) -> list[str]:
    return random.Random(4711).sample(keys, len(keys))


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests", plan_once=True) as opened:
        store_lane(opened)
        store_lane(opened, "other")
        for part in range(0, OTHERS, 100):
            take_in(opened, *(event(f"{n}", interface="other") for n in range(part, part + 100)))
        opened.execute("ANALYZE")
        yield opened


HELD: dict[str, Write] = {
    "settle": lambda conn, held: settle(conn, [settlement(one, State.DONE) for one in held]),
    "settle-for-keys": lambda conn, held: settle(conn, [settlement(one, State.WAITING, "sku:X") for one in held]),
    "renew": lambda conn, held: renew(conn, [(one, 50.0) for one in held]),
    "release": release,
    "newer copies": lambda conn, _: take_in(conn, *(event(key, version=2) for key in mixed())),
}
SETTLED: dict[str, Write] = {
    "retry": lambda conn, held: retry(conn, [one.id for one in held], "erika"),
    "ignore": lambda conn, held: ignore(conn, [one.id for one in held], "erika", "no"),
    "no longer ignore": lambda conn, held: unignore(conn, [one.id for one in held], "erika"),
}


@pytest.mark.parametrize("verb", [*HELD, *SETTLED])
def test_records_are_taken_in_the_order_of_their_keys(conn: Connection, database_url: str, verb: str) -> None:
    take_in(conn, *(event(key, version=1) for key in mixed()[:13]))
    take_in(conn, *(event(key, version=1) for key in mixed()[13:]))
    held = sorted(claims(conn), key=lambda one: mixed().index(one.key))
    assert len(held) == len(KEYS)
    if verb in SETTLED:
        settle(conn, [settlement(one, State.FAILED) for one in held])
    if verb == "no longer ignore":
        ignore(conn, [one.id for one in held], "erika", "no")
    assert taken_while_one_is_held(conn, database_url, lambda own: (HELD | SETTLED)[verb](own, held)) == set(
        "ABCDEFGHIJKL"
    )
    assert_sound(conn)


def taken_while_one_is_held(conn: Connection, url: str, write: Callable[[Connection], object]) -> set[str]:
    """The keys before and after MIDDLE that are held while the writer waits for it."""
    with connect(url, "tests", plan_once=True) as own, connect(url, "tests") as third, ThreadPoolExecutor(1) as threads:
        with conn.transaction():
            conn.execute(
                "SELECT FROM records WHERE interface = 'otto-de' AND flow = 'order-import' AND key = %s FOR UPDATE",
                (MIDDLE,),
            )
            writing = threads.submit(write, own)
            until(lambda: third.execute(WAITING).fetchone() == (1,), "it waits for the one in the middle", 10)
            free = {key for (key,) in third.execute(FREE)}
        writing.result(20)
    return set(KEYS) - free - {MIDDLE}


def test_new_records_are_made_in_the_order_of_their_keys(conn: Connection, database_url: str) -> None:
    """The database may look up in any order which events it knows already."""
    with connect(database_url, "tests", plan_once=True) as own, connect(database_url, "tests") as third:
        third.execute("SET lock_timeout = '300ms'")
        with ThreadPoolExecutor(1) as threads:
            with conn.transaction():
                take_in(conn, event(MIDDLE))
                making = threads.submit(take_in, own, *(event(key) for key in mixed()))
                until(lambda: third.execute(WAITING).fetchone() == (1,), "it waits for the one in the middle", 10)
                for key in "NQTWZ":
                    take_in(third, event(key))
                for key in "ADGJL":
                    with pytest.raises(psycopg.errors.LockNotAvailable):
                        take_in(third, event(key))
            making.result(20)
    row = conn.execute(
        "SELECT count(*) FROM records WHERE interface = %s AND flow = 'order-import' AND key = ANY(%s)", (SLUG, [*KEYS])
    ).fetchone()
    assert row == (len(KEYS),)
    assert_sound(conn)


def test_records_that_are_there_are_free_while_others_are_made(conn: Connection, database_url: str) -> None:
    """Changes of orders that have come, and of some that have not: a neighbour makes the record of one of these."""
    arrive(conn, *(changed(key) for key in "ABC"))
    with connect(database_url, "tests", plan_once=True) as own, ThreadPoolExecutor(1) as threads:
        with connect(database_url, "tests") as third, conn.transaction():
            arrive(conn, changed("X"))
            making = threads.submit(arrive, own, *(changed(key, "completed", 1.0) for key in "ABCXYZ"))
            until(lambda: third.execute(WAITING).fetchone() == (1,), "it waits for the one that is made", 10)
            free = "SELECT key FROM records WHERE interface = %s AND flow = 'order-export' FOR UPDATE SKIP LOCKED"
            found = sorted(key for (key,) in third.execute(free, (SLUG,)))
        taken = making.result(20)
    assert found == ["A", "B", "C"]
    assert [str(one.outcome) for one in taken] == ["applied"] * 6
    assert_sound(conn)
