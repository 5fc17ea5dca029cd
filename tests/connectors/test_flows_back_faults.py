"""Whatever a remote system does to a call that changes or reads something: the right reason, in time, and no secret."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.connectors.contract import ArticleFilter, Connector, Mappings, Reason, RemoteError, ReturnKey, ShipmentDraft
from shared.events.orders import Order, Shipment
from tests.connectors.conftest import Opened, having, opened
from tests.connectors.test_conformance import FAULTS, draft_of
from tests.support.sandbox import Stand

pytestmark = pytest.mark.servers

PARCEL = Shipment(id="s-1", carrier="DHL", tracking_number="0034043416109404", return_tracking_number="577546565072")


def placed(side: Opened, stand: Stand, **more: Any) -> Order:
    """A new order at the marketplace."""
    (number,) = stand.place(side.connector.key, 1, **more)
    order: Order = side.source.read_orders([number])[number].order
    return order


def drafted(side: Opened, order: Order, shipment: Shipment = PARCEL, **more: Any) -> Any:
    units = side.status_sink.read_units([order.marketplace_id])[order.marketplace_id]
    return side.status_sink.draft_shipment(order, shipment, units, Mappings(), **more)


def send_shipment(side: Opened, stand: Stand) -> Callable[[], Any]:
    number = f"00340434{time.time_ns()}"
    draft = drafted(side, placed(side, stand), PARCEL.model_copy(update={"tracking_number": number}))
    return lambda: side.status_sink.send_shipment(draft)


def cancel(side: Opened, stand: Stand) -> Callable[[], Any]:
    order = placed(side, stand)
    return lambda: side.status_sink.cancel_units(order)


def create(side: Opened, stand: Stand) -> Callable[[], Any]:
    draft = draft_of(side, f"fault-{time.time_ns()}")
    side.sink.find_products(draft.skus)
    return lambda: side.sink.create_order(draft)


SINCE = timedelta(minutes=1)
CALLS: dict[str, tuple[str, Callable[[Opened, Stand], Callable[[], Any]]]] = {
    "quantities": ("stock_sink", lambda side, _: lambda: list(side.stock_sink.quantities())),
    "send_quantities": (
        "stock_sink",
        lambda side, _: lambda: side.stock_sink.send_quantities({"ABC-1": 1, "ABC-2": 2}),
    ),
    "create_order": ("sink", create),
    "read_quantities": ("stock_sink", lambda side, _: lambda: side.stock_sink.read_quantities(["ABC-1"])),
    "ping": ("status_sink", lambda side, _: side.status_sink.ping),
    "send_shipment": ("status_sink", send_shipment),
    "cancel_units": ("status_sink", cancel),
    "articles": ("stock_source", lambda side, _: lambda: list(side.stock_source.articles(ArticleFilter(("ABC-1",))))),
    "changed_since": (
        "status_source",
        lambda side, _: lambda: list(side.status_source.changed_since(datetime.now(UTC) - SINCE)),
    ),
    "read_changes": ("status_source", lambda side, _: lambda: side.status_source.read_changes(["4711"])),
}
RUNS = [
    pytest.param(*connector.values, call, fault, reason, id=f"{connector.id}-{call}-{fault}")
    for call, (capability, _) in CALLS.items()
    for connector in having(capability)
    for fault, reason in FAULTS.items()
    # Where articles are read one by one, 404 is a word about the article.
    if (call, fault) != ("read_quantities", "404")
]


@pytest.mark.parametrize(("connector", "call", "fault", "reason"), RUNS)
def test_a_fault_has_its_reason_within_the_deadline_and_shows_no_secret(
    connector: Connector, call: str, fault: str, reason: Reason, stand: Stand
) -> None:
    with opened(connector, stand) as side:
        getattr(side, CALLS[call][0]).ping()  # what logging in needs is not what is asked for here
        go = CALLS[call][1](side, stand)
        stand.fault(connector.key, fault, times=10, seconds=1, retry_after=7)
        side.http.deadline = 0.3 if reason is Reason.TIMEOUT else 2.0
        started = time.monotonic()
        with pytest.raises(RemoteError) as caught:
            go()
        assert caught.value.reason is reason
        assert time.monotonic() - started < 2.5
        assert caught.value.retry_after == (7.0 if fault == "429_retry_after" else None)
        held = vars(getattr(side, CALLS[call][0]))
        said = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value)) + repr(held)
        assert not [secret for secret in side.secrets if secret in said]


@pytest.mark.parametrize("capability", ["stock_sink", "status_sink", "stock_source", "status_source"])
def test_each_capability_pings_with_good_credentials_only(capability: str, stand: Stand) -> None:
    for connector in (each.values[0] for each in having(capability)):
        assert isinstance(connector, Connector)
        with opened(connector, stand) as side:
            getattr(side, capability).ping()
            stand.fault(connector.key, "401", times=4)
            with pytest.raises(RemoteError) as caught:
                getattr(side, capability).ping()
            assert caught.value.reason is Reason.UNAUTHORISED


@pytest.mark.parametrize("connector", having("webhooks"))
def test_the_signature_key_shows_nowhere(connector: Connector) -> None:
    side = Opened(connector, "http://127.0.0.1:9", 1.0)
    refused = side.webhooks.refusal({}, b"{}", datetime.now(UTC))
    said = repr(refused) + repr(side.webhooks) + repr(vars(side.webhooks))
    assert not [secret for secret in side.secrets if secret in said]


def test_a_spare_return_number_is_used_once_it_is_needed_and_only_where_one_is_demanded(stand: Stand) -> None:
    """Here, because it needs an order as the calls above do."""
    demanding = set()
    for connector in (each.values[0] for each in having("status_sink")):
        assert isinstance(connector, Connector)
        with opened(connector, stand) as side:
            order = placed(side, stand)
            spare = ReturnKey("DHL", "111")
            assert not drafted(side, order, spare=spare).spare_used
            bare = PARCEL.model_copy(update={"return_tracking_number": None})
            without, with_spare = drafted(side, order, bare), drafted(side, order, bare, spare=spare)
            if isinstance(without, ShipmentDraft):
                assert not with_spare.spare_used
                continue
            demanding.add(connector.key)
            assert [problem.code for problem in without] == ["return-number-missing"]
            assert with_spare.spare_used
            assert "111" in str(with_spare.document)
    assert demanding
