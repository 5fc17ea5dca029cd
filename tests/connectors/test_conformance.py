"""What every connector promises, asked of each one that is found, against its own stand-in."""

from __future__ import annotations

import importlib
import json
import logging
import time
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from shared.connectors.contract import Connector, Draft, Reason, RemoteError
from shared.connectors.exchange import listening
from shared.connectors.facts import facts
from shared.connectors.german import of_need, of_setting
from shared.connectors.http import Http
from shared.connectors.registry import discover
from shared.errors.catalogue import catalogue
from shared.events.orders import Order
from tests.connectors.conftest import Context, Opened, opened
from tests.support.sandbox import Stand, sandbox

pytestmark = pytest.mark.servers

CONNECTORS = [pytest.param(connector, id=key) for key, connector in discover().items()]
SOURCES = [pytest.param(connector, id=key) for key, connector in discover().items() if connector.source]
SINKS = [pytest.param(connector, id=key) for key, connector in discover().items() if connector.sink]
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
FAULTS = {
    "400": Reason.INVALID,
    "401": Reason.UNAUTHORISED,
    "403": Reason.FORBIDDEN,
    "404": Reason.NOT_FOUND,
    "409": Reason.CONFLICT,
    "413": Reason.TOO_LARGE,
    "422": Reason.INVALID,
    "429": Reason.RATE_LIMITED,
    "429_retry_after": Reason.RATE_LIMITED,
    "500": Reason.UNAVAILABLE,
    "502": Reason.UNAVAILABLE,
    "503": Reason.UNAVAILABLE,
    "500_after_success": Reason.UNAVAILABLE,
    "timeout_after_success": Reason.TIMEOUT,
    "hang": Reason.TIMEOUT,
    "reset": Reason.BROKEN_ANSWER,
    "truncated": Reason.BROKEN_ANSWER,
    "html": Reason.BROKEN_ANSWER,
}


def listing(side: Opened) -> Any:
    """A call that every connector of its kind has."""
    return list(side.source.orders_changed(LONG_AGO)) if side.source else side.sink.find_orders(["4711"])


def draft_of(side: Opened, number: str, skus: tuple[str, ...] = ("ABC-1",)) -> Draft:
    good = next(path for path in sorted(side.samples.glob("order-*.json")) if "good" in path.name)
    order = json.loads(good.read_text(encoding="utf-8"))["order"]
    lines = [{**order["lines"][0], "id": str(place), "sku": sku} for place, sku in enumerate(skus)]
    order = Order.model_validate({**order, "number": number, "marketplace_id": f"m-{number}", "lines": lines})
    draft = side.sink.draft(order, side.mappings)
    assert isinstance(draft, Draft), draft
    return draft


def found_within(side: Opened, number: str, seconds: float) -> Any:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if hits := side.sink.find_orders([number]):
            return hits[number]
        time.sleep(0.05)
    raise AssertionError(f"{number} was not found within {seconds} s")


@pytest.mark.parametrize("connector", CONNECTORS)
def test_the_manifest_is_complete(connector: Connector) -> None:
    assert connector.title
    assert connector.rate_limit > 0
    assert connector.lookup_lag >= 0
    assert connector.source or connector.sink
    assert connector.sandbox
    for needed in ("README.md", "samples/settings.json", "client.py", "mapping.py", "settings.py", "sandbox.py"):
        assert (connector.folder / needed).is_file(), needed


@pytest.mark.parametrize("connector", CONNECTORS)
def test_what_people_must_enter_is_explained_in_german_too(connector: Connector) -> None:
    told = {fact.name: of_setting(connector, fact.name) for fact in facts(connector.settings) if fact.about}
    told |= {f"{need.kind}:{need.source}": of_need(connector, need) for need in connector.mappings}
    assert [name for name, text in told.items() if not text] == [], "say it in german.toml"


def test_samples_map_to_what_they_expect(connector: Connector, sample: Path) -> None:
    content = json.loads(sample.read_text(encoding="utf-8"))
    expected = Order.model_validate(content["order"])
    if "raw" in content:
        mapping = importlib.import_module(f"shared.connectors.{connector.key}.mapping")
        assert mapping.source_order(content["raw"]).order == expected
        return
    side = Opened(connector, "http://127.0.0.1:9", 1.0)
    drafted = side.sink.draft(expected, side.mappings)
    problems = drafted.remarks if isinstance(drafted, Draft) else drafted
    assert [{**problem.as_json(), "key": problem.key} for problem in problems] == content.get(
        "remarks", content.get("problems")
    )
    if isinstance(drafted, Draft):
        assert (drafted.document, list(drafted.skus)) == (content["document"], content["skus"])
    unknown = {problem.code for problem in problems} - set(catalogue())
    assert not unknown, f"not in the catalogue: {unknown}"


