"""The stand-ins keep what the flows back left in them, the faults fit, and each capability opens or says why not."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from services.cli.sides import described
from shared.connectors import open as opening
from shared.connectors.contract import Connector, Hint
from shared.connectors.otto.sandbox_store import Store as Marketplace
from shared.connectors.registry import discover
from shared.connectors.xentral.sandbox_store import Store as Erp
from shared.connectors.xentral.status import XentralStatus
from tests.connectors.conftest import Context, having, opened
from tests.connectors.test_erp_sources import created
from tests.connectors.test_flows_back_faults import drafted, placed
from tests.support.sandbox import Stand, sandbox

pytestmark = pytest.mark.servers

CAPABILITIES = ("source", "sink", "stock_sink", "status_sink", "stock_source", "status_source")


def test_a_kill_loses_nothing(tmp_path: Path) -> None:
    connectors = discover()
    with sandbox(tmp_path) as first:
        first.settings("otto", cancel_lag=2)
        with opened(connectors["otto"], first) as side:
            side.stock_sink.send_quantities({"ABC-1": 4})
            shipped, wished = placed(side, first), placed(side, first)
            draft = drafted(side, shipped)
            side.status_sink.send_shipment(draft)
            side.status_sink.cancel_units(wished)
        with opened(connectors["xentral"], first) as side:
            created(side, first, "kept")
            first.post("xentral", "orders/kept/ship", {"lines": [{"sku": "ABC-1", "quantity": 1}]})
            first.post("xentral", "stock", [{"sku": "ABC-3", "pseudo": 9}])
        hook = {"name": "n", "url": "http://127.0.0.1:9/x", "signatureKey": "k" * 20}
        hook["events"] = [{"id": "com.xentral.salesOrder.updated.v1"}]  # type: ignore[assignment]
        address = f"{first.addresses['xentral']}/api/v1/webhooks"
        assert httpx2.post(address, json=hook, headers={"Authorization": "Bearer t"}).status_code == 201
        held = {key: first.state(key) for key in connectors}
        first.kill()
    assert held["otto"]["quantities"] == {"ABC-1": 4}
    assert len(held["otto"]["shipments"]) == 1
    assert len(held["xentral"]["deliveryNotes"]) == len(held["xentral"]["shipments"]) == 1
    assert "kkkk" not in json.dumps(held["xentral"]), "keys are shown to nobody"
    with sandbox(tmp_path) as second:
        assert second.state("xentral") == held["xentral"]
        with opened(connectors["otto"], second) as side:
            found = side.status_sink.find_shipments(draft.carrier, draft.tracking_number, shipped.marketplace_id)
            assert found[0].units == draft.units
            ends = time.monotonic() + 10
            while side.source.read_orders([wished.number])[wished.number].order.status != "cancelled":
                assert time.monotonic() < ends, "a wish that was accepted before the kill comes true after it"
                time.sleep(0.1)
        assert second.state("otto")["quantities"] == {"ABC-1": 4}


@pytest.mark.parametrize("connector", having("status_sink"))
def test_a_killed_marketplace_holds_what_it_was_told(connector: Connector, tmp_path: Path) -> None:
    """Not what is still to come true: that may happen in between."""
    with sandbox(tmp_path) as first, opened(connector, first) as side:
        if side.stock_sink:
            side.stock_sink.send_quantities({"ABC-1": 4})
        order = placed(side, first)
        draft = drafted(side, order)
        side.status_sink.send_shipment(draft)
        held = first.state(connector.key)
        first.kill()
    with sandbox(tmp_path) as second, opened(connector, second) as side:
        assert second.state(connector.key) == held
        units = side.status_sink.read_units([order.marketplace_id])[order.marketplace_id]
        assert {unit.id for unit in units if unit.state == "shipped"} == set(draft.units)


def test_a_folder_of_an_older_version_goes_on(tmp_path: Path) -> None:
    for name, made in (("otto", Marketplace), ("xentral", Erp)):
        made(tmp_path / name)
        with sqlite3.connect(tmp_path / name / f"{name}.sqlite3") as db:
            for table in ("quantities", "shipments", "cancellations", "touched", "notes", "webhooks"):
                db.execute(f"drop table if exists {table}")
    with sandbox(tmp_path) as own:
        assert own.state("otto")["quantities"] == {}
        assert own.state("xentral")["shipments"] == []


def test_old_things_are_trimmed_with_their_orders(tmp_path: Path) -> None:
    store = Erp(tmp_path)
    store.save_products([{"sku": "A"}])
    for number in range(5):
        order_id = store.add_order({"externalOrderNumber": str(number), "positions": []})
        with store.transaction() as db:
            db.execute("insert into notes (order_id, changed, body) values (?, 0, '{}')", (order_id,))
            db.execute("insert into shipments (note_id, body) values (?, '{}')", (order_id,))
    store.trim(2)
    assert [order["externalOrderNumber"] for order in store.orders()] == ["3", "4"]
    assert [note["id"] for note in store.notes()] == ["4", "5"]
    assert [shipment["id"] for shipment in store.shipments()] == ["4", "5"]
    assert len(store.rows("select 1 from touched")) == 2


@pytest.mark.parametrize(("key", "operation"), [("otto", "list-quantities"), ("otto", "*"), ("xentral", "read-stock")])
def test_accepted_and_not_applied_fits_only_what_changes_something(stand: Stand, key: str, operation: str) -> None:
    wish = {"fault": "accepted_not_applied", "operation": operation}
    answer = httpx2.post(f"{stand.addresses[key]}/_sandbox/faults", json=wish)
    assert answer.status_code == 422
    assert "there are" in answer.json()["detail"]


def test_the_control_side_of_the_erp_says_what_it_cannot(stand: Stand) -> None:
    address = f"{stand.addresses['xentral']}/_sandbox"
    for path in ("orders/none/ship", "orders/none/release", "orders/none/cancel"):
        assert httpx2.post(f"{address}/{path}", json={}).status_code == 404
    assert httpx2.post(f"{address}/stock", json=[{"sku": "none", "reserved": 1}]).status_code == 404
    with opened(discover()["xentral"], stand) as side:
        created(side, stand, "limits")
        assert httpx2.post(f"{address}/orders/limits/release", json={}).status_code == 409
        unknown = {"lines": [{"sku": "none", "quantity": 1}]}
        assert httpx2.post(f"{address}/orders/limits/ship", json=unknown).status_code == 409
        assert httpx2.post(f"{address}/orders/limits/ship").status_code == 201
        for path in ("ship", "cancel"):
            assert httpx2.post(f"{address}/orders/limits/{path}", json={}).status_code == 409


def test_an_article_that_is_deleted_meanwhile_is_left_out_and_looked_up_again(stand: Stand) -> None:
    with opened(discover()["xentral"], stand) as side:
        assert [each.sku for each in side.stock_source.sellable(["ABC-1", "ABC-2"])] == ["ABC-1", "ABC-2"]
        stand.fault("xentral", "404", operation="read-stock")
        side.context.calls.clear()
        assert [each.sku for each in side.stock_source.sellable(["ABC-1", "ABC-2"])] == ["ABC-2"]
        assert [each.sku for each in side.stock_source.sellable(["ABC-1"])] == ["ABC-1"]
        assert side.context.calls.count(("find-products", "2xx")) == 1, "it may have another id now"


def test_only_orders_of_our_own_channel_are_told(stand: Stand) -> None:
    with opened(discover()["xentral"], stand) as side:
        erp_id = created(side, stand, "channels")
        hints = [Hint("order", erp_id)]
        for channel, told in (("4", ["channels"]), ("5", []), ("", ["channels"])):
            ours: Any = XentralStatus(side.settings.model_copy(update={"channel": channel}), side.http)
            assert list(ours.read_changes(["channels"])) == told
            assert [change.number for change in ours.changes_hinted(hints)] == told


def test_shipping_lowers_the_stock(stand: Stand) -> None:
    with opened(discover()["xentral"], stand) as side:
        stand.post("xentral", "stock", [{"sku": "ART-1001", "warehouses": {"1": 1, "2": 7}, "reserved": 0}])
        created(side, stand, "lowers", "ART-1001")
        (before,) = side.stock_source.sellable(["ART-1001"])
        stand.post("xentral", "orders/lowers/ship")
        (after,) = side.stock_source.sellable(["ART-1001"])
        assert (before.quantity, after.quantity) == (8, 6)


@pytest.mark.parametrize("connector", [pytest.param(each, id=key) for key, each in discover().items()])
@pytest.mark.parametrize("capability", CAPABILITIES)
def test_each_capability_opens_or_says_why_not(connector: Connector, capability: str) -> None:
    text = (connector.folder / "samples" / "settings.json").read_text(encoding="utf-8")
    values = json.loads(text.replace("{sandbox}", "http://127.0.0.1:9"))
    function: Any = getattr(opening, f"open_{capability}")
    if getattr(connector, capability):
        made, http = function(connector, values, Context(), 1.0)
        with http:
            assert made.ping
    else:
        with pytest.raises(ValueError, match=connector.title):
            function(connector, values, Context(), 1.0)
    with pytest.raises(ValueError, match="do not fit"):
        function(connector, {**values, "no such": 1}, Context(), 1.0)


@pytest.mark.parametrize("connector", [pytest.param(each, id=key) for key, each in discover().items()])
def test_secrets_are_stored_as_secrets(connector: Connector) -> None:
    given = json.loads((connector.folder / "samples" / "settings.json").read_text(encoding="utf-8"))
    secret = {each["name"] for each in described(connector)["settings"] if each["secret"]}
    assert {name for name, value in given.items() if str(value).startswith("canary")} == secret


@pytest.mark.parametrize("connector", [pytest.param(each, id=key) for key, each in discover().items()])
def test_webhooks_open_without_a_connection(connector: Connector) -> None:
    values = json.loads((connector.folder / "samples" / "settings.json").read_text(encoding="utf-8"))
    values["base_url"] = "http://127.0.0.1:9"
    if connector.webhooks:
        assert opening.open_webhooks(connector, values).hints
    else:
        with pytest.raises(ValueError, match="webhook"):
            opening.open_webhooks(connector, values)
