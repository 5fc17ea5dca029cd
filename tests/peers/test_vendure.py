"""What the marketplace's connector promises, asked against the real Vendure."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.connectors.contract import Connector, Mappings, Reason, RemoteError, ShipmentDraft, SourceOrder
from shared.connectors.http import Http
from shared.connectors.registry import discover
from shared.events.orders import Order, Shipment, ShipmentLine
from tests.connectors.conftest import Context
from tests.peers.vendure_people import SoldOut
from tests.peers.vendure_server import Running, real_vendure

pytestmark = [pytest.mark.peers, pytest.mark.timeout(900)]

INSTANT = timedelta(milliseconds=1)


@dataclasses.dataclass
class Side:
    """The connector's capabilities, opened against the shop."""

    source: Any
    status: Any
    stock: Any

    def told(self, since: datetime) -> list[SourceOrder]:
        """All that changed since then."""
        return [each for page in self.source.orders_changed(since) for each in page]

    def order(self, number: str) -> Order:
        order: Order = self.source.read_orders([number])[number].order
        return order

    def states(self, order: Order) -> Counter[str]:
        return Counter(unit.state for unit in self.status.read_units([order.marketplace_id])[order.marketplace_id])

    def draft(self, order: Order, number: str, *lines: tuple[str, int], **more: Any) -> ShipmentDraft:
        held = tuple(ShipmentLine(sku=sku, quantity=quantity) for sku, quantity in lines)
        shipment = Shipment(id=number, carrier="DHL", tracking_number=number, lines=held)
        units = self.status.read_units([order.marketplace_id])[order.marketplace_id]
        draft = self.status.draft_shipment(order, shipment, units, Mappings(), **more)
        assert isinstance(draft, ShipmentDraft), draft
        return draft


@contextmanager
def opened(shop: Running, deadline: float = 240.0, **settings: Any) -> Iterator[Side]:
    connector: Connector = discover()["vendure"]
    checked = connector.settings.model_validate({**shop.settings, **settings})
    assert connector.source
    assert connector.status_sink
    assert connector.stock_sink
    with Http.open(shop.address, Context(), deadline) as http:
        yield Side(*(build(checked, http) for build in (connector.source, connector.status_sink, connector.stock_sink)))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with real_vendure(tmp_path_factory.mktemp("vendure")) as running:
        yield running


@pytest.fixture
def side(shop: Running) -> Iterator[Side]:
    with opened(shop) as made:
        yield made


