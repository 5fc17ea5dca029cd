"""The connector against the real Tryton: what its stand-in claims, and what no stand-in can prove."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.connectors.contract import ArticleFilter, Draft, Mappings, Reason, RemoteError
from shared.connectors.http import Http
from shared.connectors.registry import discover
from shared.events.orders import Order
from tests.connectors.conftest import Context
from tests.peers.tryton_server import Running, real_tryton

pytestmark = [pytest.mark.peers, pytest.mark.timeout(3600)]
SAMPLES = discover()["tryton"].folder / "samples"
STEPS = ("create-addresses", "create-draft", "quote-order", "read-total", "create-order")
ROUNDS = 12
PATIENCE = 300.0
"""Seconds for a call: machines that run this have more to do, and it is not about speed."""

GOODS = ("ABC-1", "Kühlbox/20L", "50%_off")


class Killing(Context):
    """Kills Tryton right after a call of this name was answered, or so many seconds after one was sent."""

    def __init__(self, erp: Running) -> None:
        super().__init__()
        self._erp = erp
        self.after: str | None = None
        self.during: tuple[str, float] | None = None
        self.took: dict[str, float] = {}
        self._timer: threading.Timer | None = None

    def before_call(self, operation: str) -> None:
        if self.during and self.during[0] == operation:
            self._timer = threading.Timer(self.during[1], self._erp.kill)
            self._timer.start()
            self.during = None

    def killed(self) -> None:
        """Wait until it is."""
        assert self._timer is not None
        self._timer.join()

    def after_call(self, operation: str, code: str, seconds: float) -> None:
        super().after_call(operation, code, seconds)
        self.took[operation] = seconds
        if operation == self.after:
            self.after = None
            self._erp.kill()


class Side:
    """The three capabilities of the connector, opened against the real thing."""

    def __init__(self, erp: Running, **settings: Any) -> None:
        connector: Any = discover()["tryton"]
        self.settings = connector.settings.model_validate({**erp.settings, **settings})
        self.context = Killing(erp)
        self.http = Http.open(erp.address, self.context, PATIENCE)
        self.sink = connector.sink(self.settings, self.http)
        self.stock = connector.stock_source(self.settings, self.http)
        self.status = connector.status_source(self.settings, self.http)
        self._mappings = Mappings(erp.mappings)

    def draft(self, number: str, sample: str = "good", **changed: Any) -> Draft:
        order = json.loads((SAMPLES / f"order-{sample}.json").read_text(encoding="utf-8"))["order"]
        order = {**order, "number": number, "marketplace_id": f"m-{number}", **changed}
        draft = self.sink.draft(Order.model_validate(order), self._mappings)
        assert isinstance(draft, Draft), draft
        return draft


@pytest.fixture(scope="module")
def erp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with real_tryton(tmp_path_factory.mktemp("tryton")) as running:
        running.add_goods(GOODS)
        running.set_stock(dict.fromkeys(GOODS, 1000.0))
        yield running


@pytest.fixture
def side(erp: Running) -> Iterator[Side]:
    opened = Side(erp)
    with opened.http:
        yield opened


def sales(erp: Running, number: str) -> list[dict[str, Any]]:
    return [sale for sale in erp.orders() if sale["reference"] == number]


def test_wrong_credentials_and_what_is_not_there(erp: Running, side: Side) -> None:
    for capability in (side.sink, side.stock, side.status):
        capability.ping()
    with pytest.raises(RemoteError) as caught:
        Side(erp, password="wrong").sink.ping()
    assert caught.value.reason is Reason.UNAUTHORISED
    with pytest.raises(RemoteError) as caught:
        Side(erp, database="nowhere").sink.ping()
    assert caught.value.reason is Reason.NOT_FOUND
    with pytest.raises(RemoteError) as caught:
        side.sink._call("x", "model.no.such.search_read", [], 0, 1, None, ["id"])
    assert caught.value.problems[0].values["detail"] == "there is no no.such"


def test_an_order_goes_all_the_way(erp: Running, side: Side) -> None:
    began = datetime.now(UTC) - timedelta(seconds=2)
    assert side.sink.find_products(["ABC-1", "abc-1", "nowhere"]) == {"ABC-1"}
    assert side.sink.find_orders(["way"]) == {}
    before = {each.sku: each.quantity for each in side.stock.sellable(GOODS)}
    made = side.sink.create_order(side.draft("way"))
    (hit,) = side.sink.find_orders(["way", "other"])["way"]
    assert (hit.id, hit.marketplace_id, hit.cancelled) == (made.id, "m-way", False)
    after = {each.sku: each.quantity for each in side.stock.sellable(GOODS)}
    assert {sku: before[sku] - after[sku] for sku in GOODS} == {"ABC-1": 2, "Kühlbox/20L": 1, "50%_off": 0}
    assert [change.status for change in side.status.read_changes(["way"])["way"]] == ["released"]
    erp.ship("way", "T-1", {"ABC-1": 1})
    (change,) = side.status.read_changes(["way"])["way"]
    assert (change.status, change.erp_number, change.marketplace_id) == ("partially_shipped", made.id, "m-way")
    (parcel,) = change.shipments
    assert (parcel.carrier, parcel.tracking_number) == ("DHL", "T-1")
    assert [(line.sku, line.quantity, line.line_id) for line in parcel.lines] == [
        ("ABC-1", 1, "00000000-0000-4000-8000-000000000001")
    ]
    since = change.changed_at
    erp.ship("way", "T-2")
    (change,) = [each for page in side.status.changed_since(since) for each in page if each.number == "way"]
    assert change.status == "shipped"
    assert [each.tracking_number for each in change.shipments] == ["T-1", "T-2"]
    assert sum(line.quantity for each in change.shipments for line in each.lines) == 3
    assert began < since < change.changed_at
    assert change == side.status.read_changes(["way"])["way"][0], "the same state gives the same value"
    assert list(side.status.changed_since(datetime.now(UTC) + timedelta(minutes=1))) == []
    with pytest.raises(RemoteError) as caught:
        side.sink.cancel_order(made.id)
    assert caught.value.reason is Reason.CONFLICT


def test_articles_are_found_by_what_people_type(side: Side) -> None:
    def skus(**wanted: Any) -> set[str]:
        return {each.sku for page in side.stock.articles(ArticleFilter(**wanted)) for each in page}

    assert skus() == set(GOODS), "what is no goods is no article"
    assert skus(skus=("ABC-1", "abc-1")) == {"ABC-1"}
    assert skus(name="kühl") == {"Kühlbox/20L"}
    assert skus(name="0%_O") == {"50%_off"}
    assert skus(name="%") == {"50%_off"}
    assert skus(kind="parent") == skus(parent_sku="nowhere") == skus(foreign_skus=("4006381333931",)) == set()


@pytest.mark.parametrize("sample", ["good", "odd-cents"])
def test_totals_are_equal_to_the_cent(erp: Running, side: Side, sample: str) -> None:
    draft = side.draft(f"cents-{sample}", sample)
    side.sink.create_order(draft)
    (sale,) = sales(erp, draft.number)
    assert sale["total_amount"] == Decimal(draft.document["total"])


def test_a_wrong_tax_is_noticed_before_the_confirmation(erp: Running, side: Side) -> None:
    draft = side.draft("taxed")
    for line in draft.document["lines"]:
        line["taxes"] = []
    with pytest.raises(RemoteError) as caught:
        side.sink.create_order(draft)
    assert caught.value.problems[0].field == "total"
    assert [sale["state"] for sale in sales(erp, "taxed")] == ["quotation"]
    side.sink.create_order(side.draft("taxed"))
    (sale,) = sales(erp, "taxed")
    assert (sale["state"], sale["total_amount"]) == ("processing", Decimal("69.38"))


def test_what_only_waits_is_cancelled_and_tells_so(side: Side) -> None:
    made = side.sink.create_order(side.draft("off"))
    side.sink.cancel_order(made.id)
    side.sink.cancel_order(made.id)
    assert [hit.cancelled for hit in side.sink.find_orders(["off"])["off"]] == [True]
    assert [change.status for change in side.status.read_changes(["off"])["off"]] == ["cancelled"]


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_between_two_calls_leaves_one_order_in_the_end(erp: Running, side: Side, step: str) -> None:
    draft = side.draft(f"killed-{step}")
    side.context.after = step
    if step == "create-order":
        side.sink.create_order(draft)
    else:
        with pytest.raises(RemoteError):
            side.sink.create_order(draft)
    erp.start()
    hits = side.sink.find_orders([draft.number])
    assert bool(hits) is (step == "create-order"), "what is merely begun is no order"
    if not hits:
        side.sink.create_order(draft)
    (sale,) = sales(erp, draft.number)
    assert (sale["state"], len(sale["shipments"])) == ("processing", 1)
    assert sale["total_amount"] == Decimal(draft.document["total"])


def test_a_sale_that_was_confirmed_and_never_processed_is_finished(erp: Running, side: Side) -> None:
    draft = side.draft("unprocessed")
    erp.kill()
    erp.start(processing=False)
    try:
        side.sink.create_order(draft)
        assert [sale["state"] for sale in sales(erp, "unprocessed")] == ["confirmed"]
        assert side.sink.find_orders(["unprocessed"]) == {}
        assert [each.id for each in Side(erp, delayed=True).sink.find_orders(["unprocessed"])["unprocessed"]]
    finally:
        erp.kill()
        erp.start()
    side.sink.create_order(draft)
    (sale,) = sales(erp, "unprocessed")
    assert (sale["state"], len(sale["shipments"])) == ("processing", 1)


def test_orders_exist_once_while_tryton_is_killed_at_random(erp: Running, side: Side) -> None:
    """In the midst of calls, that is: nobody knows what had been done of them."""
    side.sink.create_order(side.draft("usual"))
    usual = side.context.took
    chance = random.Random(7)
    lost: Counter[str] = Counter()
    for number in (f"random-{count}" for count in range(ROUNDS)):
        opened = Side(erp)
        with opened.http:
            draft = opened.draft(number)
            step = chance.choice(STEPS)
            opened.context.during = (step, chance.uniform(0.0, usual[step]))
            try:
                opened.sink.create_order(draft)
            except RemoteError as error:
                lost[error.reason] += 1
            opened.context.killed()
            erp.start()
            if not opened.sink.find_orders([number]):
                opened.sink.create_order(draft)
            (hit,) = opened.sink.find_orders([number])[number]
        (sale,) = sales(erp, number)
        assert (sale["id"], sale["state"], len(sale["shipments"])) == (int(hit.id), "processing", 1)
        assert sale["total_amount"] == Decimal(draft.document["total"])
    assert lost.keys() <= {Reason.BROKEN_ANSWER, Reason.UNREACHABLE}
    assert lost[Reason.BROKEN_ANSWER] > 0, "a kill met a call"
