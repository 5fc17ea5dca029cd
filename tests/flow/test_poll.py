"""Polling: everything that the marketplace changed becomes an event, once, whatever ends in the middle."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest
from psycopg_pool import ConnectionPool

from services.importer.poll import Poll
from shared.broker.delivery import Fate, Message
from shared.connectors.registry import discover
from shared.db.connect import Connection, connect, open_pool
from shared.failpoint import Planted
from shared.metrics import Metrics
from shared.records.interfaces import Interface, read
from shared.runtime.remotes import Remotes
from tests.support.creating import SEAL, add
from tests.support.sandbox import Stand
from tests.support.spine import SLUG, assert_sound, nothing, record, states, take_in
from tests.support.waiting import until

pytestmark = pytest.mark.servers


@pytest.fixture
def conn(database_url: str, stand: Stand) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        add(opened, stand)
        # Other tests of this file share the stand-in: what they placed lies before this test's beginning.
        opened.execute("INSERT INTO cursors(interface, watermark) VALUES (%s, now() + interval '5 minutes')", (SLUG,))
        yield opened
        assert_sound(opened)


class Broker:
    """Confirms or not, and keeps what was published."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.fate = Fate.CONFIRMED

    def publish(self, messages: Sequence[Message], deadline: float = 10.0) -> list[Fate]:
        self.messages += messages
        return [self.fate] * len(messages)

    def wake(self, stage: str, interfaces: Sequence[str]) -> None: ...

    def close(self) -> None: ...

    def bodies(self) -> list[bytes]:
        found, self.messages = [message.body for message in self.messages], []
        return found


class Failpoint:
    """Raises where the test wants it, once."""

    def __init__(self) -> None:
        self.at = ""

    def __call__(self, name: str) -> None:
        if name == self.at:
            self.at = ""
            raise Planted(name)


class Polling:
    """A poller, and what came of it."""

    def __init__(self, url: str, pool: ConnectionPool[Connection], conn: Connection) -> None:
        self.broker, self.failpoint, self.conn = Broker(), Failpoint(), conn
        self.fatal: list[BaseException] = []
        self.polled: list[tuple[str, datetime]] = []
        remotes = Remotes(discover(), pool, Metrics("tests", "0"), 5.0)
        self.open_source = remotes.marketplace
        self.poll = Poll(
            connect=lambda: connect(url, "poll"),
            read=self.read,
            open_source=lambda interface: self.open_source(interface),
            open_publisher=lambda: self.broker,
            polled=lambda slug, at: self.polled.append((slug, at)),
            failpoint=self.failpoint,
            fatal=self.fatal.append,
        )

    def read(self, conn: Connection, slug: str) -> Interface | None:
        return read(conn, SEAL, slug)

    def once(self) -> list[bytes]:
        """One poll; what was published."""
        self.poll.poll(self.conn, SLUG)
        return self.broker.bodies()

    def cursor(self) -> dict[str, Any]:
        row = self.conn.execute("SELECT watermark, polled_at, ok_at, code FROM cursors").fetchone()
        assert row is not None
        return dict(zip(("watermark", "polled_at", "ok_at", "code"), row, strict=True))


@pytest.fixture
def polling(database_url: str, conn: Connection) -> Iterator[Polling]:
    with open_pool(database_url, "calls", 2) as pool:
        yield Polling(database_url, pool, conn)


def back(polling: Polling, stand: Stand, count: int, *defects: str) -> list[str]:
    """Orders placed now; the watermark goes back to just before."""
    row = polling.conn.execute("SELECT clock_timestamp()").fetchone()
    numbers = stand.place("otto", count, *defects, skus=["ABC-1"])
    assert row is not None
    polling.conn.execute("UPDATE cursors SET watermark = %s + interval '5 minutes'", (row[0],))
    return numbers


def test_new_orders_become_events_once_and_the_watermark_moves(polling: Polling, stand: Stand) -> None:
    numbers = back(polling, stand, 3)
    published = polling.once()
    take_in(polling.conn, *published)
    assert sorted(states(polling.conn)) == sorted(numbers)
    assert polling.cursor()["code"] is None
    assert [slug for slug, _ in polling.polled] == [SLUG]
    assert polling.once() == [], "what the inbox has is left out, in spite of the overlap"


def test_a_change_on_the_marketplace_is_a_new_event(polling: Polling, stand: Stand) -> None:
    (number,) = back(polling, stand, 1)
    take_in(polling.conn, *polling.once())
    stand.cancel("otto", number)
    (changed,) = polling.once()
    take_in(polling.conn, changed)
    assert record(polling.conn, number)["payload_no"] == 2


