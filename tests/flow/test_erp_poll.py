"""The poll of an ERP's orders: what no webhook told of becomes an event, once, and nobody else goes short of calls."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest

from shared.broker.delivery import Fate
from shared.connectors.contract import CallContext, OwnTokens, StatusSource
from shared.db.connect import Connection, connect, open_pool
from shared.failpoint import Planted
from shared.records.interfaces import Interface
from shared.runtime.erp_poll import ErpPoll
from shared.runtime.gentle import Gentle, Stopped
from tests.support.hinting import Hinting, add, created, looping, read_interface
from tests.support.sandbox import Stand
from tests.support.spine import SLUG, assert_sound
from tests.support.waiting import until

pytestmark = pytest.mark.servers


@pytest.fixture
def conn(database_url: str, stand: Stand) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        add(opened, stand)
        yield opened
        assert_sound(opened)


class Polling(Hinting):
    """A poll, turned by hand, and what came of it."""

    def prepare(self, every: float = 0.0) -> None:
        self.polled: list[tuple[str, datetime]] = []
        self.poll = ErpPoll(
            connect=lambda: connect(self.url, "erp-poll"), read=read_interface, open_source=self.open_source,
            open_publisher=lambda: self.broker, polled=lambda slug, at: self.polled.append((slug, at)),
            failpoint=lambda name: self.failpoint(name), fatal=self.fatal.append, every=every,
        )  # fmt: skip

    def open_source(
        self, interface: Interface, around: Callable[[CallContext], CallContext]
    ) -> tuple[StatusSource, Callable[[], None]]:
        return self.remotes.changes(interface, around)

    def numbers(self) -> list[str]:
        """One poll; the orders that were told."""
        self.poll.poll(self.conn, SLUG)
        return sorted(event["data"]["order_number"] for event in self.broker.events())

    def cursor(self) -> dict[str, Any]:
        row = self.conn.execute("SELECT watermark, ok_at, code FROM erp_cursors").fetchone()
        assert row is not None
        return dict(zip(("watermark", "ok_at", "code"), row, strict=True))


@pytest.fixture
def polling(database_url: str, conn: Connection) -> Iterator[Polling]:
    with open_pool(database_url, "calls", 2) as pool:
        found = Polling(database_url, pool, conn)
        found.prepare()
        yield found


def back(polling: Polling) -> None:
    """Other tests of this file share the stand-in: what they left lies before this test's beginning."""
    time.sleep(1.1)  # the ERP keeps whole seconds
    polling.conn.execute(
        "INSERT INTO erp_cursors(interface, watermark) VALUES (%s, now() + interval '5 minutes')", (SLUG,)
    )


def test_changed_orders_become_events_once_and_the_watermark_moves(polling: Polling, stand: Stand, number: str) -> None:
    back(polling)
    mine = [f"{number}-{each}" for each in range(3)]
    for each in mine:
        created(stand, each)
    polling.poll.poll(polling.conn, SLUG)
    assert sorted(polling.take_in()) == ["applied"] * 3
    assert polling.cursor()["code"] is None
    assert [slug for slug, _ in polling.polled] == [SLUG]
    assert polling.numbers() == [], "what the inbox has is left out, in spite of the overlap"
    stand.post("xentral", f"orders/{mine[1]}/ship", {})
    assert polling.numbers() == [mine[1]]


@pytest.mark.parametrize("name", ["erp-poll.read", "erp-poll.published", "erp-poll.moved"])
def test_a_poll_that_ends_in_the_middle_is_repeated_without_harm(
    polling: Polling, stand: Stand, number: str, name: str
) -> None:
    back(polling)
    before = polling.cursor()["watermark"]
    created(stand, number)
    polling.failpoint.at = name
    with suppress(Planted):
        polling.poll.poll(polling.conn, SLUG)
    assert (polling.cursor()["ok_at"] is not None) == (name == "erp-poll.moved")
    assert (polling.broker.messages == []) == (name == "erp-poll.read")
    polling.poll.poll(polling.conn, SLUG)
    taken = polling.take_in()
    assert taken.count("applied") == 1
    assert set(taken) <= {"applied", "duplicate"}
    assert polling.cursor()["watermark"] >= before, "it never moves back"


@pytest.mark.parametrize("fate", [Fate.REFUSED, Fate.UNKNOWN])
def test_what_the_broker_did_not_confirm_is_published_again(
    polling: Polling, stand: Stand, number: str, fate: Fate
) -> None:
    back(polling)
    created(stand, number)
    before = polling.cursor()["watermark"]
    polling.broker.fate = fate
    assert polling.numbers() == [number]
    assert (polling.cursor()["watermark"], polling.cursor()["code"]) == (before, "broker-away")
    polling.broker.fate = Fate.CONFIRMED
    assert polling.numbers() == [number]
    assert polling.cursor()["code"] is None


def test_an_erp_that_is_away_is_noted(polling: Polling, stand: Stand) -> None:
    stand.fault("xentral", "503", times=100)
    assert polling.numbers() == []
    assert (polling.cursor()["code"], polling.cursor()["ok_at"], polling.polled) == ("remote-unavailable", None, [])


def test_only_one_polls_an_interface_at_a_time(polling: Polling, database_url: str, stand: Stand, number: str) -> None:
    back(polling)
    created(stand, number)
    inside, leave = threading.Event(), threading.Event()

    def wait(name: str) -> None:
        if name == "erp-poll.read" and not inside.is_set():
            inside.set()
            assert leave.wait(20)

    polling.poll._failpoint = wait
    with connect(database_url, "other") as other:
        slow = threading.Thread(target=polling.poll.poll, args=(other, SLUG))
        slow.start()
        assert inside.wait(20)
        assert polling.numbers() == []
        leave.set()
        slow.join(20)
    assert len(polling.broker.events()) == 1


def test_the_loop_polls_when_it_is_due_and_not_before(polling: Polling, stand: Stand, number: str) -> None:
    polling.prepare(every=3600.0)
    back(polling)
    created(stand, number)
    with looping(polling.poll.run):
        until(lambda: polling.polled, "it has polled")
        polling.conn.execute("UPDATE erp_cursors SET polled_at = now() - interval '2 hours'")
        until(lambda: len(polling.polled) == 2, "it is due again")
    assert len(polling.polled) == 2
    assert len(polling.broker.messages) == 2, "what nobody has taken in is published again"


def test_a_gentle_call_waits_its_turn_and_leaves_when_the_process_stops() -> None:
    class Calls:
        made, tokens, at_once = 0, OwnTokens(), 8

        def before_call(self, operation: str) -> None:
            self.made += 1

        def before_send(self) -> None: ...

        def after_call(self, operation: str, code: str, seconds: float) -> None: ...

    calls, waited = Calls(), list[float]()
    stopping = False

    def pause(seconds: float) -> None:
        waited.append(seconds)
        time.sleep(min(seconds, 0.2))

    gentle = Gentle(calls, 0.1, lambda: stopping, pause)
    begun = time.monotonic()
    for _ in range(4):
        gentle.before_call("read")
    assert time.monotonic() - begun >= 0.3
    assert (calls.made, len(waited) >= 3) == (4, True)
    stopping = True
    with pytest.raises(Stopped):
        gentle.before_call("read")
    assert calls.made == 4
