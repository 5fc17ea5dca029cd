"""Shopify against its stand-in: what the suite, which asks the same of everybody, cannot know."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.exporter.shown import aligned, shows
from shared.connectors.contract import Mappings, Reason, RemoteError, ShipmentDraft, Unit
from shared.connectors.http import Http
from shared.connectors.registry import discover
from shared.events.orders import Order, Shipment, ShipmentLine
from shared.records.shipments import Told
from tests.connectors.conftest import Context, Opened, opened
from tests.connectors.test_flows_back_faults import drafted, placed
from tests.connectors.test_http import answer, says, server
from tests.connectors.test_status_sinks import parcel, states
from tests.support.sandbox import Stand

pytestmark = pytest.mark.servers

SHOPIFY = discover()["shopify"]
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@contextmanager
def shop(stand: Stand, **settings: Any) -> Iterator[Opened]:
    """The shop, with some of the interface's settings changed."""
    with opened(SHOPIFY, stand) as side:
        if settings:
            side.settings = side.settings.model_copy(update=settings)
            assert SHOPIFY.source
            assert SHOPIFY.stock_sink
            assert SHOPIFY.status_sink
            side.source = SHOPIFY.source(side.settings, side.http)
            side.stock_sink = SHOPIFY.stock_sink(side.settings, side.http)
            side.status_sink = SHOPIFY.status_sink(side.settings, side.http)
        yield side


@contextmanager
def limited(stand: Stand, **settings: float) -> Iterator[None]:
    """The shop is as the settings say, and then as it was."""
    usual = {"points": 100_000.0, "restore_rate": 50_000.0, "access_denied": 0.0}
    stand.settings("shopify", **settings)
    try:
        yield
    finally:
        stand.settings("shopify", **{name: usual[name] for name in settings})


def refused(call: Any) -> RemoteError:
    with pytest.raises(RemoteError) as caught:
        call()
    return caught.value


def test_a_throttled_call_says_when_to_come_back_and_was_not_carried_out(stand: Stand) -> None:
    with shop(stand) as side:
        (number,) = stand.place("shopify", 1)
        with limited(stand, points=500.0, restore_rate=100.0):
            error = refused(lambda: list(side.source.orders_changed(LONG_AGO)))
            assert error.reason is Reason.RATE_LIMITED
            assert error.retry_after == pytest.approx(4.0, abs=0.6), (
                "some nine hundred points, and five hundred are there"
            )
            assert side.stock_sink.send_quantities({"ABC-1": 3}) == {"ABC-1": None}, "small calls still pass"
        assert number in side.source.read_orders([number])


def test_a_throttled_call_with_http_429_says_so_too() -> None:
    body = (
        b'{"errors": [{"message": "Throttled"}], "extensions": {"cost": {"requestedQueryCost": 300,'
        b' "throttleStatus": {"currentlyAvailable": 100, "restoreRate": 50}}}}'
    )
    settings = SHOPIFY.settings.model_validate({"base_url": "https://shop.example.org", "access_token": "t"})
    for text, seconds in ((answer(body, "429 Busy"), 4.0), (answer(body, "429 Busy", Retry_After="9"), 9.0)):
        with server(says(text)) as url, Http.open(url, Context(), 2.0) as http:
            assert SHOPIFY.source
            error = refused(SHOPIFY.source(settings, http).ping)
        assert (error.reason, error.retry_after) == (Reason.RATE_LIMITED, seconds)