@pytest.mark.parametrize("name", ["poll.read", "poll.published", "poll.moved"])
def test_a_poll_that_ends_in_the_middle_is_repeated_without_harm(polling: Polling, stand: Stand, name: str) -> None:
    numbers = back(polling, stand, 3)
    polling.failpoint.at = name
    with suppress(Planted):
        polling.poll.poll(polling.conn, SLUG)
    first = polling.broker.bodies()
    second = polling.once()
    assert (first == []) == (name == "poll.read")
    taken = [str(one.outcome) for one in take_in(polling.conn, *first, *second)]
    assert taken.count("applied") == 3
    assert set(taken) <= {"applied", "duplicate"}
    assert sorted(states(polling.conn)) == sorted(numbers)


@pytest.mark.parametrize("fate", [Fate.REFUSED, Fate.UNKNOWN])
def test_what_the_broker_did_not_confirm_is_published_again(polling: Polling, stand: Stand, fate: Fate) -> None:
    back(polling, stand, 2)
    before = polling.cursor()["watermark"]
    polling.broker.fate = fate
    first = polling.once()
    assert (polling.cursor()["watermark"], polling.cursor()["code"]) == (before, "broker-away")
    polling.broker.fate = Fate.CONFIRMED
    assert polling.once() == first
    assert polling.cursor()["code"] is None


def test_an_order_that_was_refused_is_not_published_again(polling: Polling, stand: Stand) -> None:
    back(polling, stand, 1, "unreadable")
    published = polling.once()
    (taken,) = take_in(polling.conn, *published)
    assert str(taken.outcome) == "rejected"
    assert polling.once() == []


def test_a_marketplace_that_is_away_is_noted_and_asked_again_soon(polling: Polling, stand: Stand) -> None:
    stand.fault("otto", "500", times=100)
    assert polling.once() == []
    cursor = polling.cursor()
    assert (cursor["code"], cursor["ok_at"], polling.polled) == ("remote-unavailable", None, [])
    stand.clear("otto")
    polling.once()
    assert polling.cursor()["code"] is None


def test_only_one_polls_an_interface_at_a_time(polling: Polling, database_url: str, stand: Stand) -> None:
    back(polling, stand, 1)
    inside, leave = threading.Event(), threading.Event()
    real = polling.failpoint

    def wait(name: str) -> None:
        if name == "poll.read" and not inside.is_set():
            inside.set()
            assert leave.wait(10)
        real(name)

    polling.poll._failpoint = wait
    with connect(database_url, "other") as other, ThreadPoolExecutor(1) as threads:
        slow = threads.submit(polling.poll.poll, other, SLUG)
        assert inside.wait(10)
        assert polling.once() == []
        leave.set()
        slow.result(10)
    assert len(polling.broker.bodies()) == 1


class Running:
    """The poller's loop on a thread."""

    def __init__(self, polling: Polling) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=polling.poll.run, args=(nothing, self._stop.is_set, lambda _: self._stop.wait(0.05))
        )

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(20)
        assert not self._thread.is_alive()


def test_the_loop_polls_live_interfaces_when_they_are_due(polling: Polling, stand: Stand) -> None:
    (number,) = back(polling, stand, 1)
    polling.conn.execute("UPDATE interfaces SET mode = 'paused'")
    with Running(polling):
        polling.conn.execute("UPDATE interfaces SET mode = 'live'")
        until(lambda: polling.broker.messages, "the order is published")
        first = until(lambda: polling.cursor()["polled_at"], "the poll has ended")
        polling.conn.execute("UPDATE interfaces SET poll_seconds = 1")
        until(lambda: polling.cursor()["polled_at"] > first, "it is polled again")
    assert number.encode() in polling.broker.messages[0].body


def test_one_shop_that_nobody_can_read_does_not_stop_the_others(polling: Polling, stand: Stand) -> None:
    for slug in ("odd", "sealed"):
        polling.conn.execute(
            "INSERT INTO interfaces(slug, title, marketplace, erp, mode) VALUES (%s, 'x', 'otto', 'xentral', 'live')",
            (slug,),
        )
    polling.conn.execute("INSERT INTO sides(interface, side, calls_per_second) VALUES ('odd', 'marketplace', 1)")
    polling.conn.execute(
        "INSERT INTO sides(interface, side, calls_per_second, sealed) VALUES ('sealed', 'marketplace', 1, 'junk')"
    )
    back(polling, stand, 1)

    def noted() -> bool:
        rows = dict(polling.conn.execute("SELECT interface, code FROM cursors").fetchall())
        return len(rows) == 3 and rows[SLUG] is None and None not in (rows["odd"], rows["sealed"])

    with Running(polling):
        until(noted, "each has its own result")
    assert polling.fatal == []
    assert len(polling.broker.messages) == 1


def test_a_planted_failure_ends_the_process(polling: Polling, stand: Stand) -> None:
    back(polling, stand, 1)
    polling.failpoint.at = "poll.read"
    with Running(polling):
        until(lambda: polling.fatal, "the process ends")
    assert isinstance(polling.fatal[0], Planted)
