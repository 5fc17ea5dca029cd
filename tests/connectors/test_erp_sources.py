"""What every ERP that tells stock, status or webhooks promises, asked of each against its own stand-in."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx2
import pytest

from shared.connectors.contract import ArticleFilter, Connector, Hint, OrderChange, OwnTokens
from shared.connectors.http import Answer
from shared.connectors.registry import discover
from shared.errors.catalogue import catalogue
from shared.events.orders import OrderChanged
from tests.connectors.conftest import Opened, having, opened
from tests.connectors.test_conformance import draft_of
from tests.support.sandbox import Stand, sandbox

pytestmark = pytest.mark.servers

STOCK = having("stock_source")
STATUS = having("status_source")
WEBHOOKS = having("webhooks")


def created(side: Opened, stand: Stand, number: str, *skus: str) -> str:
    """An order in the ERP that its search shows already; two of the first SKU, one of each other."""
    stand.settings(side.connector.key, search_lag=0)
    return str(side.sink.create_order(draft_of(side, number, skus or ("ABC-1", "ABC-2"))).id)


def now_of(side: Opened, number: str) -> OrderChange:
    (change,) = side.status_source.read_changes([number])[number]
    assert isinstance(change, OrderChange)
    return change


@pytest.mark.parametrize("connector", STOCK)
def test_articles_are_found_by_each_filter(connector: Connector, tmp_path: Any) -> None:
    with sandbox(tmp_path) as own, opened(connector, own) as side:
        variants = [{"sku": f"Hoodie/{size}", "name": f"Hoodie {size}", "parent": "Hoodie"} for size in "SML"]
        foreign = {"sku": "MIT-FREMD", "name": "Mit Fremdnummer", "foreign": {"9": "FREMD/1"}}
        own.post(connector.key, "products", [*variants, foreign])

        def skus(**wanted: Any) -> set[str]:
            pages = list(side.stock_source.articles(ArticleFilter(**wanted)))
            found = [article.sku for page in pages for article in page]
            assert len(found) == len(set(found))
            return set(found)

        assert skus(skus=("Hoodie/S", "hoodie/m", "ABC-1", "no such")) == {"Hoodie/S", "ABC-1"}
        assert skus(name="oodie") >= {"Hoodie", "Hoodie/S"}
        assert skus(parent_sku="Hoodie") == {"Hoodie/S", "Hoodie/M", "Hoodie/L"}
        assert skus(parent_sku="no such") == set()
        assert "Hoodie" in skus(kind="parent")
        assert skus(kind="variant", name="Hoodie") == {"Hoodie/S", "Hoodie/M", "Hoodie/L"}
        assert skus(kind="simple") >= {"ABC-1", "MIT-FREMD"}
        ((one,),) = side.stock_source.articles(ArticleFilter(foreign_skus=("FREMD/1", "FREMD/2")))
        assert (one.sku, one.foreign_sku) == ("MIT-FREMD", "FREMD/1")
        ((one,),) = side.stock_source.articles(ArticleFilter(skus=("Hoodie/M",)))
        assert (one.kind, one.parent_sku, one.name) == ("variant", "Hoodie", "Hoodie M")
        hints = [Hint("article", one.id), Hint("article", "999999"), Hint("order", one.id)]
        assert side.stock_source.articles_hinted(hints) == [one]


@pytest.mark.parametrize("connector", STOCK)
def test_paging_ends_and_shows_every_article_once(connector: Connector, tmp_path: Any) -> None:
    with sandbox(tmp_path) as own, opened(connector, own) as side:
        own.products(connector.key, *[f"Seite/{number}" for number in range(120)])
        pages = list(side.stock_source.articles(ArticleFilter()))
        found = [article.sku for page in pages for article in page]
        assert len(pages) > 1
        assert sorted(found) == sorted(product["sku"] for product in own.state(connector.key)["products"])
        asked = tuple(f"Seite/{number}" for number in range(120))
        assert sum(len(page) for page in side.stock_source.articles(ArticleFilter(skus=asked))) == 120


@pytest.mark.parametrize("connector", STOCK)
def test_quantities_are_read_now_and_unknown_skus_left_out(connector: Connector, stand: Stand) -> None:
    with opened(connector, stand) as side:
        figures = {"warehouses": {"1": 6, "2": 2}, "reserved": 3}
        stand.post(connector.key, "stock", [{"sku": "ABC-1", **figures}, {"sku": "Kühlbox/20L", **figures}])
        told = list(side.stock_source.sellable(["ABC-1", "no such", "Kühlbox/20L", "ABC-1"]))
        assert [(each.sku, each.quantity) for each in told] == [("ABC-1", 5), ("Kühlbox/20L", 5)]
        stand.post(connector.key, "stock", [{"sku": "ABC-1", "reserved": 99}])
        assert [each.quantity for each in side.stock_source.sellable(["ABC-1"])] == [0]


@pytest.mark.parametrize("connector", STATUS)
def test_an_order_is_told_from_release_to_the_last_parcel(connector: Connector, stand: Stand) -> None:
    with opened(connector, stand) as side:
        erp_id = created(side, stand, "way/1")
        first = now_of(side, "way/1")
        assert (first.status, first.erp_number, first.marketplace_id) == ("released", erp_id, "m-way/1")
        assert first.shipments == ()
        parcel = {"lines": [{"sku": "ABC-1", "quantity": 1}], "parcels": [{"carrier": "DHL", "tracking_number": "T-1"}]}
        stand.post(connector.key, "orders/way/1/ship", {**parcel, "sent": False})
        assert now_of(side, "way/1").shipments == (), "a label is no shipment yet"
        stand.post(
            connector.key, "orders/way/1/ship", {**parcel, "parcels": [{"carrier": "UPS", "tracking_number": "T-2"}]}
        )
        second = now_of(side, "way/1")
        assert second.status == "partially_shipped"
        assert [(each.carrier, each.tracking_number) for each in second.shipments] == [("UPS", "T-2")]
        assert [(line.sku, line.quantity) for line in second.shipments[0].lines] == [("ABC-1", 1)]
        assert second.shipments[0].shipped_at
        assert second == now_of(side, "way/1"), "the same state gives the same value"
        assert isinstance(second.data("some-interface"), OrderChanged)
        assert side.status_source.read_changes(["no such", "WAY/1"]) == {}


@pytest.mark.parametrize("connector", STATUS)
def test_everything_shipped_in_two_parcels_and_a_cancelled_order(connector: Connector, stand: Stand) -> None:
    with opened(connector, stand) as side:
        created(side, stand, "whole")
        created(side, stand, "off")
        created(side, stand, "draft")
        two = [{"carrier": "DHL", "tracking_number": "W-1"}, {"carrier": "DHL", "tracking_number": "W-2"}]
        stand.post(connector.key, "orders/whole/ship", {"parcels": two})
        stand.post(connector.key, "orders/off/cancel")
        stand.post(connector.key, "orders/draft/status", {"status": "created"})
        found = side.status_source.read_changes(["whole", "off", "draft"])
        assert {number: [each.status for each in changes] for number, changes in found.items()} == {
            "whole": ["shipped"],
            "off": ["cancelled"],
        }
        parcels = found["whole"][0].shipments
        assert [each.tracking_number for each in parcels] == ["W-1", "W-2"]
        held = [(line.sku, line.quantity) for each in parcels for line in each.lines]
        order = next(
            each for each in stand.state(connector.key)["salesOrders"] if each["externalOrderNumber"] == "whole"
        )
        assert sum(quantity for _, quantity in held) == sum(int(each["quantity"]) for each in order["positions"])
        assert {line.line_id for each in parcels for line in each.lines} <= {
            each["webId"] for each in order["positions"]
        }


@pytest.mark.parametrize("connector", STATUS)
def test_the_poll_sees_what_changed_since_and_ends(connector: Connector, tmp_path: Any) -> None:
    with sandbox(tmp_path) as own, opened(connector, own) as side:
        for number in range(60):
            created(side, own, f"poll-{number}")
        time.sleep(1.1)
        since = datetime.now(UTC)
        own.post(connector.key, "orders/poll-7/ship")
        own.post(connector.key, "orders/poll-8/cancel")
        own.post(connector.key, "orders/poll-9/ship", {"lines": [{"sku": "ABC-2", "quantity": 1}]})
        seen = [change for page in side.status_source.changed_since(since) for change in page]
        now = {(change.number, change.status) for change in seen}
        assert now >= {("poll-7", "shipped"), ("poll-8", "cancelled"), ("poll-9", "partially_shipped")}
        assert all(change.changed_at and change.changed_at >= since - timedelta(seconds=1) for change in seen)
        assert len({change.number for change in seen}) < 10
        assert not list(side.status_source.changed_since(datetime.now(UTC) + timedelta(minutes=1)))
        pages = list(side.status_source.changed_since(since - timedelta(hours=1)))
        assert len(pages) > 1
        assert {change.number for page in pages for change in page} == {f"poll-{number}" for number in range(60)}
        assert all(change.changed_at for page in pages for change in page)


@contextmanager
def listening() -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """A receiver of webhooks and what it got."""
    got: list[tuple[dict[str, str], bytes]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((dict(self.headers.items()), body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hooks", got
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("connector", WEBHOOKS)
def test_webhooks_are_posted_signed_and_lead_to_what_changed(connector: Connector, tmp_path: Any) -> None:
    with sandbox(tmp_path) as own, listening() as (url, got), opened(connector, own) as side:
        given = json.loads((side.samples / "settings.json").read_text(encoding="utf-8"))
        address = own.addresses[connector.key]
        token = {"Authorization": f"Bearer {given['token']}"}
        types = httpx2.get(f"{address}/api/v1/webhookEventTypes", headers=token).json()["data"]
        hook = {"name": "Connect", "url": url, "signatureKey": given["webhook_key"]}
        hook["events"] = [{"id": each["id"]} for each in types]
        assert httpx2.post(f"{address}/api/v1/webhooks", json=hook, headers=token).status_code == 201
        created(side, own, "hooked")
        own.post(connector.key, "stock", [{"sku": "ABC-3", "warehouses": {"1": 1}, "pseudo": 4}])
        own.post(connector.key, "orders/hooked/ship", {"lines": [{"sku": "ABC-1", "quantity": 1}]})
        ends = time.monotonic() + 10
        while not any(b"shipment.created" in body for _, body in got):
            assert time.monotonic() < ends, got
            time.sleep(0.05)
        hints: list[Hint] = []
        for headers, body in got:
            assert side.webhooks.refusal(headers, body, datetime.now(UTC)) is None
            hints += side.webhooks.hints(body)
        assert {article.sku for article in side.stock_source.articles_hinted(hints)} >= {"ABC-3"}
        kinds = {kind: [hint for hint in hints if hint.kind == kind] for kind in ("order", "delivery", "article")}
        assert all(kinds.values())
        for kind in ("order", "delivery"):
            (change,) = side.status_source.changes_hinted(kinds[kind])
            assert (change.number, change.status) == ("hooked", "partially_shipped")
        gone = [Hint("order", "999999"), Hint("delivery", "999999"), *kinds["article"]]
        assert side.status_source.changes_hinted(gone) == []
        headers, body = got[0]
        for bad in (
            {},
            {**headers, **dict.fromkeys(headers, "x")},
            {key: value[::-1] for key, value in headers.items()},
        ):
            assert side.webhooks.refusal(bad, body, datetime.now(UTC)).code == "webhook-signature-wrong"
        assert side.webhooks.refusal(headers, body + b" ", datetime.now(UTC)).code == "webhook-signature-wrong"
        for off in (timedelta(days=1), timedelta(days=-1)):
            assert side.webhooks.refusal(headers, body, datetime.now(UTC) + off).code == "webhook-too-old"


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"type": 1, "body": {}}', b'{"type": "x", "body": []}', b"\xff"])
@pytest.mark.parametrize("connector", WEBHOOKS)
def test_a_body_that_is_no_event_is_said_to_be_none(connector: Connector, body: bytes) -> None:
    with pytest.raises(ValueError, match="event"):
        Opened(connector, "http://127.0.0.1:9", 1.0).webhooks.hints(body)


class Recorded:
    """In place of the HTTP client: answers that were written down, by path; where all calls go to one address by POST,
    by operation, and only operations that are written down are known to be reads."""

    base_url = "http://recorded"
    deadline = 1.0
    at_once = 1

    def __init__(self, answers: dict[str, Any]) -> None:
        self.tokens = OwnTokens()
        self._answers = answers

    def request_json(self, operation: str, method: str, path: str, **_: Any) -> Answer:
        assert method in ("GET", "POST")
        return Answer(200, {}, self._answers[path if method == "GET" else operation])


def samples(kind: str) -> list[Any]:
    found = [
        (key, each, path) for key, each in discover().items() for path in each.folder.glob(f"samples/{kind}-*.json")
    ]
    return [
        pytest.param(each, path, id=f"{key}-{path.stem}") for key, each, path in sorted(found, key=lambda one: one[2])
    ]


@pytest.mark.parametrize(("connector", "path"), samples("change"))
def test_recorded_orders_become_the_change_they_expect(connector: Connector, path: Any) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    side = Opened(connector, "http://127.0.0.1:9", 1.0)
    build: Any = connector.status_source
    found = build(side.settings, Recorded(content["answers"])).read_changes([content["number"]])
    told = [
        change.data("any").model_dump(mode="json", exclude={"interface"}) for change in found.get(content["number"], [])
    ]
    assert told == content["changes"]


@pytest.mark.parametrize(("connector", "path"), samples("stock"))
def test_recorded_stock_becomes_the_quantity_it_expects(connector: Connector, path: Any) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    given = json.loads((connector.folder / "samples" / "settings.json").read_text(encoding="utf-8"))
    build: Any = connector.stock_source
    for settings, quantity in ((each["settings"], each["quantity"]) for each in content["expected"]):
        rules = connector.settings.model_validate({**given, "base_url": "http://recorded", **settings})
        (told,) = build(rules, Recorded(content["answers"])).sellable([content["sku"]])
        assert (told.sku, told.quantity) == (content["sku"], quantity), settings


@pytest.mark.parametrize(("connector", "path"), samples("webhook"))
def test_recorded_webhooks_become_the_hints_they_expect(connector: Connector, path: Any) -> None:
    side = Opened(connector, "http://127.0.0.1:9", 1.0)
    for each in json.loads(path.read_text(encoding="utf-8")):
        told = side.webhooks.hints(json.dumps(each["event"]).encode())
        assert [[hint.kind, hint.id] for hint in told] == each["hints"], each


def test_every_erp_brings_samples() -> None:
    for kind, capability in (("change", "status_source"), ("stock", "stock_source"), ("webhook", "webhooks")):
        for connector in (each.values[0] for each in having(capability)):
            assert isinstance(connector, Connector)
            assert list(connector.folder.glob(f"samples/{kind}-*.json")), f"{connector.key} has no {kind} sample"


def test_what_webhooks_are_refused_for_is_explained() -> None:
    assert {"webhook-key-missing", "webhook-signature-wrong", "webhook-too-old"} <= catalogue().keys()
