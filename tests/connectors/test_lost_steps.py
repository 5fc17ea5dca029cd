"""An order that several calls make exists once, whichever of them is lost: asked of every ERP against its stand-in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.connectors.contract import Connector, Draft, RemoteError, RemoteOrder
from shared.connectors.registry import discover
from shared.events.orders import Order
from tests.connectors.conftest import Opened, having, opened
from tests.connectors.test_conformance import draft_of
from tests.support.sandbox import Stand

pytestmark = pytest.mark.servers


def created(side: Opened, draft: Draft) -> RemoteOrder:
    """As the importer does: nothing is made before a look-up."""
    hits = side.sink.find_orders([draft.number]).get(draft.number, [])
    return hits[0] if hits else side.sink.create_order(draft)


def orders(side: Opened, stand: Stand, number: str) -> list[Any]:
    held = stand.state(side.connector.key)["salesOrders"]
    return [order for order in held if order["externalOrderNumber"] == number]


@pytest.mark.parametrize("connector", having("sink"))
@pytest.mark.parametrize("fault", ["500", "500_after_success"])
def test_whichever_call_is_lost_the_next_attempt_ends_with_one_order(
    connector: Connector, fault: str, stand: Stand
) -> None:
    stand.settings(connector.key, search_lag=0)
    with opened(connector, stand) as side:
        side.sink.create_order(draft_of(side, f"whole-{fault}"))
        side.context.calls.clear()
        usual = side.sink.create_order(draft_of(side, f"usual-{fault}"))
        steps = [operation for operation, _ in side.context.calls]
        for step in dict.fromkeys(steps):
            draft = draft_of(side, f"{step}-{fault}")
            stand.fault(connector.key, fault, operation=step)
            with pytest.raises(RemoteError):
                side.sink.create_order(draft)
            made = created(side, draft)
            (held,) = orders(side, stand, draft.number)
            assert held["status"] == orders(side, stand, f"usual-{fault}")[0]["status"], step
            (hit,) = side.sink.find_orders([draft.number])[draft.number]
            assert (hit.id, hit.marketplace_id, hit.cancelled) == (made.id, draft.marketplace_id, False)
            assert made.id != usual.id


def bought(side: Opened, number: str, **changed: Any) -> Draft:
    good = json.loads((side.samples / "order-good.json").read_text(encoding="utf-8"))["order"]
    order = {**good, "number": number, "marketplace_id": f"m-{number}", **changed}
    draft = side.sink.draft(Order.model_validate(order), side.mappings)
    assert isinstance(draft, Draft), draft
    return draft


def test_what_was_begun_gets_the_content_of_now_and_the_price_of_now(stand: Stand) -> None:
    with opened(discover()["tryton"], stand) as side:
        for step in ("quote-order", "read-total", "create-order"):
            number = f"changed-{step}"
            first = bought(side, number)
            stand.fault("tryton", "500", operation=step)
            with pytest.raises(RemoteError):
                side.sink.create_order(first)
            assert side.sink.find_orders([number]) == {}, "what is merely begun is no order"
            line = {"id": "9", "sku": "ABC-2", "title": "", "quantity": 5, "unit_price": "3.33", "tax_rate": "7"}
            side.sink.create_order(bought(side, number, lines=[line], total="16.55"))
            (held,) = orders(side, stand, number)
            assert [(each["sku"], each["quantity"]) for each in held["positions"]] == [("ABC-2", 5)]
            assert (held["status"], held["total"]) == ("processing", "16.55")


def test_a_confirmed_sale_that_was_never_processed_is_begun_unless_tryton_waits_by_itself(stand: Stand) -> None:
    with opened(discover()["tryton"], stand) as side:
        stand.settings("tryton", delayed=1)
        draft = bought(side, "unprocessed")
        made = side.sink.create_order(draft)
        stand.settings("tryton", delayed=0)
        assert orders(side, stand, "unprocessed")[0]["status"] == "confirmed"
        assert side.sink.find_orders(["unprocessed"]) == {}
        patient: Any = type(side.sink)(side.settings.model_copy(update={"delayed": True}), side.http)
        (hit,) = patient.find_orders(["unprocessed"])["unprocessed"]
        assert hit.id == made.id
        assert side.sink.create_order(draft).id == made.id
        assert [order["status"] for order in orders(side, stand, "unprocessed")] == ["processing"]


def test_another_total_in_the_erp_stops_before_the_confirmation(stand: Stand) -> None:
    with opened(discover()["tryton"], stand) as side:
        draft = bought(side, "taxed")
        for line in draft.document["lines"]:
            line["taxes"] = [["add", [3]]]
        with pytest.raises(RemoteError) as caught:
            side.sink.create_order(draft)
        (problem,) = caught.value.problems
        assert (problem.code, problem.field) == ("remote-refused", "total")
        assert "69.38" in problem.values["detail"]
        assert [order["status"] for order in orders(side, stand, "taxed")] == ["quotation"]
        assert side.sink.create_order(bought(side, "taxed")).id
        assert [order["status"] for order in orders(side, stand, "taxed")] == ["processing"]


def test_a_total_that_differs_by_much_waits_for_a_person(stand: Stand) -> None:
    with opened(discover()["tryton"], stand) as side:
        draft = bought(side, "held-back", total="1069.38")
        assert [remark.code for remark in draft.remarks] == ["total-differs"]
        side.sink.create_order(draft)
        assert [order["status"] for order in orders(side, stand, "held-back")] == ["quotation"]
        assert side.status_source.read_changes(["held-back"]) == {}
        side.sink.create_order(draft)
        assert len(orders(side, stand, "held-back")) == 1


def test_what_is_packed_cannot_be_cancelled_and_what_only_waits_can(stand: Stand) -> None:
    with opened(discover()["tryton"], stand) as side:
        made = side.sink.create_order(bought(side, "packed"))
        stand.post("tryton", "orders/packed/ship", {"lines": [{"sku": "ABC-1", "quantity": 1}], "sent": False})
        with pytest.raises(RemoteError, match="packed"):
            side.sink.cancel_order(made.id)
        assert side.status_source.read_changes(["packed"])["packed"][0].status == "released"
        other = side.sink.create_order(bought(side, "waits"))
        side.sink.cancel_order(other.id)
        assert side.status_source.read_changes(["waits"])["waits"][0].status == "cancelled"
        assert orders(side, stand, "waits")[0]["status"] == "processing", "a processed sale itself stays"


def test_two_web_shops_may_have_the_same_order(stand: Stand) -> None:
    with opened(discover()["tryton"], stand) as side:
        other: Any = type(side.sink)(side.settings.model_copy(update={"web_shop": 5}), side.http)
        draft = bought(side, "of-both")
        mine = side.sink.create_order(draft)
        theirs = other.create_order(
            other.draft(
                Order.model_validate(
                    {
                        **json.loads((side.samples / "order-good.json").read_text(encoding="utf-8"))["order"],
                        "number": "of-both",
                        "marketplace_id": draft.marketplace_id,
                    }
                ),
                side.mappings,
            )
        )
        assert mine.id != theirs.id
        for sink, made in ((side.sink, mine), (other, theirs)):
            assert [hit.id for hit in sink.find_orders(["of-both"])["of-both"]] == [made.id]