def mark() -> datetime:
    """Now: the shop runs here, by the same clock, and writes milliseconds."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def test_orders_are_told_once_each_oldest_first_and_add_up_to_the_cent(shop: Running, side: Side) -> None:
    since = mark()
    placed = dict(shop.place(7))
    told = side.told(since)
    assert {each.order.number: Decimal(each.order.total) for each in told} == placed
    assert len(told) == len(placed)
    assert [each.changed_at for each in told] == sorted(each.changed_at for each in told)
    for order in (each.order for each in told):
        assert Order.model_validate_json(order.model_dump_json()) == order
        assert (order.status, order.currency) == ("open", "EUR")
        assert order.payment
        assert order.shipping
        assert order.billing_address
        assert order.shipping_address
        assert order.payment.method == "invoice"
        assert order.shipping.tax_rate == "19.0"
        assert order.billing_address.country == "DE"
        goods = sum(Decimal(line.unit_price) * line.quantity for line in order.lines)
        off = sum(Decimal(each.amount) for each in order.discounts)
        assert goods + Decimal(order.shipping.price) - off == Decimal(order.total)
    assert {"standard-shipping", "express-shipping"} == {each.order.shipping.method for each in told}  # type: ignore[union-attr]
    assert any({each.tax_rate for each in told.order.discounts} == {"7.0", "19.0"} for told in told), "over two rates"
    assert not side.told(told[-1].changed_at + INSTANT)


def test_prices_without_tax_add_up_to_the_cent_too(shop: Running, side: Side) -> None:
    shop.people.keep_prices_with_tax(False)
    try:
        placed = dict(shop.place(6))
    finally:
        shop.people.keep_prices_with_tax(True)
    orders = [each.order for each in side.source.read_orders(list(placed)).values()]
    for order in orders:
        assert order.shipping
        goods = sum((Decimal(line.unit_price) * line.quantity).quantize(Decimal("0.01")) for line in order.lines)
        off = sum(Decimal(each.amount) for each in order.discounts)
        assert goods + Decimal(order.shipping.price) - off == Decimal(order.total) == placed[order.number]
        assert order.shipping.tax_rate == "19.0"
    assert any(len(line.unit_price.partition(".")[2]) == 4 for order in orders for line in order.lines)


def test_small_pages_lose_and_double_nothing(shop: Running, side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    since = mark()
    placed = dict(shop.place(5))
    expected = side.told(since)
    assert placed.keys() == {each.order.number for each in expected}
    monkeypatch.setattr("shared.connectors.vendure.sweep.PAGE", 2)
    with opened(shop, page_size=2) as small:
        assert small.told(since) == expected


@pytest.mark.parametrize("look_back_days", [14, 0])
def test_a_change_of_the_state_is_told_though_updated_at_stays(shop: Running, look_back_days: int) -> None:
    with opened(shop, look_back_days=look_back_days, announced_payments=["bank-transfer"]) as side:
        number, total = shop.people.buy({"ABC-1": 1, "Buch-7": 2}, "bank-transfer")
        first = side.source.read_orders([number])[number]
        assert (first.order.status, first.order.total) == ("announced", str(total))
        before = shop.people.order(number)
        since = mark()
        shop.people.settle(number)
        after = shop.people.order(number)
        assert (before["state"], after["state"]) == ("PaymentAuthorized", "PaymentSettled")
        assert before["updatedAt"] == after["updatedAt"], "should it follow one day, sweep.py can be simpler"
        (told,) = side.told(since)
        assert (told.order.number, told.order.status) == (number, "open")
        assert told.changed_at > first.changed_at


def test_what_the_shop_ships_and_cancels_is_told(shop: Running, side: Side) -> None:
    (shipped, _), (cancelled, _) = shop.place(2)
    since = mark()
    side.status.send_shipment(side.draft(side.order(shipped), f"S-{time.time_ns()}"))
    shop.people.cancel(cancelled)
    assert {each.order.number: each.order.status for each in side.told(since)} == {
        shipped: "open",
        cancelled: "cancelled",
    }
    assert side.source.read_orders([cancelled, "no such/order", "id:99999999"]).keys() == {cancelled}


def test_parcels_arrive_once_each_in_parts(shop: Running, side: Side) -> None:
    number, _ = shop.people.buy({"ABC-1": 3, "Buch-7": 1})
    order = side.order(number)
    first = side.draft(order, f"A-{number}", ("ABC-1", 2))
    second = side.draft(order, f"B-{number}", taken=first.units)
    assert side.status.find_shipments("DHL", f"A-{number}") == []
    sent = side.status.send_shipment(first)
    assert (sent.units, shop.state(number)) == (first.units, "PartiallyShipped")
    assert side.states(order) == {"shipped": 2, "open": 2}
    with pytest.raises(RemoteError) as caught:
        side.status.send_shipment(first)
    assert caught.value.reason is Reason.CONFLICT
    side.status.send_shipment(second)
    assert shop.state(number) == "Shipped"
    assert sorted(shop.shipments(number)) == [("DHL", f"A-{number}", 2), ("DHL", f"B-{number}", 2)]
    (hit,) = side.status.find_shipments("DHL", f"B-{number}")
    assert set(hit.units) == set(second.units)


def test_a_parcel_that_was_left_half_done_is_finished_and_not_made_again(shop: Running, side: Side) -> None:
    number, _ = shop.people.buy({"ABC-2": 2})
    order = side.order(number)
    draft = side.draft(order, f"H-{number}", ("ABC-2", 1))
    side.status._prepared(draft)  # and here a worker dies
    assert side.states(order) == {"open": 2}
    assert side.status.find_shipments("DHL", f"H-{number}") == []
    with opened(shop) as other:
        again = other.draft(order, f"H-{number}", ("ABC-2", 1))
        assert again.units == draft.units
        other.status.send_shipment(again)
    assert shop.shipments(number) == [("DHL", f"H-{number}", 1)]
    assert len(shop.people.order(number)["fulfillments"]) == 1


def test_pieces_that_somebody_else_has_shipped_are_a_conflict(shop: Running, side: Side) -> None:
    number, _ = shop.people.buy({"ABC-2": 1})
    order = side.order(number)
    ours, theirs = side.draft(order, f"O-{number}"), side.draft(order, f"T-{number}")
    side.status.send_shipment(theirs)
    with pytest.raises(RemoteError) as caught:
        side.status.send_shipment(ours)
    assert caught.value.reason is Reason.CONFLICT
    assert "ITEMS_ALREADY_FULFILLED_ERROR" in caught.value.detail
    assert side.status.find_shipments("DHL", f"O-{number}") == []


def test_an_order_that_is_only_authorised_ships_too(shop: Running, side: Side) -> None:
    number, _ = shop.people.buy({"ABC-2": 1}, "bank-transfer")
    order = side.order(number)
    side.status.send_shipment(side.draft(order, f"P-{number}"))
    assert side.states(order) == {"shipped": 1}
    assert shop.state(number) == "PaymentAuthorized"


def test_what_is_open_is_cancelled_and_comes_back_into_stock(shop: Running, side: Side) -> None:
    before = shop.stock("Mütze-L")
    number, _ = shop.people.buy({"Mütze-L": 3, "Mütze-S": 2})
    order = side.order(number)
    one = (ShipmentLine(sku="Mütze-S", quantity=1),)
    asked = side.status.cancel_units(order, one).asked
    assert len(asked) == 1
    again = side.status.cancel_units(order, one)
    assert (again.asked, again.cancelled) == ((), asked)
    assert side.order(number).lines[-1].quantity == 1
    side.status.send_shipment(side.draft(order, f"C-{number}", ("Mütze-S", 1)))
    rest = side.status.cancel_units(order)
    assert (len(rest.asked), rest.cancelled, len(rest.refused)) == (3, asked, 1)
    assert side.states(order) == {"cancelled": 4, "shipped": 1}
    assert shop.stock("Mütze-L") == before
    whole, _ = shop.people.buy({"ABC-1": 2})
    side.status.cancel_units(side.order(whole))
    assert (shop.state(whole), side.order(whole).status) == ("Cancelled", "cancelled")


def test_quantities_arrive_beside_what_is_sold_already(shop: Running, side: Side) -> None:
    assert side.stock.send_quantities({"Kühlbox/20L": 2, "Mütze-S": 7}) == {"Kühlbox/20L": None, "Mütze-S": None}
    assert (shop.stock("Kühlbox/20L"), shop.stock("Mütze-S")) == (2, 7)
    number, _ = shop.people.buy({"Kühlbox/20L": 2})
    assert side.stock.read_quantities(["Kühlbox/20L"])["Kühlbox/20L"].quantity == 0
    with pytest.raises(SoldOut):
        shop.people.buy({"Kühlbox/20L": 1})
    assert side.stock.send_quantities({"Kühlbox/20L": 0}) == {"Kühlbox/20L": None}
    side.status.send_shipment(side.draft(side.order(number), f"L-{number}"))
    assert shop.state(number) == "Shipped", "the last pieces can leave, because they came on top"
    assert shop.stock("Kühlbox/20L") == 0
    side.stock.send_quantities({"Kühlbox/20L": 500})
    shown = {each.sku: each.quantity for page in side.stock.quantities() for each in page}
    assert shown.keys() == set(shop.skus)
    assert shown["Kühlbox/20L"] == 500


def test_a_bad_article_fails_alone(shop: Running, side: Side) -> None:
    told = side.stock.send_quantities({"ABC-1": 800, "no such": 1, "ABC-2": -1, "Buch-7": 2**31, "Mütze-L": 900})
    assert {sku: problem and problem.code for sku, problem in told.items()} == {
        "ABC-1": None,
        "no such": "sku-not-listed",
        "ABC-2": "quantity-refused",
        "Buch-7": "quantity-refused",
        "Mütze-L": None,
    }
    assert (shop.stock("ABC-1"), shop.stock("Mütze-L")) == (800, 900)
    with opened(shop, stock_location="nowhere") as lost, pytest.raises(RemoteError, match="nowhere"):
        lost.stock.send_quantities({"ABC-1": 1})


def test_a_wrong_key_and_a_key_without_rights_are_told_apart(shop: Running) -> None:
    role = 'mutation { createRole(input: { code: "none", description: "x", permissions: [] }) { id } }'
    powerless = shop.people.key([shop.people.staff(role)["createRole"]["id"]])
    for key, reason in (("wrong", Reason.UNAUTHORISED), (powerless, Reason.FORBIDDEN)):
        with opened(shop, api_key=key) as side:
            for capability in (side.source, side.status, side.stock):
                with pytest.raises(RemoteError) as caught:
                    capability.ping()
                assert caught.value.reason is reason
    with opened(shop) as side:
        for capability in (side.source, side.status, side.stock):
            capability.ping()


def test_a_kill_loses_no_order(shop: Running, side: Side) -> None:
    since = mark()
    placed = dict(shop.place(2))
    shop.kill()
    with pytest.raises(RemoteError) as caught:
        side.told(since)
    assert caught.value.reason is Reason.UNREACHABLE
    shop.start()
    placed |= dict(shop.place(1))
    assert placed.keys() == {each.order.number for each in side.told(since)}
