"""Accepted is not shown: confirmed by looking, sent again when it does not show, found by the drift check."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from services.stock.confirm import Confirm, Places
from services.stock.drift import compare
from shared.connectors.open import open_stock_sink
from shared.db.connect import Connection, connect
from shared.records.actions import retry
from tests.support.creating import add
from tests.support.sandbox import Stand
from tests.support.spine import SLUG, assert_sound, nothing
from tests.support.stocking import Stocking, stock_event, stocking, take_in
from tests.support.waiting import until

pytestmark = pytest.mark.servers


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        yield opened
        assert_sound(opened)


@pytest.fixture
def work(database_url: str, conn: Connection, stand: Stand) -> Iterator[Stocking]:
    add(conn, stand)
    with stocking(database_url, conn, stand) as found:
        yield found


@pytest.fixture
def sku(stand: Stand) -> str:
    found = f"s-{uuid.uuid4().hex[:12]}"
    stand.products("otto", found)
    return found


@pytest.fixture
def confirm(work: Stocking) -> Confirm:
    """A loop to be turned by hand, for which everything was sent long enough ago."""
    return Confirm(
        Places(
            lambda: connect(work.url, "confirm"), work.read,
            lambda interface: work.remotes.open(interface, "marketplace", open_stock_sink), lambda _: 0.0,
            work.bell.ring, nothing, nothing, settled=0.0,
        )
    )  # fmt: skip


def test_what_shows_is_confirmed_once(work: Stocking, confirm: Confirm, sku: str) -> None:
    work.take_in(stock_event(sku, 7))
    work.until(sku, "done")
    assert confirm.look(work.conn, SLUG) == 1
    found = work.article(sku)
    assert found["shown"] == 7
    assert found["shown_at"] > found["sent_at"]
    assert confirm.look(work.conn, SLUG) == 0


def test_many_are_read_in_pages(database_url: str, conn: Connection, stand: Stand, confirm: Confirm) -> None:
    skus = [f"c-{uuid.uuid4().hex[:6]}-{n}" for n in range(60)]
    stand.products("otto", *skus)
    take_in(conn, *(stock_event(sku, 3) for sku in skus))
    until(lambda: conn.execute("SELECT FROM records WHERE state = 'done'").rowcount == 60, "all are sent")
    reads, pages = stand.calls("otto").get("read-quantity", 0), stand.calls("otto").get("list-quantities", 0)
    assert confirm.look(conn, SLUG) == 60
    assert stand.calls("otto").get("read-quantity", 0) == reads
    assert stand.calls("otto")["list-quantities"] > pages
    assert conn.execute("SELECT FROM articles WHERE shown = 3").rowcount == 60


def test_accepted_and_not_applied_is_sent_again(work: Stocking, confirm: Confirm, sku: str) -> None:
    work.stand.fault("otto", "accepted_not_applied", "send-quantities")
    work.take_in(stock_event(sku, 7))
    row = work.until(sku, "done")
    assert sku not in work.quantities()
    assert confirm.look(work.conn, SLUG) == 1
    work.until(sku, "done", after=row["seq"])
    assert work.quantities()[sku] == 7
    assert confirm.look(work.conn, SLUG) == 1
    found = work.article(sku)
    assert (found["shown"], found["unapplied"], found["insist"]) == (7, 0, False)


def test_what_never_shows_fails_by_name_and_a_retry_begins_anew(work: Stocking, confirm: Confirm, sku: str) -> None:
    work.stand.fault("otto", "accepted_not_applied", "send-quantities", times=3)
    work.take_in(stock_event(sku, 7))
    row = work.until(sku, "done")
    for _ in range(2):
        assert confirm.look(work.conn, SLUG) == 1
        row = work.until(sku, "done", after=row["seq"])
    assert confirm.look(work.conn, SLUG) == 1
    row = work.until(sku, "failed", "quantity-not-applied", after=row["seq"])
    assert work.stand.faults("otto") == []
    assert confirm.look(work.conn, SLUG) == 0
    retry(work.conn, [row["id"]], "erika")
    work.bell.ring(SLUG)
    work.until(sku, "done", after=row["seq"])
    assert work.quantities()[sku] == 7


def test_a_newer_copy_that_waits_is_not_mistaken_for_a_difference(
    database_url: str, conn: Connection, stand: Stand, work: Stocking, confirm: Confirm, sku: str
) -> None:
    work.take_in(stock_event(sku, 7))
    work.until(sku, "done")
    conn.execute("UPDATE interfaces SET mode = 'paused', revision = revision + 1")
    take_in(conn, stock_event(sku, 9))
    assert confirm.look(conn, SLUG) == 0


def test_the_drift_check_finds_what_differs_and_what_is_not_there(work: Stocking, sku: str) -> None:
    gone = f"gone-{sku}"
    work.stand.products("otto", gone)
    work.take_in(stock_event(sku, 7))
    work.until(sku, "done")
    work.stand.fault("otto", "accepted_not_applied", "send-quantities")
    work.take_in(stock_event(gone, 7))
    work.until(gone, "done")
    interface = work.interface()
    sink, close = work.remotes.open(interface, "marketplace", open_stock_sink)
    sink.send_quantities({sku: 3})  # somebody else
    seen: list[int] = []
    result = compare(work.conn, SLUG, sink, seen.append, nothing)
    close()
    assert result["differ"] == 2
    assert result["unseen"] == 1
    assert result["seen"] == seen[-1] >= 1
    assert result["unlisted"] == result["seen"] - 1
    assert work.article(sku)["shown"] == 3
    assert work.article(gone)["shown"] is None
