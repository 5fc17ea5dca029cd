"""What goes back to Vendure, where the suite cannot know it: half done parcels, batches, errors as data."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from shared.connectors.contract import Mappings, Reason, RemoteError, ShipmentDraft
from shared.connectors.http import Answer
from shared.connectors.vendure.client import VendureOrders
from shared.connectors.vendure.sandbox_graphql import Document, Invalid, Refused
from shared.connectors.vendure.status import VendureStatus
from shared.connectors.vendure.stock import VendureStock
from shared.events.orders import Order, Shipment, ShipmentLine
from tests.support.vendure_stand import InProcess


class Parcels:
    """An order of four pieces of A, and what is sent of it."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.http = InProcess(folder, **settings)
        self.http.products("A")
        (self.number,) = self.http.market.place(1, skus=["A"], units=4)
        self.sink: Any = VendureStatus(self.http.settings, self.http)  # type: ignore[arg-type]
        self.order: Order = self.source.read_orders([self.number])[self.number].order

    @property
    def source(self) -> Any:
        return VendureOrders(self.http.settings, self.http)  # type: ignore[arg-type]

    def draft(self, tracking: str | None, quantity: int, **more: Any) -> Any:
        line = ShipmentLine(sku="A", quantity=quantity)
        shipment = Shipment(id="s", carrier="DHL", tracking_number=tracking, lines=(line,))
        units = self.sink.read_units([self.number])[self.number]
        return self.sink.draft_shipment(self.order, shipment, units, Mappings(), **more)

    def held(self) -> list[tuple[str, str, int]]:
        return [
            (each["trackingCode"], each["state"], each["lines"][0]["quantity"])
            for each in self.http.store.fulfilments.values()
        ]


@pytest.fixture
def parcels(tmp_path: Path) -> Parcels:
    return Parcels(tmp_path)


def test_a_parcel_left_half_done_is_finished_by_whoever_comes_next(parcels: Parcels) -> None:
    draft = parcels.draft("T-1", 2)
    parcels.sink._prepared(draft)
    other: Any = VendureStatus(parcels.http.settings, parcels.http)  # type: ignore[arg-type]
    assert other.find_shipments("DHL", "T-1", parcels.number) == []
    again = parcels.draft("T-1", 2)
    assert again.units == draft.units
    assert parcels.draft("T-2", 2).units == ("1001/3", "1001/4"), "what is prepared for one parcel is not for another"
    other.send_shipment(again)
    assert parcels.held() == [("T-1", "Shipped", 2)]
    with pytest.raises(RemoteError) as caught:
        other.send_shipment(again)
    assert caught.value.reason is Reason.CONFLICT
    (hit,) = other.find_shipments("DHL", "T-1", parcels.number)
    assert hit.units == draft.units


def test_two_parcels_may_bear_one_number(parcels: Parcels) -> None:
    first = parcels.draft("T-1", 1)
    second = parcels.draft("T-1", 2, taken=first.units)
    parcels.sink.send_shipment(first)
    parcels.sink.send_shipment(second)
    assert parcels.held() == [("T-1", "Shipped", 1), ("T-1", "Shipped", 2)]
    assert [set(hit.units) for hit in parcels.sink.find_shipments("DHL", "T-1", parcels.number)] == [
        set(first.units),
        set(second.units),
    ]


def test_the_same_parcel_on_other_pieces_is_not_sent_again(parcels: Parcels) -> None:
    """Somebody cancels the fulfilment before it by hand, and its pieces are counted anew."""
    draft = parcels.draft("T-2", 1, taken=parcels.draft("T-1", 1).units)
    parcels.sink.send_shipment(draft)
    assert parcels.sink.find_shipments("DHL", "T-2", parcels.number)[0].units != draft.units
    with pytest.raises(RemoteError) as caught:
        parcels.sink.send_shipment(draft)
    assert caught.value.reason is Reason.CONFLICT
    assert parcels.held() == [("T-2", "Shipped", 1)]


def test_letters_need_no_number(tmp_path: Path) -> None:
    letters = Parcels(tmp_path, untracked_carriers=["dhl"])
    draft = letters.draft(None, 2)
    letters.sink._prepared(draft)
    letters.sink.send_shipment(draft)
    assert letters.held() == [("", "Shipped", 2)]
    with pytest.raises(RemoteError) as caught:
        letters.sink.send_shipment(draft)
    assert caught.value.reason is Reason.CONFLICT
    rest = letters.draft(None, 2)
    letters.sink.send_shipment(rest)
    assert letters.held() == [("", "Shipped", 2)] * 2


def test_what_cannot_be_fulfilled_says_why(parcels: Parcels) -> None:
    for level in parcels.http.store.variants["1"]["stockLevels"]:
        level["stockOnHand"] = 0
    with pytest.raises(RemoteError) as caught:
        parcels.sink.send_shipment(parcels.draft("T-1", 1))
    assert caught.value.reason is Reason.INVALID
    assert "INSUFFICIENT_STOCK_ON_HAND_ERROR" in caught.value.detail
    assert "insufficient stockOnHand" in caught.value.problems[0].values["message"]