def test_a_missing_right_is_named(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    with shop(stand) as side:
        with limited(stand, access_denied=1.0):
            error = refused(lambda: side.stock_sink.send_quantities({"ABC-1": 3}))
            assert error.reason is Reason.FORBIDDEN
            assert "write_orders" in error.detail
        monkeypatch.setattr(type(side.stock_sink), "scopes", ("write_inventory", "write_moon"))
        error = refused(side.stock_sink.ping)
        assert (error.reason, error.detail) == (Reason.FORBIDDEN, "ping: the app lacks the scope write_moon")


def test_a_token_made_by_hand_does_as_well(stand: Stand) -> None:
    from pydantic import SecretStr

    stand.client.delete(f"{stand.addresses['shopify']}/_sandbox/calls")
    with shop(stand, client_id="", access_token=SecretStr("shpat_by-hand")) as side:
        side.source.ping()
    with shop(stand, client_id="", access_token=SecretStr("shpat")) as side:
        assert refused(side.source.ping).reason is Reason.UNAUTHORISED
    assert "token" not in stand.calls("shopify")


def test_an_order_with_many_lines_is_read_whole_and_shipped_whole(stand: Stand) -> None:
    skus = [f"ART-{1000 + number}" for number in range(1, 21)]
    with shop(stand) as side:
        order = placed(side, stand, skus=skus, units=20)
        assert [line.sku for line in order.lines] == skus
        (listed,) = (
            each.order
            for page in side.source.orders_changed(datetime.now(UTC) - timedelta(minutes=1))
            for each in page
            if each.order.number == order.number
        )
        assert listed == order
        draft = drafted(side, order, parcel("all"))
        side.status_sink.send_shipment(draft)
        assert states(side, order) == {"shipped": 20}


def test_numbers_and_skus_that_only_begin_alike_are_others(stand: Stand) -> None:
    stand.place("shopify", 3, numbers=["#88", "#880", "88 B"])
    stand.products("shopify", "Alike", "Alike-2", "ALIKE")
    with shop(stand) as side:
        assert list(side.source.read_orders(["#88", "#8", "88"])) == ["#88"]
        assert side.stock_sink.send_quantities({"Alike": 4, "alike": 5})["Alike"] is None
        held = stand.state("shopify")["quantities"]
        assert (held["Alike"], held["Alike-2"], held["ALIKE"]) == (4, 0, 0)


def test_a_number_without_a_sign_is_not_taken_for_an_id(stand: Stand) -> None:
    stand.place("shopify", 1, numbers=["4711"])
    with shop(stand) as side:
        order = side.source.read_orders(["4711"])["4711"].order
        assert side.source.read_orders([order.marketplace_id])[order.marketplace_id].order == order
        assert list(side.status_sink.read_units(["4711"])) == ["4711"]


def test_a_number_is_found_among_many_that_begin_like_it(stand: Stand) -> None:
    stand.place("shopify", 60, numbers=[f"B-{number}" for number in range(1000, 1060)])
    stand.place("shopify", 1, numbers=["B-1"])
    with shop(stand) as side:
        assert list(side.status_sink.read_units(["B-1", "B-9"])) == ["B-1"]
        assert list(side.source.read_orders(["B-1", "B-9"])) == ["B-1"]


def test_an_order_that_changes_while_the_list_is_read_is_told_again(stand: Stand) -> None:
    with shop(stand) as side:
        numbers = stand.place("shopify", 20, ago=30)
        pages = side.source.orders_changed(datetime.now(UTC) - timedelta(seconds=40))
        first = next(pages)
        changed = next(each.order.number for each in first if each.order.number in numbers)
        stand.cancel("shopify", changed)
        told = [*first, *(each for page in pages for each in page)]
        assert {each.order.number for each in told} >= set(numbers)
        (before, after) = (each for each in told if each.order.number == changed)
        assert (before.order.status, after.order.status) == ("open", "cancelled")
        assert after.changed_at > before.changed_at
        assert len(told) == len({(each.order.number, each.changed_at) for each in told})


def test_what_a_buyer_pays_with_counts_or_what_the_shop_counts_in(stand: Stand) -> None:
    (number,) = stand.place("shopify", 1, "foreign-currency", skus=["ABC-1"], units=2)
    for currency, said in (("presentment", ("CHF", "20.00", "49.00")), ("shop", ("EUR", "21.34", "52.28"))):
        with shop(stand, currency=currency) as side:
            order = side.source.read_orders([number])[number].order
            assert (order.currency, order.lines[0].unit_price, order.total) == said


def test_what_is_paid_later_is_shipped_before_where_the_settings_say_so(stand: Stand) -> None:
    (number,) = stand.place("shopify", 1, "announced")
    for unpaid, status, units in (("", "announced", "announced"), ("Cash, SHOPIFY_payments", "open", "open")):
        with shop(stand, ship_unpaid=unpaid) as side:
            order = side.source.read_orders([number])[number].order
            assert order.status == status
            assert set(states(side, order)) == {units}
    stand.release("shopify", number)
    with shop(stand) as side:
        assert side.source.read_orders([number])[number].order.status == "open"


def test_what_has_left_without_us_is_not_told_and_what_was_taken_out_is_left_out(stand: Stand) -> None:
    with shop(stand) as side:
        (gone,) = stand.place("shopify", 1, "sold-in-store")
        (less,) = stand.place("shopify", 1, "removed-line", skus=["ABC-1", "ABC-2"], units=3)
        told = {each.order.number for page in side.source.orders_changed(LONG_AGO) for each in page}
        assert (gone in told, less in told) == (False, True)
        assert gone in side.source.read_orders([gone]), "whoever asks for it by its number means it"
        order = side.source.read_orders([less])[less].order
        assert [(line.sku, line.quantity) for line in order.lines] == [("ABC-2", 1)]
        assert states(side, order) == {"cancelled": 2, "open": 1}


@pytest.mark.parametrize("defects", [(), ("discount",), ("without-tax",), ("discount", "without-tax")])
def test_totals_are_the_sum_of_their_parts(stand: Stand, defects: tuple[str, ...]) -> None:
    from decimal import Decimal

    with shop(stand) as side:
        for number in stand.place("shopify", 5, *defects):
            order = side.source.read_orders([number])[number].order
            sum_ = sum(Decimal(line.unit_price) * line.quantity for line in order.lines) + Decimal(order.shipping.price)
            sum_ -= sum(Decimal(discount.amount) for discount in order.discounts)
            assert sum_.quantize(Decimal("0.01")) == Decimal(order.total)
            assert {line.tax_rate for line in order.lines} == {"19.0"}


def test_goods_of_one_parcel_at_two_locations_need_a_person(stand: Stand) -> None:
    with shop(stand) as side:
        order = placed(side, stand, skus=["ABC-1", "ABC-2"], units=2)
        other = side.source.read_orders(stand.place("shopify", 1, "two-places", skus=["ABC-1", "ABC-2"], units=2))
        (split,) = (each.order for each in other.values())
        side.status_sink.send_shipment(drafted(side, order, parcel("one")))
        error = refused(lambda: side.status_sink.send_shipment(drafted(side, split, parcel("both"))))
        assert (error.reason, [each.code for each in error.problems]) == (Reason.INVALID, ["shipment-from-two-places"])
        assert states(side, split) == {"open": 2}
        for number, sku in enumerate(("ABC-1", "ABC-2")):
            side.status_sink.send_shipment(drafted(side, split, parcel(f"part-{number}", (sku, 1))))
        assert states(side, split) == {"shipped": 2}


def test_what_is_on_hold_waits(stand: Stand) -> None:
    with shop(stand) as side:
        (number,) = stand.place("shopify", 1, "on-hold")
        order = side.source.read_orders([number])[number].order
        assert set(states(side, order)) == {"announced"}
        assert [each.code for each in drafted(side, order)] == ["nothing-left-to-ship"]


def test_a_parcel_that_is_refused_for_its_pieces_is_a_conflict(stand: Stand) -> None:
    """The draft is older than what the shop shows: somebody has shipped some of it by hand."""
    with shop(stand) as side:
        order = placed(side, stand, skus=["ABC-1"], units=2)
        units = [Unit(f"{order.lines[0].id}-{number}", "ABC-1", "open", line=order.lines[0].id) for number in (1, 2)]
        stale = side.status_sink.draft_shipment(order, parcel("stale"), units, Mappings())
        assert isinstance(stale, ShipmentDraft)
        side.status_sink.send_shipment(drafted(side, order, parcel("hand", ("ABC-1", 1))))
        assert refused(lambda: side.status_sink.send_shipment(stale)).reason is Reason.CONFLICT
        assert states(side, order) == {"shipped": 1, "open": 1}


def test_a_bad_location_and_an_item_that_is_not_stocked_say_so(stand: Stand) -> None:
    stand.post("shopify", "products", [{"sku": "elsewhere", "stocked": False}])
    with shop(stand) as side:
        told = side.stock_sink.send_quantities({"elsewhere": 1, "ABC-1": 8})
        assert (told["ABC-1"], told["elsewhere"].code) == (None, "quantity-refused")
        assert side.stock_sink.read_quantities(["elsewhere"]) == {}
    with shop(stand, location_id="99") as side:
        told = side.stock_sink.send_quantities({"ABC-1": 1, "ABC-2": 1})
        assert {each.code for each in told.values()} == {"location-unknown"}
        assert {each.key for each in told.values()} == {"setting:location"}
        assert refused(lambda: list(side.stock_sink.quantities())).reason is Reason.NOT_FOUND
        assert refused(side.stock_sink.ping).reason is Reason.NOT_FOUND
    with shop(stand, location_id="") as side:
        assert side.stock_sink.send_quantities({"ABC-1": 9}) == {"ABC-1": None}, "the primary location"
        assert side.stock_sink.read_quantities(["ABC-1"])["ABC-1"].quantity == 9


def test_a_sku_is_looked_up_once(stand: Stand) -> None:
    with shop(stand) as side:
        for quantity in (1, 2):
            side.stock_sink.send_quantities({"ABC-1": quantity, "ABC-2": quantity})
        operations = [operation for operation, _ in side.context.calls if operation != "token"]
        assert operations == ["find-items", "send-quantities", "send-quantities"]


def test_pieces_are_cancelled_from_an_order_that_has_left_in_part(stand: Stand) -> None:
    with shop(stand) as side:
        order: Order = placed(side, stand, skus=["ABC-1", "ABC-2"], units=4)
        side.status_sink.send_shipment(drafted(side, order, parcel("one", ("ABC-1", 1))))
        told = side.status_sink.cancel_units(order, (ShipmentLine(sku="ABC-2", quantity=2),))
        assert len(told.asked) == 2
        assert states(side, order) == {"shipped": 1, "open": 1, "cancelled": 2}
        after = side.source.read_orders([order.number])[order.number].order
        assert [(line.sku, line.quantity) for line in after.lines] == [("ABC-1", 2)]
        assert after.status == "open"


def test_a_shipment_without_a_number_is_found_by_its_pieces(stand: Stand) -> None:
    with shop(stand) as side:
        order = placed(side, stand, skus=["ABC-1"], units=1)
        letter = Shipment.model_validate({"id": "l", "carrier": "Deutsche Post"})
        stand.fault("shopify", "500_after_success", operation="send-shipment")
        assert refused(lambda: side.status_sink.send_shipment(drafted(side, order, letter))).reason.outcome_unknown
        (unit,) = side.status_sink.read_units([order.marketplace_id])[order.marketplace_id]
        assert (unit.state, unit.carrier, unit.tracking_number) == ("shipped", "Deutsche Post", None)


def test_parcels_that_arrive_in_another_order_keep_their_pieces(stand: Stand) -> None:
    """The call for the first one is lost on its way, the second one arrives: its piece is the one that it took."""
    with shop(stand) as side:
        order = placed(side, stand, skus=["ABC-1"], units=3)
        first = drafted(side, order, parcel("first", ("ABC-1", 2)))
        second = drafted(side, order, parcel("second", ("ABC-1", 1)), taken=first.units)
        side.status_sink.send_shipment(second)
        ledger = [
            Told(name, "intended", each.carrier, each.tracking_number, each.units, None, 1.0)
            for name, each in (("first", first), ("second", second))
        ]

        def now() -> list[Unit]:
            return aligned(side.status_sink.read_units([order.marketplace_id])[order.marketplace_id], ledger)

        assert [shows(told, now()) for told in ledger] == [False, True]
        shipment = parcel("first", ("ABC-1", 2)).model_copy(update={"tracking_number": first.tracking_number})
        again = side.status_sink.draft_shipment(order, shipment, now(), Mappings(), taken=second.units)
        assert again == first
        side.status_sink.send_shipment(again)
        assert [shows(told, now()) for told in ledger] == [True, True]
