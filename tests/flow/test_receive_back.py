"""Taking in what goes back to marketplaces: grey records, changes that gather, events for whoever lists the article."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.db.connect import Connection, connect
from shared.records.change import Outcome
from shared.records.fate import fate
from shared.records.receive_known import UNTARGETED
from shared.runtime.intake import Intake, Taken
from shared.runtime.prepare import Arrival
from tests.support.spine import SLUG, assert_sound, codes, event, nothing, record, store_lane, take_in

pytestmark = pytest.mark.servers
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
OTHER = "otto-at"


class Killed(Exception):
    """A worker that is gone at a failpoint."""


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        store_lane(opened)
        store_lane(opened, OTHER)
        yield opened
        assert_sound(opened)


def made(kind: str, data: dict[str, Any], name: str | None = None, minutes: float = 0) -> bytes:
    time = (NOON + timedelta(minutes=minutes)).isoformat()
    whole = {
        "specversion": "1.0",
        "id": name or uuid.uuid4().hex,
        "source": "/erp",
        "type": kind,
        "time": time,
        "data": data,
    }
    return json.dumps(whole).encode()


def stock(sku: str, quantity: int, minutes: float = 0, *, name: str | None = None, slug: str | None = SLUG) -> bytes:
    data = {"sku": sku, "quantity": quantity, **({"interface": slug} if slug else {})}
    return made("stock-changed.v1", data, name, minutes)


def changed(number: str, status: str = "shipped", minutes: float = 0, *shipments: str) -> bytes:
    data = {"interface": SLUG, "order_number": number, "status": status, "shipments": [{"id": s} for s in shipments]}
    return made("order-changed.v1", data, minutes=minutes)


def arrive(conn: Connection, *bodies: bytes) -> list[Taken]:
    return Intake(nothing).take_in(conn, [Arrival(body, "tests", "tests") for body in bodies])


def outcomes(taken: list[Taken]) -> list[str]:
    return [str(one.outcome) for one in taken]


def staged(conn: Connection, key: str, flow: str) -> dict[str, Any]:
    row = record(conn, key, flow=flow)
    found = conn.execute(
        "SELECT body FROM payloads WHERE record_id = %s AND no = %s", (row["id"], row["payload_no"])
    ).fetchone()
    assert found is not None
    data = json.loads(bytes(found[0]))["data"]
    assert isinstance(data, dict)
    return data


def test_every_order_has_a_grey_export_from_the_start(conn: Connection) -> None:
    take_in(conn, event("A"), event("B"))
    grey = record(conn, "A", flow="order-export")
    assert (grey["state"], grey["due_at"], grey["payload_no"], grey["input_hash"]) == ("never", None, 0, None)
    order = record(conn, "A")
    assert (grey["marketplace_id"], grey["ordered_at"]) == (order["marketplace_id"], order["ordered_at"])


def test_a_change_of_an_order_turns_its_grey_export_blue(conn: Connection) -> None:
    take_in(conn, event("A"))
    (taken,) = arrive(conn, changed("A", "shipped", 1, "p1"))
    row = record(conn, "A", flow="order-export")
    assert (taken.outcome, taken.stage, taken.due) == (Outcome.APPLIED, "marketplace", True)
    assert (row["id"], row["state"], row["payload_no"]) == (taken.record_id, "pending", 1)
    assert codes(conn, "A", "order-export") == [None]


def test_a_change_may_come_before_its_order(conn: Connection) -> None:
    arrive(conn, changed("A"))
    take_in(conn, event("A"))
    row = record(conn, "A", flow="order-export")
    assert (row["state"], row["marketplace_id"]) == ("pending", record(conn, "A")["marketplace_id"])


def test_a_late_change_brings_its_shipment_but_not_its_status(conn: Connection) -> None:
    arrive(conn, changed("A", "completed", 5, "p2"))
    row = record(conn, "A", flow="order-export")
    conn.execute("UPDATE records SET state = 'done', due_at = NULL, seq = seq + 1 WHERE id = %s", (row["id"],))
    conn.execute(
        "INSERT INTO transitions(record_id, seq, stage, from_state, to_state) SELECT id, seq, stage, 'pending', 'done'"
        " FROM records WHERE id = %s",
        (row["id"],),
    )
    assert outcomes(arrive(conn, changed("A", "shipped", 1, "p1"))) == ["superseded"]
    data = staged(conn, "A", "order-export")
    assert (data["status"], sorted(one["id"] for one in data["shipments"])) == ("completed", ["p1", "p2"])
    assert record(conn, "A", flow="order-export")["state"] == "pending", "the shipment is news"
    assert outcomes(arrive(conn, changed("A", "released", 0, "p1"))) == ["superseded"]
    assert record(conn, "A", flow="order-export")["payload_no"] == 2, "this one is not"


def test_changes_of_one_batch_leave_one_copy_and_each_has_its_outcome(conn: Connection) -> None:
    taken = arrive(conn, *(stock("ABC-1", n, n) for n in range(10)), stock("X/1 ü", 3))
    assert outcomes(taken) == ["applied"] * 11
    row = record(conn, "ABC-1", flow="stock")
    assert (row["state"], row["payload_no"], staged(conn, "ABC-1", "stock")["quantity"]) == ("pending", 2, 9)
    assert conn.execute(
        "SELECT outcome, count(*) FROM events WHERE key = 'ABC-1' GROUP BY 1 ORDER BY 1"
    ).fetchall() == [("applied", 1), ("superseded", 9)]


def test_an_event_without_interface_concerns_all_that_list_the_article(conn: Connection) -> None:
    arrive(conn, stock("ABC-1", 1, slug=SLUG), stock("ABC-1", 1, slug=OTHER), stock("LONELY", 1, slug=OTHER))
    (both, one) = arrive(conn, stock("ABC-1", 7, 1, name="both", slug=None), stock("LONELY", 8, 1, slug=None))
    assert [(t.interface, str(t.outcome), t.due) for t in both.all] == [
        (OTHER, "applied", True), (SLUG, "applied", True),
    ]  # fmt: skip
    assert [t.interface for t in one.all] == [OTHER]
    assert record(conn, "ABC-1", OTHER, "stock")["payload_no"] == 2
    (again,) = arrive(conn, stock("ABC-1", 7, 1, name="both", slug=None))
    assert outcomes(list(again.all)) == ["duplicate", "duplicate"]
    (reused,) = arrive(conn, stock("ABC-1", 8, 1, name="both", slug=None))
    assert {str(t.outcome) for t in reused.all} == {"rejected", "duplicate"}, "refused once, its twin is known"
    found = fate(conn, "/erp", "both")
    assert found is not None
    assert [(t["interface"], t["outcome"]) for t in found["targets"]] == [(OTHER, "applied"), (SLUG, "applied")]


def test_an_article_that_nobody_lists_has_no_target_and_is_visible(conn: Connection) -> None:
    (taken,) = arrive(conn, stock("NOBODY", 1, name="n", slug=None))
    assert (str(taken.outcome), taken.interface, taken.record_id) == ("no-target", UNTARGETED, None)
    assert outcomes(arrive(conn, stock("NOBODY", 1, name="n", slug=None))) == ["duplicate"]
    found = fate(conn, "/erp", "n")
    assert found is not None
    assert (found["outcome"], found["record"]) == ("no-target", None)
    arrive(conn, stock("NOBODY", 1))
    (listed,) = arrive(conn, stock("NOBODY", 2, 1, name="n2", slug=None))
    assert str(listed.outcome) == "applied", "an event joins it to the listing"


def test_a_fraction_is_refused_and_its_neighbours_go_on(conn: Connection) -> None:
    bad = made("stock-changed.v1", {"interface": SLUG, "sku": "ABC-1", "quantity": 1.5})
    assert outcomes(arrive(conn, stock("A", 1), bad, stock("B", 2))) == ["applied", "rejected", "applied"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=25), st.integers()
)
def test_a_batch_is_weighed_as_if_its_events_came_one_by_one(
    conn: Connection, drawn: list[tuple[int, int, int]], seed: int
) -> None:
    """(article, minute, quantity): the same in one batch for one set of articles, one by one for another."""
    run, chance = uuid.uuid4().hex[:8], random.Random(seed)
    sizes = iter(lambda: chance.randint(1, 8), 0)
    together, alone = f"T{run}", f"S{run}"
    left = drawn
    got: list[str] = []
    while left:
        size = next(sizes)
        got += outcomes(arrive(conn, *(stock(f"{together}-{a}", q, m) for a, m, q in left[:size])))
        left = left[size:]
    expected = [outcomes(arrive(conn, stock(f"{alone}-{a}", q, m)))[0] for a, m, q in drawn]
    assert got == expected
    for article in {a for a, _, _ in drawn}:
        one, other = (record(conn, f"{name}-{article}", flow="stock") for name in (together, alone))
        assert (one["changed_at"], one["version"]) == (other["changed_at"], other["version"])
        copies = (staged(conn, f"{name}-{article}", "stock")["quantity"] for name in (together, alone))
        assert len(set(copies)) == 1
    count = "SELECT outcome, count(*) FROM events WHERE starts_with(key, %s) GROUP BY 1 ORDER BY 1"
    assert conn.execute(count, (together,)).fetchall() == conn.execute(count, (alone,)).fetchall()


def test_a_crash_after_the_records_were_made_that_were_not_there_loses_nothing(
    database_url: str, conn: Connection
) -> None:
    """The first change of B makes its record, in a statement of its own; the worker dies before the rest is stored."""
    arrive(conn, changed("A"))
    batch = [changed("A", "completed", 2.0), changed("B", "shipped", 1.0), changed("B", "completed", 2.0)]
    passed: list[str] = []

    def dies(point: str) -> None:
        passed.append(point)
        if passed.count("intake.new-stored") == 2:
            raise Killed

    with connect(database_url, "tests") as own, pytest.raises(Killed):
        Intake(dies).take_in(own, [Arrival(body, "tests", "tests") for body in batch])
    assert (staged(conn, "A", "order-export")["status"], staged(conn, "B", "order-export")["status"]) == (
        "shipped", "shipped",
    )  # fmt: skip
    assert outcomes(arrive(conn, *batch)) == ["applied", "duplicate", "applied"]
    assert [staged(conn, key, "order-export")["status"] for key in "AB"] == ["completed", "completed"]