@pytest.mark.parametrize("connector", CONNECTORS)
@pytest.mark.parametrize(("fault", "reason"), FAULTS.items(), ids=FAULTS)
def test_a_fault_has_its_reason_within_the_deadline(
    connector: Connector, stand: Stand, fault: str, reason: Reason
) -> None:
    with opened(connector, stand) as side:
        listing(side)
        stand.fault(connector.key, fault, times=10, seconds=3, retry_after=7)
        usual, side.http.deadline = side.http.deadline, 0.3 if reason is Reason.TIMEOUT else 2.0
        started = time.monotonic()
        with pytest.raises(RemoteError) as caught:
            listing(side)
        assert caught.value.reason is reason
        assert time.monotonic() - started < 2.5
        assert caught.value.retry_after == (7.0 if fault == "429_retry_after" else None)
        stand.clear(connector.key)
        side.http.deadline = usual
        listing(side)


@pytest.mark.parametrize("connector", CONNECTORS)
def test_nothing_listens(connector: Connector) -> None:
    side = Opened(connector, "http://127.0.0.1:9", 2.0)
    with side.http, pytest.raises(RemoteError) as caught:
        (side.source or side.sink).ping()
    assert caught.value.reason is Reason.UNREACHABLE
    assert not caught.value.reason.outcome_unknown


@pytest.mark.parametrize("connector", CONNECTORS)
def test_ping_accepts_good_credentials_and_refuses_wrong_ones(connector: Connector, stand: Stand) -> None:
    with opened(connector, stand) as side:
        (side.source or side.sink).ping()
        given = json.loads((side.samples / "settings.json").read_text(encoding="utf-8"))
        wrong = {key: "wrong" if str(value).startswith("canary") else value for key, value in given.items()}
        wrong["base_url"] = side.http.base_url
        build: Any = connector.source or connector.sink
        # A context of its own: tokens belong to it, and the one of the good credentials would do.
        with Http.open(side.http.base_url, Context()) as http, pytest.raises(RemoteError) as caught:
            build(connector.settings.model_validate(wrong), http).ping()
        assert caught.value.reason is Reason.UNAUTHORISED


