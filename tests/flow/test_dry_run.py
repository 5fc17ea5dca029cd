"""Dry runs of the three flows: the very document, or every problem; nothing is stored, and both systems only read."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from services.exporter.preview import changes_to_tell
from services.importer.fetch import orders_by_number
from services.importer.preview import orders_to_create
from services.stock.preview import quantities_to_send
from shared.connectors.open import open_status_source, open_stock_sink, open_stock_source
from shared.db.connect import Connection, connect
from shared.records.actions import request
from shared.records.drafted import forget_drafted
from shared.records.interfaces import Interface, save_mapping
from shared.records.receipt import read_receipt
from shared.runtime.bell import Bell
from shared.runtime.receipts import Preview, Receipts
from tests.support.creating import Creating, creating
from tests.support.exporting import Exporting, add, exporting
from tests.support.sandbox import Stand
from tests.support.spine import SLUG, assert_sound, nothing
from tests.support.system import MAPPINGS

pytestmark = pytest.mark.servers
WRITES = {
    "xentral": ("create-order", "cancel-order"),
    "otto": ("send-quantities", "send-shipment", "cancel-order", "cancel-items"),
}
TABLES = ("records", "payloads", "transitions", "attempts", "events", "shipments", "parts", "articles", "arrivals",
          "rejections", "return_numbers")  # fmt: skip


@pytest.fixture
def conn(database_url: str, stand: Stand) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        add(opened, stand)
        for kind, source, target in MAPPINGS:
            save_mapping(opened, SLUG, kind, source, target)
        yield opened
        assert_sound(opened)


class Untouched:
    """What both systems and the database hold, so that a test can say that nothing of it has changed."""

    def __init__(self, conn: Connection, stand: Stand) -> None:
        self._conn, self._stand = conn, stand
        self._before = self._look()

    def _look(self) -> dict[str, Any]:
        calls = {key: self._stand.calls(key) for key in ("xentral", "otto")}
        written = {
            (key, name): count for key, counts in calls.items() for name, count in counts.items() if name in WRITES[key]
        }
        erp, shop = self._stand.state("xentral"), self._stand.state("otto")
        held = {
            "orders": erp["salesOrders"], "quantities": shop["quantities"], "shipments": shop["shipments"],
            "shop": shop["orders"],
        }  # fmt: skip
        rows = {table: self._conn.execute(f"SELECT * FROM {table} t ORDER BY t::text").fetchall() for table in TABLES}
        return {"written": written, "held": held, "rows": rows}

    def check(self) -> None:
        assert self._look() == self._before


def dry(
    conn: Connection, verb: str, preview: Preview, interface: Interface, *numbers: str
) -> dict[str, Mapping[str, Any]]:
    """Ask for a dry run, have it answered, and read the receipt."""

    def look(*_: Any) -> dict[str, Any]:
        raise AssertionError("a dry run takes nothing in")

    receipt = request(conn, verb, SLUG, numbers, "erika", dry_run=True)
    loop = Receipts(
        verb, look, connect=lambda: conn, read=lambda *_: interface, bell=Bell(), failpoint=nothing, preview=preview
    )
    assert loop.answer(conn)
    found = read_receipt(conn, receipt)
    assert found is not None
    assert found["complete"]
    assert found["dry_run"]
    return {one["number"]: one for one in found["numbers"]}


def problems(one: Mapping[str, Any]) -> list[str]:
    return [problem["code"] for problem in one["problems"]]


# -- orders ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def erp(database_url: str, conn: Connection, stand: Stand) -> Iterator[Creating]:
    # Other tests give the shop articles that the ERP does not know; an order that is placed here may be about any.
    stand.products("xentral", *(article["sku"] for article in stand.state("otto")["products"]))
    with creating(database_url, conn, stand, start=False) as found:
        yield found


def interface_of(work: Creating | Exporting) -> Interface:
    found = work.read(work.conn, SLUG)
    assert found is not None
    return found


def test_an_import_shows_the_very_document_that_is_created_afterwards(erp: Creating, stand: Stand) -> None:
    erp.conn.execute("UPDATE interfaces SET mode = 'test'")
    (number,) = stand.place("otto", 1, skus=["ABC-1"])
    before = Untouched(erp.conn, stand)
    one = dry(erp.conn, "import", orders_to_create(erp.remotes), interface_of(erp), number, "nobody-has-it")
    before.check()
    assert one["nobody-has-it"]["result"] == "not-found"
    shown = one[number]
    assert (shown["result"], problems(shown), shown["record_id"]) == ("drafted", [], None)
    assert [document["kind"] for document in shown["documents"]] == ["order"]
    assert shown["document"]["externalOrderNumber"] == number
    assert all("id" in position["product"] for position in shown["document"]["positions"]), "after look-ups"

    # The same document, byte for byte, is what the worker sends when a person imports the order.
    loop = Receipts(
        "import", orders_by_number(erp.remotes.marketplace), connect=lambda: erp.conn, read=erp.read, bell=erp.bell,
        failpoint=nothing,
    )  # fmt: skip
    request(erp.conn, "import", SLUG, [number], "erika")
    assert loop.answer(erp.conn)
    erp.start()
    erp.until(number, "done")
    (created,) = erp.erp_orders(number)
    sent = shown["document"]
    assert created["externalOrderId"] == sent["externalOrderId"]
    assert [p["product"]["id"] for p in created["positions"]] == [p["product"]["id"] for p in sent["positions"]]
    again = dry(erp.conn, "import", orders_to_create(erp.remotes), interface_of(erp), number)[number]
    assert (again["documents"], problems(again)) == ([], ["already-in-erp"])


def test_an_import_that_cannot_be_made_names_every_problem_at_once(erp: Creating, stand: Stand) -> None:
    erp.conn.execute("DELETE FROM mappings WHERE kind = 'payment'")
    (number,) = stand.place("otto", 1, skus=["GONE-1", "GONE-2"])
    before = Untouched(erp.conn, stand)
    one = dry(erp.conn, "import", orders_to_create(erp.remotes), interface_of(erp), number)[number]
    before.check()
    assert one["documents"] == []
    assert sorted(problems(one)) == ["payment-unmapped", "sku-unknown", "sku-unknown"]
    assert all(problem["steps"] for problem in one["problems"])


# -- exports ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def shop(database_url: str, conn: Connection, stand: Stand) -> Iterator[Exporting]:
    with exporting(database_url, conn, stand, start=False) as found:
        yield found


def test_an_export_shows_the_shipment_and_the_return_number_that_would_be_given(shop: Exporting, stand: Stand) -> None:
    number = shop.order()
    shop.create_in_erp(number)
    shop.fill_pool("1", "2")
    stand.post("xentral", f"orders/{number}/ship", {})

    def source(of: Interface) -> Any:
        return shop.remotes.open(of, "erp", open_status_source)

    preview = changes_to_tell(source, shop.remotes, shop.pool)
    before = Untouched(shop.conn, stand)
    shown = dry(shop.conn, "export", preview, interface_of(shop), number, "nobody-has-it")
    before.check()
    assert shown["nobody-has-it"]["result"] == "not-found"
    one = shown[number]
    assert (one["result"], problems(one)) == ("drafted", [])
    assert [document["kind"] for document in one["documents"]] == ["shipment"]
    assert one["document"]["positionItems"][0]["salesOrderId"]
    assert "P-1" in str(one["document"])


def test_an_export_of_an_order_that_is_not_imported_says_what_it_waits_for(shop: Exporting, stand: Stand) -> None:
    number = shop.order(imported="pending")
    shop.create_in_erp(number)
    stand.post("xentral", f"orders/{number}/ship", {})
    preview = changes_to_tell(lambda of: shop.remotes.open(of, "erp", open_status_source), shop.remotes, shop.pool)
    one = dry(shop.conn, "export", preview, interface_of(shop), number)[number]
    assert (one["documents"], problems(one)) == ([], ["order-awaited"])


# -- articles --------------------------------------------------------------------------------------------------------


def test_a_sync_shows_the_quantity_that_would_be_sent(erp: Creating, stand: Stand) -> None:
    sku = f"dry-{uuid.uuid4().hex[:8]}"
    stand.products("otto", sku)
    stand.products("xentral", sku)
    stand.post("xentral", "stock", [{"sku": sku, "warehouses": {"1": 7, "2": 0}}])
    preview = quantities_to_send(
        lambda of: erp.remotes.open(of, "erp", open_stock_source),
        lambda of: erp.remotes.open(of, "marketplace", open_stock_sink),
        lambda of: erp.remotes.title(of, "marketplace"),
    )
    before = Untouched(erp.conn, stand)
    one = dry(erp.conn, "sync", preview, interface_of(erp), sku)[sku]
    before.check()
    assert (one["document"], problems(one)) == ({"sku": sku, "quantity": 7}, [])
    assert one["documents"][0]["now"] == {"quantity": None}


# -- who sees it, and for how long -----------------------------------------------------------------------------------


def test_documents_are_kept_back_from_who_may_not_see_buyers_and_forgotten_after_an_hour(
    erp: Creating, stand: Stand
) -> None:
    (number,) = stand.place("otto", 1, skus=["ABC-1"])
    dry(erp.conn, "import", orders_to_create(erp.remotes), interface_of(erp), number)
    (receipt,) = erp.conn.execute("SELECT id FROM receipts").fetchone() or (None,)
    masked = read_receipt(erp.conn, receipt, reveal=False)
    assert masked is not None
    assert [one["document"] for one in masked["numbers"][0]["documents"]] == [None]
    assert masked["numbers"][0]["document"] is None
    assert forget_drafted(erp.conn) == 0
    erp.conn.execute("UPDATE receipts SET created_at = now() - interval '61 minutes'")
    assert forget_drafted(erp.conn) == 1
    left = read_receipt(erp.conn, receipt)
    assert left is not None
    assert (left["numbers"][0]["documents"], left["numbers"][0]["expired"]) == ([], True)
