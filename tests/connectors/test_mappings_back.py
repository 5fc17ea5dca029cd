"""Pure parts of single connectors for the flows back, where the samples do not say enough: tables of cases."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.connectors.otto.carriers import CODES, carrier_code
from shared.connectors.otto.countries import alpha_3
from shared.connectors.otto.shipment import pick, units_of
from shared.connectors.otto.stock import _named
from shared.connectors.xentral.change import Delivery, order_change
from shared.connectors.xentral.sellable import Levels, levels_of, sellable
from shared.connectors.xentral.settings import XentralSettings
from shared.connectors.xentral.webhook import XentralWebhooks, hints, signature
from shared.events.orders import Order, ShipmentLine

SPECS = Path(__file__).parents[3] / "shared" / "specs"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("DHL", "DHL"),
        ("dhl", "DHL"),
        (" DHL Paket ", "DHL"),
        ("DHL Express", "DHL_EXPRESS"),
        ("DHL Express 12:00", "DHL_EXPRESS"),
        ("DHL-Freight Eurapid", "DHL_FREIGHT"),
        ("DHL 2-Mann-Handling", "DHL_2_MANN_HANDLING"),
        ("Deutsche Post DHL", "DHL"),
        ("Hermes Versand", "HERMES"),
        ("Hermes Einrichtungs-Service", "HES"),
        ("DPD Classic", "DPD"),
        ("GLS", "GLS"),
        ("UPS Standard", "UPS"),
        ("DB Schenker", "DB_SCHENKER"),
        ("Kühne + Nagel", "KUEHNE_NAGEL"),
        ("Kühne und Nagel", "KUEHNE_NAGEL"),
        ("FedEx", "FEDEX"),
        ("other_forwarder", "OTHER_FORWARDER"),
        ("Koch", "KOCH"),
        ("Koch & Söhne", None),  # a common name: what follows it may be another company
        ("Deutsche Post", None),
        ("DHLX", None),
        ("Brieftaube", None),
        ("", None),
        (None, None),
    ],
)
def test_carriers(name: str | None, code: str | None) -> None:
    assert carrier_code(name) == code


def test_carriers_are_those_of_the_description() -> None:
    assert all(carrier_code(code) == code for code in CODES)
    for path in SPECS.glob("otto-market*.json") if SPECS.is_dir() else ():
        schemas = json.loads(path.read_text(encoding="utf-8"))["components"]["schemas"]
        assert set(schemas["TrackingKeyShipmentsV1"]["properties"]["carrier"]["enum"]) == CODES


@pytest.mark.parametrize(
    ("given_code", "code"), [("DE", "DEU"), ("deu", "DEU"), ("at", "AUT"), ("XX", None), ("", None)]
)
def test_countries_back(given_code: str, code: str | None) -> None:
    assert alpha_3(given_code) == code


def test_an_error_belongs_to_the_longest_sku_that_it_names() -> None:
    said = [{"detail": "unknown sku ABC-1-XL"}, {"detail": "The quantity of ABC-1 is bad"}, {"title": "whatever"}]
    assert _named(said, ["ABC-1", "ABC-1-XL", "BC", "A"]) == {"ABC-1-XL": said[0], "ABC-1": said[1]}


def order_with(*lines: tuple[str, str, int]) -> Order:
    return Order.model_validate(
        {
            "number": "1",
            "marketplace_id": "m",
            "ordered_at": "2026-11-23T10:00:00Z",
            "currency": "EUR",
            "total": "1.00",
            "lines": [
                {
                    "id": f"{name}0",
                    "sku": sku,
                    "quantity": count,
                    "unit_price": "1.00",
                    "marketplace_ids": [f"{name}{number}" for number in range(count)],
                }
                for name, sku, count in lines
            ],
        }
    )


def units_for(order: Order) -> Any:
    items = [
        {"positionItemId": unit, "fulfillmentStatus": "PROCESSABLE", "product": {"sku": line.sku}}
        for line in order.lines
        for unit in line.marketplace_ids
    ]
    return units_of({"positionItems": items})


@pytest.mark.parametrize(
    ("lines", "picked", "short", "codes"),
    [
        ([("A", 2, None)], ["a0", "a1"], 0, []),
        ([("A", 3, None)], ["a0", "a1", "b0"], 0, []),  # two lines of one SKU, at two prices
        ([("A", 1, "b0")], ["b0"], 0, []),
        ([("A", 2, "b0")], ["b0", "a0"], 0, []),  # more than the named line holds: the same goods elsewhere
        ([("A", 1, "gone")], ["a0"], 0, []),
        ([("A", 1, None), ("A", 1, None)], ["a0", "a1"], 0, []),
        ([("A", 5, None), ("C", 1, None)], ["a0", "a1", "b0", "c0"], 2, []),
        ([("X", 1, None), ("C", 1, None)], ["c0"], 0, ["shipment-line-unknown"]),
        ([("other number", 1, "c0")], ["c0"], 0, []),
    ],
)
def test_units_are_picked_for_lines(lines: Any, picked: list[str], short: int, codes: list[str]) -> None:
    order = order_with(("a", "A", 2), ("b", "A", 1), ("c", "C", 1))
    asked = [ShipmentLine(sku=sku, quantity=count, line_id=line_id) for sku, count, line_id in lines]
    found, missing, problems = pick(order, asked, units_for(order))
    assert [unit.id for unit in found] == picked
    assert sum(count for _, count in missing) == short
    assert [problem.code for problem in problems] == codes


@given(st.lists(st.tuples(st.sampled_from("ABX"), st.integers(1, 5)), max_size=6))
def test_no_unit_is_picked_twice(lines: list[tuple[str, int]]) -> None:
    order = order_with(("a", "A", 3), ("b", "B", 2))
    asked = [ShipmentLine(sku=sku, quantity=count) for sku, count in lines]
    found, missing, _ = pick(order, asked, units_for(order))
    assert len({unit.id for unit in found}) == len(found)
    assert len(found) + sum(short for _, short in missing) == sum(count for sku, count in lines if sku != "X")


def test_a_status_from_the_future_is_left_alone() -> None:
    (unit,) = units_of({"positionItems": [{"positionItemId": "1", "fulfillmentStatus": "TELEPORTED"}, {"x": 1}, "y"]})
    assert unit.state == "announced"


FULL = Levels(
    total=Decimal(6),
    warehouses={"1": Decimal(4), "2": Decimal(2)},
    reserved=Decimal(2),
    open_orders=Decimal(1),
    correction=Decimal(-1),
    pseudo=Decimal(50),
)
NONE = {"reservations": False}


@pytest.mark.parametrize(
    ("rules", "levels", "quantity"),
    [
        (NONE, FULL, 6),
        ({}, FULL, 4),  # reservations count unless switched off
        ({**NONE, "open_orders": True}, FULL, 5),
        ({"open_orders": True}, FULL, 3),
        ({**NONE, "correction": True}, FULL, 5),
        ({"open_orders": True, "correction": True}, FULL, 2),
        ({**NONE, "warehouses": "1"}, FULL, 4),
        ({**NONE, "warehouses": "1, 2"}, FULL, 6),
        ({**NONE, "warehouses": "3"}, FULL, 0),  # chosen, and holds nothing of it
        ({"warehouses": "2"}, FULL, 0),  # reservations are not told by warehouse, so they count whole
        ({"warehouses": "2", "open_orders": True}, FULL, 0),  # never below nothing
        ({"pseudo_stock": True}, FULL, 50),  # instead of everything else
        ({"pseudo_stock": True, "correction": True, "open_orders": True}, FULL, 50),
        ({"pseudo_stock": True}, Levels(total=Decimal(3), pseudo=None), 3),
        ({"pseudo_stock": True}, Levels(total=Decimal(3), pseudo=Decimal(0)), 0),  # sold off: nought is a value
        ({"pseudo_stock": True}, Levels(total=Decimal(3), pseudo=Decimal(-4)), 0),
        (NONE, Levels(total=Decimal("2.9")), 2),
        ({}, Levels(total=Decimal("2.5"), reserved=Decimal("0.5")), 2),
        ({}, Levels(total=Decimal("0.5"), reserved=Decimal("0.9")), 0),
        (NONE, Levels(total=Decimal(-3)), 0),
        ({**NONE, "correction": True}, Levels(total=Decimal(1), correction=Decimal(4)), 5),
        (NONE, Levels(total=Decimal(10) ** 12), 10**9),
    ],
)
def test_the_sellable_quantity(rules: dict[str, Any], levels: Levels, quantity: int) -> None:
    settings = XentralSettings.model_validate({"base_url": "https://x.example.org", "token": "t", **rules})
    assert sellable(levels, settings) == quantity


def test_stock_figures_in_all_their_spellings() -> None:
    assert levels_of({"warehouses": [{"id": 1, "physical": "2.50"}, {"id": "2", "physical": 1}]}) == Levels(
        total=Decimal("3.50"), warehouses={"1": Decimal("2.50"), "2": Decimal(1)}
    )
    assert levels_of({"totals": {"physical": 3, "reserved": None, "pseudoStock": 0}}).pseudo == 0
    for wrong in ({}, {"totals": {"physical": "many"}}, {"totals": {"physical": 1, "reserved": "NaN"}}):
        with pytest.raises(ValueError, match=r"stock|number"):
            levels_of(wrong)


def delivery(*shipments: str, quantity: int = 2, status: str = "sent") -> Delivery:
    row = {"id": "7", "status": status, "updatedAt": "2026-11-24T10:00:00+01:00"}
    positions = [{"quantity": quantity, "product": {"id": "93", "number": "A"}, "webId": "p-1"}]
    return Delivery(row, positions, [{"id": each, "tracking": {"number": f"T{each}"}} for each in shipments])


@pytest.mark.parametrize(
    ("status", "deliveries", "expected", "parcels"),
    [
        ("released", [], "released", []),
        ("created", [], None, []),
        ("unknown", [], None, []),
        ("completed", [], "completed", []),
        ("canceled", [], "cancelled", []),
        ("released", [delivery("1", status="released")], "released", []),  # a label alone
        ("released", [delivery("1", quantity=1)], "partially_shipped", [("T1", 1)]),
        ("completed", [delivery("1", quantity=1)], "completed", [("T1", 1)]),  # the rest is not going to come
        ("released", [delivery("1", quantity=1), delivery("2", quantity=2)], "shipped", [("T1", 1), ("T2", 2)]),
        ("completed", [delivery("2", "10", quantity=3)], "shipped", [("T2", 2), ("T10", 1)]),
        ("completed", [delivery("1", "2", "3", "4", quantity=3)], "shipped", [("T1", 1), ("T2", 1), ("T3", 1)]),
        ("completed", [delivery(quantity=3)], "shipped", []),  # collected, without any parcel
        ("completed", [delivery("1", quantity=3, status="canceled")], "completed", []),
        ("canceled", [delivery("1", quantity=1)], "cancelled", [("T1", 1)]),
    ],
)
def test_the_status_of_an_order(status: str, deliveries: Any, expected: str | None, parcels: Any) -> None:
    order = {"id": "1", "externalOrderNumber": "4711", "status": status}
    order["positions"] = [{"quantity": 3, "product": {"id": "93"}}]
    change = order_change(order, deliveries, {}, datetime(2026, 11, 24, 8, tzinfo=UTC))
    assert (change.status if change else None) == expected
    held = [(each.tracking_number, each.lines[0].quantity) for each in change.shipments] if change else []
    assert held == parcels


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 12))
def test_parcels_hold_together_what_the_note_holds(first: int, second: int, parcels: int) -> None:
    positions = [
        {"quantity": first, "product": {"id": "1", "number": "A"}},
        {"quantity": second, "product": {"id": "2", "number": "B"}},
    ]
    note = Delivery({"id": "7", "status": "sent"}, positions, [{"id": str(number)} for number in range(parcels)])
    change = order_change({"id": "1", "externalOrderNumber": "1", "status": "completed"}, [note], {}, None)
    assert change
    held = {"A": 0, "B": 0}
    for shipment in change.shipments:
        assert shipment.lines
        for line in shipment.lines:
            held[line.sku] += line.quantity
    assert held == {"A": first, "B": second}
    assert len(change.shipments) == min(parcels, first + second)
    assert change.changed_at is None, "without the order's own time there is none"


KEY = "e4nRJ04Ss2m3EkQxn19V"
STAMP = "1716910210"
BODY = b'{"type":"com.xentral.salesOrder.released.v1","body":{"salesOrderId":42}}'
# Made with another program: openssl dgst -sha256 -hmac KEY over the body with the timestamp right behind it.
SIGNED = "d34dc86949fb022ae791a681ff38dfe5c348c6ea2fd25507c6b27eaa9ba1ad16"


def webhooks(**settings: Any) -> XentralWebhooks:
    given_settings = {"base_url": "https://x.example.org", "token": "t", "webhook_key": KEY, **settings}
    return XentralWebhooks(XentralSettings.model_validate(given_settings))


def test_the_signature_is_the_one_of_another_program() -> None:
    assert signature(KEY, BODY, STAMP) == SIGNED


@pytest.mark.parametrize(
    ("headers", "seconds", "code"),
    [
        ({}, 0, None),
        ({}, 300, None),
        ({}, -300, None),
        ({}, 301, "webhook-too-old"),
        ({}, -301, "webhook-too-old"),
        ({"xentral-signature": SIGNED.upper()}, 0, None),
        ({"xentral-signature": ""}, 0, "webhook-signature-wrong"),
        ({"xentral-signature": "ü"}, 0, "webhook-signature-wrong"),
        ({"xentral-signature": SIGNED[:-1]}, 0, "webhook-signature-wrong"),
        ({"xentral-signature": f"sha256={SIGNED}"}, 0, "webhook-signature-wrong"),
        ({"xentral-request-timestamp": "1716910211"}, 0, "webhook-signature-wrong"),
        ({"xentral-request-timestamp": ""}, 0, "webhook-signature-wrong"),
    ],
)
def test_webhooks_are_believed_or_not(headers: dict[str, str], seconds: int, code: str | None) -> None:
    now = datetime.fromtimestamp(int(STAMP), UTC) + timedelta(seconds=seconds)
    usual = {"Xentral-Signature": SIGNED, "Xentral-Request-Timestamp": STAMP}
    given_headers = {name: value for name, value in usual.items() if name.lower() not in headers} | headers
    problem = webhooks().refusal(given_headers, BODY, now)
    assert (problem.code if problem else None) == code


def test_a_timestamp_that_is_signed_and_no_number_is_refused() -> None:
    for stamp in ("", "soon", "-5", "1e9", "٣"):
        signed = {"xentral-signature": signature(KEY, BODY, stamp), "xentral-request-timestamp": stamp}
        problem = webhooks().refusal(signed, BODY, datetime.now(UTC))
        assert problem
        assert problem.code == "webhook-signature-wrong"


def test_without_a_key_nothing_is_believed() -> None:
    problem = webhooks(webhook_key=None).refusal({}, BODY, datetime.now(UTC))
    assert problem
    assert problem.code == "webhook-key-missing"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "salesOrderId"]), inner),
        max_leaves=6,
    ),
    st.sampled_from(["salesOrder.updated", "autoshipment.dispatched", "product.created", "shipment.created", "x"]),
)
def test_whatever_an_event_holds_it_is_read_or_refused(content: Any, kind: str) -> None:
    body = json.dumps({"type": f"com.xentral.{kind}.v1", "body": content}).encode()
    if isinstance(content, dict):
        assert all(hint.id for hint in hints(body))
    else:
        with pytest.raises(ValueError, match="event"):
            hints(body)