def test_a_surcharge_is_neither_shipped_nor_in_the_way(parcels: Parcels) -> None:
    fee = {"id": "fee", "sku": "SURCHARGE", "quantity": 1, "unit_price": "1.50"}
    order = parcels.order.model_dump(mode="json")
    order = Order.model_validate({**order, "lines": [*order["lines"], fee]})
    lines = (ShipmentLine(sku="A", quantity=4), ShipmentLine(sku="SURCHARGE", quantity=1))
    shipment = Shipment(id="s", carrier="DHL", tracking_number="T", lines=lines)
    units = parcels.sink.read_units([parcels.number])[parcels.number]
    draft = parcels.sink.draft_shipment(order, shipment, units, Mappings())
    assert isinstance(draft, ShipmentDraft)
    assert (len(draft.units), draft.remarks) == (4, ())


# -- stock -----------------------------------------------------------------------------------------------------------


def stock(http: InProcess) -> Any:
    return VendureStock(http.settings, http)  # type: ignore[arg-type]


def test_what_is_allocated_comes_on_top(tmp_path: Path) -> None:
    http = InProcess(tmp_path)
    http.products("A")
    sink = stock(http)
    sink.send_quantities({"A": 1})
    http.market.place(1, skus=["A"], units=1)
    assert sink.read_quantities(["A"])["A"].quantity == 0
    sink.send_quantities({"A": 0})
    level = http.store.level(http.store.variants["1"], "1")
    assert level is not None
    assert (level["stockOnHand"], level["stockAllocated"]) == (1, 1)
    assert http.calls.count("list-locations") == 1, "the location is learned once"


def test_one_that_is_deleted_meanwhile_spoils_nothing_for_the_others(tmp_path: Path) -> None:
    http = InProcess(tmp_path)
    skus = [f"S-{number}" for number in range(100)]
    http.products(*skus)

    def meanwhile(operation: str) -> None:
        if operation == "send-quantities":
            for gone in ("8", "78"):
                http.store.variants.pop(gone, None)

    http.before = meanwhile
    told = stock(http).send_quantities(dict.fromkeys(skus, 3))
    assert {sku: problem.code for sku, problem in told.items() if problem} == {
        "S-7": "sku-not-listed",
        "S-77": "sku-not-listed",
    }
    assert told.keys() == set(skus)
    assert Counter(http.store.quantities().values()) == {3: 98}
    assert http.calls.count("send-quantities") < 30


def test_variants_that_cannot_take_a_quantity(tmp_path: Path) -> None:
    http = InProcess(tmp_path)
    http.products("twice", "other", "endless")
    http.store.variants["2"]["sku"] = "twice"
    http.store.variants["3"]["trackInventory"] = "FALSE"
    told = stock(http).send_quantities({"twice": 1, "endless": 1})
    assert {sku: problem.values["detail"] for sku, problem in told.items()} == {
        "twice": "2 variants have this SKU",
        "endless": "the variant does not track its stock",
    }
    assert "send-quantities" not in http.calls
    assert stock(http).read_quantities(["twice"]) == {}


@pytest.mark.parametrize(("location", "fits"), [("", True), ("2", True), ("Outlet", True), ("Nowhere", False)])
def test_locations(tmp_path: Path, location: str, fits: bool) -> None:
    http = InProcess(tmp_path, stock_location=location)
    if fits:
        stock(http).ping()
        return
    with pytest.raises(RemoteError, match="Nowhere"):
        stock(http).ping()


# -- errors as data --------------------------------------------------------------------------------------------------


class Says:
    """An Http that always answers the same."""

    base_url = "http://says"
    deadline = 1.0

    def __init__(self, body: Any) -> None:
        self.body = body

    def request_json(self, *_: Any, **__: Any) -> Answer:
        return Answer(200, {}, self.body)


def error(code: str | None) -> Any:
    extensions = {} if code is None else {"extensions": {"code": code}}
    return {"errors": [{"message": "no", "path": ["orders", 0], **extensions}], "data": None}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (error("FORBIDDEN"), Reason.FORBIDDEN),
        (error("ENTITY_NOT_FOUND"), Reason.NOT_FOUND),
        (error("USER_INPUT_ERROR"), Reason.INVALID),
        (error("INTERNAL_SERVER_ERROR"), Reason.UNAVAILABLE),
        (error(None), Reason.UNAVAILABLE),
        ({"data": None}, Reason.BROKEN_ANSWER),
        ([], Reason.BROKEN_ANSWER),
        (None, Reason.BROKEN_ANSWER),
        ({"data": {"orders": None}}, Reason.BROKEN_ANSWER),
        ({"data": {"orders": {"items": [7]}}}, Reason.BROKEN_ANSWER),
    ],
)
def test_errors_as_data_have_their_reason(tmp_path: Path, body: Any, reason: Reason) -> None:
    source: Any = VendureOrders(InProcess(tmp_path).settings, Says(body))  # type: ignore[arg-type]
    with pytest.raises(RemoteError) as caught:
        source.read_orders(["X"])
    assert caught.value.reason is reason
    if "errors" in (body or ()):
        assert [(each.code, each.field) for each in caught.value.problems] == [("remote-refused", "orders.0")]


@pytest.mark.parametrize(
    "text",
    ["{ orders }", "query X { orders { items { nonsense } } }", "query X { nothing }", "query X { orders { items }",
     "query X { orders(options: {filter: {nonsense: {eq: 1}}}) { items { id } } }", "query X { orders { items } }"],
)  # fmt: skip
def test_the_stand_in_refuses_what_the_shop_would(tmp_path: Path, text: str) -> None:
    http = InProcess(tmp_path)
    http.products("A")
    http.market.place(1)
    roots = http.market._shop.roots(True)
    with pytest.raises((Invalid, Refused)):
        Document(text).answer(roots, {})
