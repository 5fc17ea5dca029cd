"""A parent's change means its variants, each once; and what a person asks for by SKU is read from the ERP now."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.stock.listing import refresh
from services.stock.look import Look
from shared.connectors.open import open_stock_source
from shared.db.connect import Connection, connect
from shared.records.actions import request
from shared.records.articles import insist
from shared.records.listings import save_filter
from shared.records.receipt import read_receipt
from shared.runtime.receipts import Receipts
from tests.support.creating import add
from tests.support.sandbox import Stand
from tests.support.spine import SLUG, assert_sound, nothing, record, states
from tests.support.stocking import Stocking, stock_event, stocking
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


class Family:
    """A parent and its three variants, known on both sides."""

    def __init__(self, work: Stocking) -> None:
        mark = uuid.uuid4().hex[:8]
        self.parent, self.variants = f"p-{mark}", [f"p-{mark}-{n}" for n in range(3)]
        self._work = work
        work.stand.post("xentral", "products", [{"sku": self.parent, "matrix": True, "name": mark}])
        work.stand.post(
            "xentral", "products", [{"sku": sku, "parent": self.parent, "name": mark} for sku in self.variants]
        )
        work.stand.products("otto", *self.variants)
        for n, sku in enumerate(self.variants):
            self.have(sku, n)
        interface = work.interface()
        source, close = work.remotes.open(interface, "erp", open_stock_source)
        save_filter(work.conn, SLUG, {"name": mark})
        assert refresh(work.conn, SLUG, source, nothing, nothing) == {"articles": 4}
        close()

    def have(self, sku: str, quantity: int) -> None:
        self._work.stand.post("xentral", "stock", [{"sku": sku, "warehouses": {"1": quantity, "2": 0}}])

    def shown(self) -> list[int | None]:
        quantities = self._work.quantities()
        return [quantities.get(sku) for sku in self.variants]


@pytest.fixture
def family(work: Stocking) -> Family:
    return Family(work)


def all_settled(conn: Connection) -> None:
    until(lambda: conn.execute("SELECT FROM records WHERE due_at IS NOT NULL").rowcount == 0, "all are through")


def test_the_listing_makes_grey_records_once(work: Stocking, family: Family) -> None:
    assert states(work.conn, "stock") == dict.fromkeys([family.parent, *family.variants], "never")
    found = work.article(family.variants[0])
    assert (found["kind"], found["parent_sku"]) == ("variant", family.parent)
    assert work.article(family.parent)["kind"] == "parent"


def test_a_parent_triggers_its_variants(work: Stocking, family: Family) -> None:
    work.take_in(stock_event(family.parent, 99, kind="parent"))
    work.until(family.parent, "done", "parent-fanned-out")
    all_settled(work.conn)
    assert family.shown() == [0, 1, 2]
    assert family.parent not in work.quantities()


def test_parent_and_variant_triggered_together_are_one_send_each(work: Stocking, family: Family) -> None:
    time = datetime.now(UTC)
    family.have(family.variants[0], 8)
    reads = work.stand.calls("xentral").get("read-stock", 0)
    work.take_in(
        stock_event(family.parent, 0, kind="parent", time=time),
        stock_event(family.variants[0], 8, kind="variant", parent_sku=family.parent, time=time),
    )
    all_settled(work.conn)
    assert family.shown() == [8, 1, 2]
    assert work.stand.calls("xentral")["read-stock"] == reads + 2, "what has an event of its own is not asked for"
    tried = work.conn.execute(
        "SELECT r.key FROM attempts a JOIN records r ON r.id = record_id WHERE a.code IS NULL"
    ).fetchall()
    assert sorted(key for (key,) in tried) == sorted(family.variants), "each is sent once"


def test_a_parent_again_sends_only_what_changed(work: Stocking, family: Family) -> None:
    work.take_in(stock_event(family.parent, 0, kind="parent"))
    all_settled(work.conn)
    before = {sku: record(work.conn, sku, flow="stock")["payload_no"] for sku in family.variants}
    family.have(family.variants[2], 5)
    work.take_in(stock_event(family.parent, 1, kind="parent"))
    all_settled(work.conn)
    assert family.shown() == [0, 1, 5]
    after = {sku: record(work.conn, sku, flow="stock")["payload_no"] for sku in family.variants}
    assert [after[sku] - before[sku] for sku in family.variants] == [0, 0, 1]


def test_an_erp_that_is_away_lets_the_parent_wait_and_nobody_else(work: Stocking, family: Family) -> None:
    sku = family.variants[0]
    work.stand.fault("xentral", "500", "read-stock", times=3)
    work.take_in(
        stock_event(family.parent, 0, kind="parent"), stock_event(sku, 4, time=datetime.now(UTC) - timedelta(1))
    )
    work.until(family.parent, "waiting", "remote-unavailable")
    work.until(sku, "done")
    work.stand.clear("xentral")
    work.later(family.parent)
    work.until(family.parent, "done")
    all_settled(work.conn)
    assert family.shown() == [0, 1, 2]


def test_a_parent_without_variants_is_skipped(work: Stocking, stand: Stand) -> None:
    work.take_in(stock_event("lonely", 3, kind="parent"))
    work.until("lonely", "skipped", "parent-without-variants")


@pytest.fixture
def sync(work: Stocking) -> Receipts:
    look = Look(lambda interface: work.remotes.open(interface, "erp", open_stock_source))
    return Receipts(
        "sync", look, connect=lambda: connect(work.url, "sync"), read=work.read, bell=work.bell, failpoint=nothing,
        insist=insist,
    )  # fmt: skip


def ask(conn: Connection, *skus: str) -> UUID:
    return request(conn, "sync", SLUG, skus, "erika")


def test_a_sync_reads_the_erp_now_and_sends_even_what_did_not_change(
    work: Stocking, family: Family, sync: Receipts
) -> None:
    grey, green = family.variants[:2]
    work.take_in(stock_event(green, 1, kind="variant", parent_sku=family.parent))
    row = work.until(green, "done")
    calls = work.calls()
    receipt = ask(work.conn, grey, green, "nobody-knows-it")
    assert sync.answer(work.conn)
    work.until(grey, "done")
    work.until(green, "done", after=row["seq"])
    assert family.shown()[:2] == [0, 1]
    assert calls < work.calls() <= calls + 2
    found = read_receipt(work.conn, receipt)
    assert found is not None
    assert [(one["number"], one["result"], one["state"]) for one in found["numbers"]] == [
        (grey, "queued", "done"), (green, "queued", "done"), ("nobody-knows-it", "not-found", None),
    ]  # fmt: skip
    assert not work.article(green)["insist"]


def test_a_sync_of_a_parent_is_one_of_its_variants(work: Stocking, family: Family, sync: Receipts) -> None:
    ask(work.conn, family.parent)
    assert sync.answer(work.conn)
    work.until(family.parent, "done", "parent-fanned-out")
    all_settled(work.conn)
    assert family.shown() == [0, 1, 2]
    calls = work.calls()
    ask(work.conn, family.parent)
    assert sync.answer(work.conn)
    until(lambda: work.calls() > calls, "they are sent again")
    all_settled(work.conn)


def test_a_sync_of_what_nobody_listed_joins_it(work: Stocking, stand: Stand, sync: Receipts) -> None:
    sku = f"new-{uuid.uuid4().hex[:8]}"
    stand.products("xentral", sku)
    stand.products("otto", sku)
    ask(work.conn, sku)
    assert sync.answer(work.conn)
    work.until(sku, "done")
    assert work.quantities()[sku] == 25
    assert work.article(sku)["listed_at"] is None