@pytest.mark.parametrize("connector", CONNECTORS)
def test_no_secret_shows(connector: Connector, stand: Stand, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    said: list[str] = []
    # Its client does not know the secrets here, so what is kept of a call must not hold any in the first place.
    with opened(connector, stand, deadline=1.0) as side, listening() as heard:
        for fault in (*FAULTS, None):
            if fault:
                stand.fault(connector.key, fault, times=10, seconds=0.1)
            try:
                listing(side)
            except RemoteError as error:
                said += [str(error), repr(error), "".join(traceback.format_exception(error))]
                said += [repr(vars(error))]
            stand.clear(connector.key)
        said += [repr(side.settings), str(side.settings), repr(side.http), repr(side.source), repr(side.sink)]
        said += [repr(vars(side.source or side.sink)), side.settings.model_dump_json(), caplog.text]
        said += [json.dumps(one.told(16_000, 16_000)) for one in heard]
        tokens = [value for value, _ in side.context.tokens._held.values()]
        assert heard
        assert side.secrets, "samples/settings.json needs a secret that begins with canary"
        for secret in (*side.secrets, *tokens):
            assert not [text for text in said if secret in text]


@pytest.mark.parametrize("connector", CONNECTORS)
def test_a_link_to_an_order_leads_into_its_system(connector: Connector) -> None:
    settings = json.loads((connector.folder / "samples/settings.json").read_text(encoding="utf-8"))
    open_ones = {name: value for name, value in settings.items() if not str(value).startswith("canary")}
    open_ones |= {"base_url": "https://shop.example.org"}
    assert connector.order_page is not None
    if "order_page" in connector.settings.model_fields:  # nobody but the operator knows
        assert connector.order_page(open_ones, "1") is None
        open_ones |= {"order_page": "https://shop.example.org/orders/{order}/show"}
    address = connector.order_page(open_ones, 'a/b"?&')
    assert address is not None
    assert address.startswith("https://shop.example.org/")
    assert "a%2Fb%22%3F%26" in address


@pytest.mark.parametrize("connector", SOURCES)
def test_paging_ends_and_shows_every_order_once(connector: Connector, stand: Stand) -> None:
    with opened(connector, stand) as side:
        placed = stand.place(connector.key, 300)
        pages = list(side.source.orders_changed(LONG_AGO))
        seen = [each.order.number for page in pages for each in page]
        assert len(pages) > 1
        assert set(placed) <= set(seen)
        assert len(seen) == len(set(seen))
        changes = [each.changed_at for page in pages for each in page]
        assert changes == sorted(changes)
        assert not list(side.source.orders_changed(datetime.now(UTC) + timedelta(minutes=1)))


@pytest.mark.parametrize("connector", SOURCES)
def test_a_malformed_order_is_passed_on_for_a_rejection_and_holds_up_nobody(
    connector: Connector, tmp_path: Path
) -> None:
    with sandbox(tmp_path) as own, opened(connector, own) as side:
        before = own.place(connector.key, 1)
        bad = own.place(connector.key, 1, "unreadable")
        after = own.place(connector.key, 1)
        seen = [each.order for page in side.source.orders_changed(LONG_AGO) for each in page]
        assert [order.number for order in seen] == [*before, *bad, *after]
        for order in seen:
            text = order.model_dump_json(exclude_none=True)
            if order.number in bad:
                with pytest.raises(ValidationError, match="unit_price"):
                    Order.model_validate_json(text)
            else:
                assert Order.model_validate_json(text) == order


@pytest.mark.parametrize("connector", SOURCES)
def test_orders_are_read_by_number_and_show_a_cancellation(connector: Connector, stand: Stand) -> None:
    with opened(connector, stand) as side:
        (open_one,) = stand.place(connector.key, 1)
        (announced,) = stand.place(connector.key, 1, "announced")
        found = side.source.read_orders([open_one, announced, "no such/order"])
        assert {number: each.order.status for number, each in found.items()} == {
            open_one: "open",
            announced: "announced",
        }
        by_id = found[open_one].order.marketplace_id
        assert side.source.read_orders([by_id])[by_id].order.number == open_one
        stand.cancel(connector.key, open_one)
        changed = side.source.read_orders([open_one])[open_one]
        assert changed.order.status == "cancelled"
        assert changed.changed_at >= found[open_one].changed_at


@pytest.mark.parametrize("connector", SINKS)
def test_an_order_of_unknown_outcome_is_found_by_look_up(connector: Connector, stand: Stand) -> None:
    with opened(connector, stand, deadline=1.0) as side:
        drafts = []
        for fault in ("500_after_success", "truncated", "timeout_after_success"):
            draft = draft_of(side, f"lost-{fault}")
            assert side.sink.find_products(draft.skus) == set(draft.skus)
            stand.fault(connector.key, fault, operation="create-order", seconds=3)
            with pytest.raises(RemoteError) as caught:
                side.sink.create_order(draft)
            assert caught.value.reason.outcome_unknown, fault
            drafts.append(draft)
        for draft in drafts:
            (hit,) = found_within(side, draft.number, connector.lookup_lag + 2)
            assert (hit.number, hit.marketplace_id, hit.cancelled) == (draft.number, draft.marketplace_id, False)


@pytest.mark.parametrize("connector", SINKS)
def test_an_unknown_sku_is_named_alone(connector: Connector, stand: Stand) -> None:
    with opened(connector, stand) as side:
        skus = ("ABC-1", "unknown-1", "Kühlbox/20L")
        assert side.sink.find_products(skus) == {"ABC-1", "Kühlbox/20L"}
        with pytest.raises(RemoteError) as caught:
            side.sink.create_order(draft_of(side, "with-unknown", skus))
        assert caught.value.reason is Reason.INVALID
        (problem,) = caught.value.problems
        assert (problem.code, problem.field, problem.key) == ("sku-unknown", "lines.1.sku", "sku:unknown-1")
        stand.products(connector.key, "unknown-1")
        assert side.sink.find_products(skus) == set(skus)
        assert side.sink.create_order(draft_of(side, "with-unknown", skus)).id


@pytest.mark.parametrize("connector", SINKS)
def test_cancelling_twice_is_harmless_and_what_cannot_be_cancelled_says_so(connector: Connector, stand: Stand) -> None:
    with opened(connector, stand) as side:
        made = side.sink.create_order(draft_of(side, "to-cancel"))
        side.sink.cancel_order(made.id)
        side.sink.cancel_order(made.id)
        (hit,) = found_within(side, "to-cancel", connector.lookup_lag + 2)
        assert hit.cancelled
        with pytest.raises(RemoteError) as caught:
            side.sink.cancel_order("999999")
        assert caught.value.reason is Reason.NOT_FOUND
        stand.fault(connector.key, "409", operation="cancel-order")
        other = side.sink.create_order(draft_of(side, "not-to-cancel"))
        with pytest.raises(RemoteError) as caught:
            side.sink.cancel_order(other.id)
        assert caught.value.reason is Reason.CONFLICT


@pytest.mark.parametrize("connector", SINKS)
def test_look_ups_go_in_batches(connector: Connector, stand: Stand) -> None:
    with opened(connector, stand) as side:
        side.sink.ping()  # what logging in needs is not what is asked for here
        side.context.calls.clear()
        numbers = [f"none-{place}" for place in range(120)]
        assert side.sink.find_orders(numbers) == {}
        assert len(side.context.calls) == 3
        side.context.calls.clear()
        assert side.sink.find_products([f"x{place}" for place in range(99)] + ["ABC-1"]) == {"ABC-1"}
        assert len(side.context.calls) == 2
        side.sink.find_products(["ABC-1"])
        assert len(side.context.calls) == 2, "known products are remembered"


def test_the_stand_ins_survive_a_kill(tmp_path: Path) -> None:
    connectors = discover()
    with sandbox(tmp_path) as first:
        for key, connector in connectors.items():
            if connector.source:
                first.place(key, 5)
            else:
                with opened(connector, first) as side:
                    side.sink.create_order(draft_of(side, "kept"))
        held = {key: first.state(key) for key in connectors}
        first.kill()
    with sandbox(tmp_path) as second:
        assert {key: second.state(key) for key in connectors} == held
