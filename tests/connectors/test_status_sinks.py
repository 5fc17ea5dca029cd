"""What every marketplace that takes shipments and cancellations promises, asked of each against its own stand-in."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import Any

import pytest

from shared.connectors.contract import Connector, Mappings, Reason, RemoteError, ReturnKey, ShipmentDraft, Unit
from shared.errors.catalogue import catalogue
from shared.events.orders import Order, Shipment, ShipmentLine
from tests.connectors.conftest import Opened, having, opened
from tests.connectors.test_flows_back_faults import PARCEL, drafted, placed
from tests.support.sandbox import Stand

pytestmark = pytest.mark.servers

SINKS = having("status_sink")


def states(side: Opened, order: Order) -> Counter[str]:
    units = side.status_sink.read_units([order.marketplace_id])[order.marketplace_id]
    return Counter(unit.state for unit in units)


def parcel(number: str, *lines: tuple[str, int]) -> Shipment:
    held = tuple(ShipmentLine(sku=sku, quantity=quantity) for sku, quantity in lines)
    return PARCEL.model_copy(update={"id": number, "tracking_number": f"{number}-{time.time_ns()}", "lines": held})


def eventually(side: Opened, order: Order, expected: dict[str, int]) -> None:
    ends = time.monotonic() + 10
    while (found := dict(states(side, order))) != expected:
        assert time.monotonic() < ends, found
        time.sleep(0.1)


@pytest.mark.parametrize("connector", SINKS)
def test_an_order_ships_in_parcels_and_each_unit_once(connector: Connector, stand: Stand) -> None:
    with opened(connector, stand) as side:
        order = placed(side, stand, skus=["ABC-1", "ABC-2"], units=5)  # three and two
        first = drafted(side, order, parcel("a", ("ABC-1", 2)))
        second = drafted(side, order, parcel("b", ("ABC-1", 1), ("ABC-2", 1)), taken=first.units)
        assert len(first.units) == len(second.units) == 2
        assert not set(first.units) & set(second.units)
        sent = side.status_sink.send_shipment(first)
        assert (sent.units, sent.tracking_number) == (first.units, first.tracking_number)
        assert states(side, order) == {"shipped": 2, "open": 3}
        side.status_sink.send_shipment(second)
        rest = drafted(side, order, parcel("c"))
        assert len(rest.units) == 1, "without lines all that is open"
        side.status_sink.send_shipment(rest)
        assert states(side, order) == {"shipped": 5}
        (problem,) = drafted(side, order, parcel("d"))
        assert problem.code == "nothing-left-to-ship"
        held = [each for each in stand.state(connector.key)["shipments"] if order.marketplace_id in str(each)]
        assert len(held) == 3


@pytest.mark.parametrize("connector", SINKS)
@pytest.mark.parametrize("fault", ["500_after_success", "truncated", "timeout_after_success"])
def test_a_shipment_of_unknown_outcome_is_found_by_look_up(connector: Connector, fault: str, stand: Stand) -> None:
    with opened(connector, stand, deadline=1.0) as side:
        order = placed(side, stand)
        draft = drafted(side, order, parcel(f"x/{fault} ü"))
        assert side.status_sink.find_shipments(draft.carrier, draft.tracking_number, order.marketplace_id) == []
        stand.fault(connector.key, fault, operation="send-shipment", seconds=3)
        with pytest.raises(RemoteError) as caught:
            side.status_sink.send_shipment(draft)
        assert caught.value.reason.outcome_unknown
        (hit,) = side.status_sink.find_shipments(draft.carrier, draft.tracking_number, order.marketplace_id)
        assert set(hit.units) == set(draft.units)
        assert hit.id
        with pytest.raises(RemoteError) as again:
            side.status_sink.send_shipment(draft)
        assert again.value.reason is Reason.CONFLICT, "check, probably done"
        assert again.value.problems


@pytest.mark.parametrize("connector", SINKS)
def test_the_same_parcel_twice_is_a_conflict_and_there_once(connector: Connector, stand: Stand) -> None:
    """Also where enough pieces are left to send as much again."""
    with opened(connector, stand) as side:
        order = placed(side, stand, skus=["ABC-1"], units=3)
        draft = drafted(side, order, parcel("again", ("ABC-1", 1)))
        side.status_sink.send_shipment(draft)
        with pytest.raises(RemoteError) as caught:
            side.status_sink.send_shipment(draft)
        assert caught.value.reason is Reason.CONFLICT
        assert states(side, order) == {"shipped": 1, "open": 2}


@pytest.mark.parametrize("connector", SINKS)
def test_a_shipment_accepted_and_not_applied_is_not_found(connector: Connector, stand: Stand) -> None:
    with opened(connector, stand) as side:
        order = placed(side, stand)
        draft = drafted(side, order, parcel("lost"))
        stand.fault(connector.key, "accepted_not_applied", operation="send-shipment")
        assert side.status_sink.send_shipment(draft).id
        assert side.status_sink.find_shipments(draft.carrier, draft.tracking_number, order.marketplace_id) == []
        assert set(states(side, order)) == {"open"}


@pytest.mark.parametrize("connector", SINKS)
def test_every_obstacle_is_named_at_once(connector: Connector, stand: Stand) -> None:
    with opened(connector, stand) as side:
        order = placed(side, stand, skus=["ABC-1"], units=2)
        bad = Shipment(id="1", carrier="Brieftaube", lines=(ShipmentLine(sku="nowhere", quantity=1),))
        problems = drafted(side, order, bad)
        assert not isinstance(problems, ShipmentDraft)
        found = {problem.code: problem for problem in problems}
        assert {"carrier-unknown", "shipment-line-unknown"} <= found.keys()
        assert found["carrier-unknown"].key == "carrier:Brieftaube"
        assert found.keys() <= catalogue().keys()
        units = side.status_sink.read_units([order.marketplace_id])[order.marketplace_id]
        mapped = Mappings({"carrier": {"Brieftaube": "DHL"}})
        shipment = parcel("m").model_copy(update={"carrier": "Brieftaube"})
        assert side.status_sink.draft_shipment(order, shipment, units, mapped).carrier == "DHL"
        for missing, code in (("carrier", "carrier-missing"), ("tracking_number", "tracking-number-missing")):
            (problem,) = drafted(side, order, parcel("m").model_copy(update={missing: None}))
            assert problem.code == code
        more = drafted(side, order, parcel("n", ("ABC-1", 3)))
        assert (len(more.units), [remark.code for remark in more.remarks]) == (2, ["shipment-exceeds-order"])


@pytest.mark.parametrize("connector", SINKS)
def test_what_is_open_is_cancelled_and_asking_twice_cancels_nothing_more(connector: Connector, stand: Stand) -> None:
    with opened(connector, stand) as side:
        order = placed(side, stand, skus=["ABC-1", "ABC-2"], units=4)  # two and two
        one = (ShipmentLine(sku="ABC-1", quantity=1),)
        told = side.status_sink.cancel_units(order, one)
        assert (len(told.asked), told.cancelled, dict(told.refused)) == (1, (), {})
        eventually(side, order, {"cancelled": 1, "open": 3})
        again = side.status_sink.cancel_units(order, one)
        assert (again.asked, again.cancelled) == ((), told.asked)
        side.status_sink.send_shipment(drafted(side, order, parcel("p", ("ABC-2", 1))))
        rest = side.status_sink.cancel_units(order)
        assert (len(rest.asked), rest.cancelled, len(rest.refused)) == (2, told.asked, 1)
        assert {problem.code for problem in rest.refused.values()} == {"not-cancellable"}
        eventually(side, order, {"cancelled": 3, "shipped": 1})
        last = side.status_sink.cancel_units(order)
        assert (last.asked, len(last.cancelled), len(last.refused)) == ((), 3, 1)


@pytest.mark.parametrize("connector", SINKS)
def test_a_cancellation_that_is_refused_or_lost_says_so(connector: Connector, stand: Stand) -> None:
    with opened(connector, stand) as side:
        order = placed(side, stand)
        stand.fault(connector.key, "409", operation="cancel-order")
        with pytest.raises(RemoteError) as caught:
            side.status_sink.cancel_units(order)
        assert caught.value.reason is Reason.CONFLICT
        stand.fault(connector.key, "accepted_not_applied", operation="cancel-order")
        assert side.status_sink.cancel_units(order).asked
        time.sleep(1.2)
        assert set(states(side, order)) == {"open"}
        stand.fault(connector.key, "500_after_success", operation="cancel-order")
        with pytest.raises(RemoteError):
            side.status_sink.cancel_units(order)
        eventually(side, order, {"cancelled": sum(line.quantity for line in order.lines)})
        unknown = order.model_copy(update={"marketplace_id": "no such/order"})
        with pytest.raises(RemoteError) as caught:
            side.status_sink.cancel_units(unknown)
        assert caught.value.reason is Reason.NOT_FOUND
        assert side.status_sink.read_units(["no such/order"]) == {}
        assert set(side.status_sink.read_units([order.number])) == {order.number}


@pytest.mark.parametrize("connector", SINKS)
def test_announced_units_are_neither_shipped_nor_cancelled(connector: Connector, stand: Stand) -> None:
    with opened(connector, stand) as side:
        (number,) = stand.place(connector.key, 1, "announced")
        order = side.source.read_orders([number])[number].order
        assert set(states(side, order)) == {"announced"}
        assert [each.code for each in drafted(side, order)] == ["nothing-left-to-ship"]
        told = side.status_sink.cancel_units(order)
        assert (told.asked, told.cancelled) == ((), ())
        assert {problem.code for problem in told.refused.values()} == {"not-cancellable"}


def shipments() -> list[Any]:
    found = [(each, path) for each in SINKS for path in sorted(each.values[0].folder.glob("samples/shipment-*.json"))]
    return [pytest.param(each.values[0], path, id=f"{each.id}-{path.stem}") for each, path in found]


@pytest.mark.parametrize(("connector", "path"), shipments())
def test_samples_become_what_they_expect(connector: Connector, path: Any) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    side = Opened(connector, "http://127.0.0.1:9", 1.0)
    drafted = side.status_sink.draft_shipment(
        Order.model_validate(content["order"]),
        Shipment.model_validate(content["shipment"]),
        [Unit(**each) for each in content["units"]],
        Mappings(content.get("mappings", {})),
        taken=content.get("taken", ()),
        spare=ReturnKey(**content["spare"]) if "spare" in content else None,
    )
    if isinstance(drafted, ShipmentDraft):
        assert drafted.document == content["document"]
        assert [remark.as_json() for remark in drafted.remarks] == content.get("remarks", [])
    else:
        assert [{**problem.as_json(), "key": problem.key} for problem in drafted] == content["problems"]


@pytest.mark.parametrize("connector", SINKS)
def test_there_are_samples(connector: Connector) -> None:
    assert list(connector.folder.glob("samples/shipment-*.json"))
