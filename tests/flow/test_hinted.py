"""Hints become events: one look for many hints, published before they are removed, whatever ends in the middle."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from shared.broker.delivery import Fate
from shared.db.connect import Connection, connect, open_pool
from shared.failpoint import Planted
from shared.records.hints import Mark, store_hints
from tests.support.hinting import Hinting, add, created, looping, product, quantity, store_listed
from tests.support.sandbox import Stand
from tests.support.spine import SLUG, assert_sound
from tests.support.waiting import until

pytestmark = pytest.mark.servers


@pytest.fixture
def conn(database_url: str, stand: Stand) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        add(opened, stand)
        yield opened
        assert_sound(opened)


@pytest.fixture
def hinting(database_url: str, conn: Connection) -> Iterator[Hinting]:
    with open_pool(database_url, "calls", 2) as pool:
        yield Hinting(database_url, pool, conn)


def tell(conn: Connection, kind: str, *ids: str) -> None:
    store_hints(conn, SLUG, [(kind, id_) for id_ in ids], 0.0)


@pytest.fixture
def sku() -> str:
    return f"Größe/{uuid.uuid4().hex[:8]}"


def test_a_hundred_hints_of_one_product_are_one_read_and_one_event(hinting: Hinting, stand: Stand, sku: str) -> None:
    id_ = product(stand, sku)
    quantity(stand, sku, 7)
    for _ in range(100):
        store_hints(hinting.conn, SLUG, [("article", id_)], 60.0)
    before = stand.calls("xentral").get("read-stock", 0)
    assert hinting.once(hinting.articles) == []
    hinting.due()
    (event,) = hinting.once(hinting.articles)
    assert stand.calls("xentral")["read-stock"] == before + 1
    assert (event["type"], event["source"]) == ("stock-changed.v1", f"/interfaces/{SLUG}/erp")
    assert event["data"] == {"interface": SLUG, "sku": sku, "kind": "simple", "name": sku, "quantity": 7}
    assert hinting.hints() == []


def test_the_newest_quantity_wins_also_when_it_comes_back(hinting: Hinting, stand: Stand, sku: str) -> None:
    id_ = product(stand, sku)
    store_listed(hinting.conn, sku)
    outcomes = []
    for amount in (5, 4, 5, 5):
        quantity(stand, sku, amount)
        tell(hinting.conn, "article", id_)
        hinting.due()
        hinting.turn(hinting.articles)
        outcomes += hinting.take_in()
    assert outcomes == ["applied", "applied", "applied", "duplicate"]


def test_articles_that_nobody_lists_and_those_that_are_gone_are_no_events(
    hinting: Hinting, stand: Stand, sku: str
) -> None:
    id_ = product(stand, sku)
    hinting.conn.execute("UPDATE listings SET filter = %s", ('{"name": "something else"}',))
    tell(hinting.conn, "article", id_, "99999999")
    assert hinting.once(hinting.articles) == []
    assert hinting.hints() == []
    store_listed(hinting.conn, sku)
    tell(hinting.conn, "article", id_)
    (event,) = hinting.once(hinting.articles)
    assert "name" not in event["data"]


def test_a_parent_means_its_variants_each_time(hinting: Hinting, stand: Stand, sku: str) -> None:
    product(stand, f"{sku}-S", parent=sku)
    id_ = product(stand, sku)
    taken = []
    for _ in range(2):
        tell(hinting.conn, "article", id_)
        hinting.turn(hinting.articles)
        assert b'"kind":"parent"' in hinting.broker.messages[0].body
        taken += hinting.take_in()
    assert taken == ["applied", "applied"]


def test_what_was_read_before_the_erp_stopped_counts_and_the_rest_comes_later(
    hinting: Hinting, stand: Stand, sku: str
) -> None:
    ids = [product(stand, f"{sku}-{number}") for number in range(4)]
    tell(hinting.conn, "article", *ids)
    stand.fault("xentral", "503", "read-stock", times=1)
    assert hinting.once(hinting.articles) == []
    assert {(tries, code) for *_, tries, code in hinting.hints()} == {(1, "remote-unavailable")}
    hinting.due()
    assert len(hinting.once(hinting.articles)) == 4
    assert hinting.hints() == []


def test_an_order_with_hints_of_two_kinds_is_one_event_and_told_once(
    hinting: Hinting, stand: Stand, number: str
) -> None:
    order_id, note = shipped(stand, number)
    tell(hinting.conn, "order", order_id)
    tell(hinting.conn, "delivery", note)
    hinting.turn(hinting.orders)
    (event,) = [json.loads(message.body) for message in hinting.broker.messages]
    assert event["data"]["order_number"] == number
    assert event["data"]["status"] == "shipped"
    assert len(event["data"]["shipments"]) == 1
    assert hinting.take_in() == ["applied"]
    tell(hinting.conn, "order", order_id)
    assert hinting.once(hinting.orders) == [], "what the inbox has is not told again"
    assert hinting.hints() == []


def test_orders_of_other_shops_and_cancelled_copies_are_none_of_ours(
    hinting: Hinting, stand: Stand, number: str
) -> None:
    order_id, _ = shipped(stand, number)
    hinting.conn.execute(
        "INSERT INTO records(interface, flow, key, stage, state, changed_at, data_hash, marketplace_id, remote)"
        " VALUES (%s, 'order-import', %s, 'erp', 'done', now(), gen_random_uuid(), %s, '0')",
        (SLUG, number, f"m-{number}"),
    )
    tell(hinting.conn, "order", order_id)
    assert hinting.once(hinting.orders) == [], "we created another one under this number"
    hinting.conn.execute("UPDATE records SET remote = %s, marketplace_id = 'other'", (order_id,))
    tell(hinting.conn, "order", order_id)
    assert hinting.once(hinting.orders) == [], "it belongs to another shop"
    hinting.conn.execute("UPDATE records SET marketplace_id = %s", (f"m-{number}",))
    tell(hinting.conn, "order", order_id)
    assert len(hinting.once(hinting.orders)) == 1
    hinting.conn.execute("DELETE FROM records")


def test_a_hint_that_nobody_can_look_at_does_not_hold_up_the_others(hinting: Hinting, stand: Stand, sku: str) -> None:
    ids = [product(stand, f"{sku}-{number}") for number in range(3)]
    tell(hinting.conn, "article", *ids)
    # The list is refused for all together and for the first alone.
    stand.fault("xentral", "400", "list-articles", times=2)
    events = hinting.once(hinting.articles)
    assert len(events) == 2
    ((kind, id_, _, tries, code),) = hinting.hints()
    assert (kind, id_, tries, code) == ("article", sorted(ids)[0], 1, "remote-refused")


@pytest.mark.parametrize("fate", [Fate.REFUSED, Fate.UNKNOWN])
def test_hints_stay_until_the_broker_has_confirmed(hinting: Hinting, stand: Stand, sku: str, fate: Fate) -> None:
    tell(hinting.conn, "article", product(stand, sku))
    hinting.broker.fate = fate
    assert len(hinting.once(hinting.articles)) == 1
    assert [code for *_, code in hinting.hints()] == ["broker-away"]
    hinting.broker.fate = Fate.CONFIRMED
    hinting.due()
    assert len(hinting.once(hinting.articles)) == 1
    assert hinting.hints() == []


@pytest.mark.parametrize("name", ["hints.read", "hints.published", "hints.removed"])
def test_a_look_that_ends_in_the_middle_is_repeated_without_harm(
    hinting: Hinting, stand: Stand, sku: str, name: str
) -> None:
    id_ = product(stand, sku)
    store_listed(hinting.conn, sku)
    quantity(stand, sku, 3)
    tell(hinting.conn, "article", id_)
    hinting.failpoint.at = name
    with suppress(Planted):
        hinting.turn(hinting.articles)
    assert (hinting.hints() == []) == (name == "hints.removed")
    hinting.due()
    hinting.turn(hinting.articles)
    taken = hinting.take_in()
    assert taken.count("applied") == 1
    assert set(taken) <= {"applied", "duplicate"}
    assert hinting.hints() == []


def test_settings_that_do_not_fit_are_said_and_tried_again(hinting: Hinting, stand: Stand, sku: str) -> None:
    tell(hinting.conn, "article", "1")
    hinting.conn.execute("""UPDATE sides SET settings = '{"base_url": "nonsense"}' WHERE side = 'erp'""")
    assert hinting.once(hinting.articles) == []
    assert [code for *_, code in hinting.hints()] == ["setting-missing"]


def test_the_loop_looks_at_what_comes_due_and_ends_with_a_planted_failure(
    hinting: Hinting, stand: Stand, sku: str
) -> None:
    ids = [product(stand, f"{sku}-{number}") for number in range(2)]
    with looping(hinting.articles.run):
        tell(hinting.conn, "article", ids[0])
        until(lambda: len(hinting.broker.messages) == 1, "the first is told")
        tell(hinting.conn, "article", ids[1])
        until(lambda: len(hinting.broker.messages) == 2, "the second is told over the same connections")
        until(lambda: not hinting.hints(), "both are removed")
        hinting.failpoint.at = "hints.read"
        tell(hinting.conn, "article", ids[0])
        until(lambda: hinting.fatal, "the process ends")
    assert isinstance(hinting.fatal[0], Planted)


def test_a_look_takes_no_more_hints_than_the_allowance_has_calls_for(hinting: Hinting, stand: Stand, sku: str) -> None:
    hinting.conn.execute("UPDATE sides SET calls_per_second = 100.0 / 60 WHERE side = 'erp'")
    hinting.conn.execute("UPDATE side_states SET next_call_at = now() - interval '1 hour'")
    ids = [product(stand, f"{sku}-{number}") for number in range(10)]
    tell(hinting.conn, "article", *ids)
    held: list[int] = []
    real = hinting.articles.open_look

    def noting(interface: Any) -> Any:
        look, close = real(interface)
        seen = look.look

        def count(conn: Connection, slug: str, marks: list[Mark]) -> Any:
            held.append(len(marks))
            raise Planted("enough")

        assert seen
        look.look = count  # type: ignore[method-assign]
        return look, close

    hinting.articles.open_look = noting
    with suppress(Planted):
        hinting.once(hinting.articles)
    assert held == [8]


def test_all_of_it_keeps_to_the_allowance_of_the_erp(hinting: Hinting, stand: Stand, sku: str) -> None:
    ids = [product(stand, f"{sku}-{number}") for number in range(30)]
    hinting.conn.execute("UPDATE sides SET calls_per_second = 10 WHERE side = 'erp'")
    hinting.conn.execute("UPDATE side_states SET next_call_at = now()")
    tell(hinting.conn, "article", *ids)
    before, begun = sum(stand.calls("xentral").values()), time.monotonic()
    assert len(hinting.once(hinting.articles)) == 30
    passed, calls = time.monotonic() - begun, sum(stand.calls("xentral").values()) - before
    assert calls <= 30 + 2, "a read for each, and a list for each batch of fifty"
    assert calls <= passed * 10 + 1


def shipped(stand: Stand, number: str) -> tuple[str, str]:
    """An order of ours that the ERP shipped: its id there, and that of its delivery note."""
    order_id = created(stand, number)
    return order_id, str(stand.post("xentral", f"orders/{number}/ship", {})["deliveryNote"])
