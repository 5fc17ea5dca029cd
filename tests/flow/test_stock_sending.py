"""Quantities reach the marketplace: in batches, each once, the newest; a SKU with something wrong fails alone."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from shared.db.connect import Connection, connect
from shared.records.actions import retry
from shared.records.articles import insist
from tests.support.creating import add
from tests.support.sandbox import Stand
from tests.support.spine import SLUG, assert_sound
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
    """A SKU that the marketplace lists and no other test uses."""
    found = f"s-{uuid.uuid4().hex[:12]}"
    stand.products("otto", found)
    return found


def some(stand: Stand, count: int) -> list[str]:
    mark = uuid.uuid4().hex[:8]
    found = [f"m-{mark}-{n}" for n in range(count)]
    stand.products("otto", *found)
    return found


def test_a_change_is_sent_and_done(work: Stocking, sku: str) -> None:
    work.take_in(stock_event(sku, 7))
    row = work.until(sku, "done")
    assert work.quantities()[sku] == 7
    assert (row["sent_no"], row["reason"], row["intended"]) == (1, None, False)
    found = work.article(sku)
    assert (found["sent"], found["claim_no"], found["insist"]) == (7, row["claim_no"], False)
    assert found["sent_at"] is not None
    assert found["shown_at"] is None


def test_two_hundred_changes_are_one_call(database_url: str, conn: Connection, stand: Stand) -> None:
    add(conn, stand)
    skus = some(stand, 200)
    take_in(conn, *(stock_event(sku, n) for n, sku in enumerate(skus)))
    with stocking(database_url, conn, stand) as work:
        before = work.calls()
        until(lambda: conn.execute("SELECT FROM records WHERE due_at IS NOT NULL").rowcount == 0, "all are sent")
        assert work.calls() == before + 1
        shown = work.quantities()
        assert [shown[sku] for sku in skus] == list(range(200))


def test_many_changes_of_one_sku_become_one_send_of_the_newest(
    database_url: str, conn: Connection, stand: Stand, sku: str
) -> None:
    add(conn, stand)
    began = datetime.now(UTC) - timedelta(minutes=1)
    take_in(conn, *(stock_event(sku, n, time=began + timedelta(seconds=n)) for n in range(20)))
    with stocking(database_url, conn, stand) as work:
        before = work.calls()
        work.until(sku, "done")
        assert (work.calls(), work.quantities()[sku]) == (before + 1, 19)
    assert dict(conn.execute("SELECT outcome, count(*) FROM events GROUP BY 1").fetchall()) == {
        "applied": 1,
        "superseded": 19,
    }


def test_below_nothing_is_nothing(work: Stocking, sku: str) -> None:
    work.take_in(stock_event(sku, -3))
    work.until(sku, "done")
    assert work.quantities()[sku] == 0


def test_what_the_marketplace_has_is_not_sent_again(work: Stocking, sku: str) -> None:
    work.take_in(stock_event(sku, 7))
    row = work.until(sku, "done")
    before = work.calls()
    work.take_in(stock_event(sku, 7, name="of another kind", version=2))
    row = work.until(sku, "done", "quantity-unchanged", after=row["seq"])
    assert work.calls() == before
    assert row["sent_no"] == row["payload_no"] == 2


def test_who_insists_has_it_sent_once_more(work: Stocking, sku: str) -> None:
    work.take_in(stock_event(sku, 7))
    row = work.until(sku, "done")
    before = work.calls()
    insist(work.conn, row["id"])
    retry(work.conn, [row["id"]], "erika")
    work.bell.ring(SLUG)
    work.until(sku, "done", after=row["seq"])
    assert work.calls() == before + 1
    assert not work.article(sku)["insist"]


def test_a_bad_sku_fails_alone(work: Stocking, sku: str) -> None:
    bad = f"unlisted-{sku}"
    work.take_in(stock_event(sku, 4), stock_event(bad, 5))
    work.until(sku, "done")
    row = work.until(bad, "failed", "sku-not-listed")
    assert work.quantities()[sku] == 4
    assert work.article(bad)["sent"] is None
    work.stand.products("otto", bad)
    retry(work.conn, [row["id"]], "erika")
    work.bell.ring(SLUG)
    work.until(bad, "done")
    assert work.quantities()[bad] == 5


def test_its_own_number_at_the_marketplace_is_used(work: Stocking, sku: str) -> None:
    ours = f"ours-{sku}"
    work.take_in(stock_event(ours, 4))
    row = work.until(ours, "failed")
    work.conn.execute("UPDATE articles SET foreign_sku = %s WHERE sku = %s", (sku, ours))
    retry(work.conn, [row["id"]], "erika")
    work.bell.ring(SLUG)
    work.until(ours, "done")
    assert work.quantities()[sku] == 4


@pytest.mark.parametrize("fault", ["500_after_success", "timeout_after_success", "truncated", "reset", "500", "hang"])
def test_an_unknown_outcome_is_read_back_before_anything_is_sent(work: Stocking, sku: str, fault: str) -> None:
    arrives = fault not in ("500", "hang", "reset")
    work.stand.fault("otto", fault, "send-quantities")
    before, reads = work.calls(), work.calls("read-quantity")
    work.take_in(stock_event(sku, 7))
    assert work.until(sku, "waiting")["intended"]
    work.later(sku)
    row = work.until(sku, "done")
    assert work.quantities()[sku] == 7
    assert work.calls("read-quantity") == reads + 1
    assert work.calls() == before + (1 if arrives else 2)
    assert not row["intended"]
    assert work.article(sku)["sent"] == 7


def test_a_newer_copy_after_an_unknown_outcome_is_sent(work: Stocking, sku: str) -> None:
    work.stand.fault("otto", "500_after_success", "send-quantities")
    work.take_in(stock_event(sku, 7))
    work.until(sku, "waiting")
    work.take_in(stock_event(sku, 9))
    work.until(sku, "done")
    assert work.quantities()[sku] == 9


def test_a_refused_call_was_not_carried_out(work: Stocking, sku: str) -> None:
    work.take_in(stock_event(sku, 5))
    work.until(sku, "done")
    work.stand.fault("otto", "429", "send-quantities")
    work.take_in(stock_event(sku, 7))
    row = work.until(sku, "waiting", "remote-rate-limited")
    assert not row["intended"]
    work.later(sku)
    work.until(sku, "done")
    assert work.quantities()[sku] == 7
