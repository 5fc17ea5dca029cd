"""Lists of records: pages without gaps or doubles, counts, masking, history and the fate of an event."""

import json
import uuid
from collections.abc import Iterator
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from psycopg.types.json import Jsonb

from shared.db.connect import Connection, connect
from shared.records import counts
from shared.records.fate import fate
from shared.records.filter import parse
from shared.records.hashes import event_hash
from shared.records.history import find_records, history, read_record
from shared.records.listing import ListingError, counts_by_state, list_records, stream
from tests.support.stored import NOW, order_event, store_interface, store_record

pytestmark = pytest.mark.servers
ZONE = ZoneInfo("Europe/Berlin")
ALL = parse("", ZONE)
PROBLEMS = [
    {"code": "payment-unmapped", "field": "payment.method", "values": {"payment": "PAYPAL"}},
    {"code": "sku-unknown", "field": "lines.0.sku", "values": {"sku": "ABC-1"}},
]


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        yield opened


@pytest.mark.parametrize("sort", ["number", "-number", "ordered", "-ordered", "updated", "-updated", "state", "-state"])
def test_pages_hold_every_match_once_in_the_order_asked_for(conn: Connection, sort: str) -> None:
    states = ["done", "failed", "pending"]
    for n in range(23):
        ordered = None if n % 5 == 0 else NOW + timedelta(hours=n % 4)
        updated = NOW + timedelta(microseconds=n % 3)
        store_record(conn, f"A{n:02}", state=states[n % 3], ordered_at=ordered, updated_at=updated)
    seen, cursor = [], None
    for _ in range(10):
        page = list_records(conn, "order-import", ALL, sort=sort, cursor=cursor, limit=4)
        seen += [item["id"] for item in page.items]
        assert (page.count, page.capped) == (23, False)
        if (cursor := page.next) is None:
            break
    assert len(seen) == len(set(seen)) == 23
    assert seen == [item["id"] for item in stream(conn, "order-import", ALL, sort=sort, chunk=5)]


def test_what_changes_on_other_pages_does_not_shift_the_next_one(conn: Connection) -> None:
    for n in range(6):
        store_record(conn, f"A{n}")
    first = list_records(conn, "order-import", ALL, sort="number", limit=3)
    store_record(conn, "A00")
    second = list_records(conn, "order-import", ALL, sort="number", limit=3, cursor=first.next)
    assert [item["key"] for item in second.items] == ["A3", "A4", "A5"]


@pytest.mark.parametrize("cursor", ["", "x", "e30", "W10", "a" * 400, "é", "\0", "WyItdXBkYXRlZCIsIngiLDFd"])
def test_a_cursor_that_is_not_ours_is_said_to_be_so(conn: Connection, cursor: str) -> None:
    with pytest.raises(ListingError, match="start again"):
        list_records(conn, "order-import", ALL, cursor=cursor)


def test_only_known_columns_can_be_sorted_by(conn: Connection) -> None:
    with pytest.raises(ListingError, match="number, ordered, updated, state"):
        list_records(conn, "order-import", ALL, sort="id; DROP TABLE records")


def test_counts_are_exact_up_to_a_bound_and_say_when_they_are_not(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "COUNTED_TO", 3)
    for n in range(3):
        store_record(conn, f"A{n}")
    assert not list_records(conn, "order-import", ALL).capped
    store_record(conn, "A3")
    page = list_records(conn, "order-import", ALL)
    assert (page.count, page.capped) == (3, True)


def test_every_state_is_counted_also_those_that_do_not_occur(conn: Connection) -> None:
    store_record(conn, "1", state="failed")
    store_record(conn, "2", state="done")
    counts = counts_by_state(conn, "order-import", ALL)
    assert (counts["failed"], counts["done"], counts["waiting"], len(counts)) == (1, 1, 0, 8)


def test_an_item_shows_the_order_and_every_problem_in_words(conn: Connection) -> None:
    store_record(conn, "4711", state="failed", reason=PROBLEMS, code="payment-unmapped")
    (item,) = list_records(conn, "order-import", ALL, language="de").items
    assert item["customer"] == "Erika Muster"
    assert (item["number"], item["total"], item["currency"]) == ("4711", "39.98", "EUR")
    assert "„PAYPAL“" in item["reason"]["sentence"]
    assert [problem["code"] for problem in item["reason"]["problems"]] == ["payment-unmapped", "sku-unknown"]
    assert all(problem["steps"] for problem in item["reason"]["problems"])


def test_personal_data_is_hidden_from_those_who_need_not_see_it(conn: Connection) -> None:
    record = store_record(conn, "4711")
    (item,) = list_records(conn, "order-import", ALL, reveal=False).items
    shown = read_record(conn, record, reveal=False)
    assert shown is not None
    text = json.dumps([item, shown], default=str)
    assert not [word for word in ("Erika", "Muster", "Teststr", "e@example.org") if word in text]
    assert shown["payload"]["data"]["order"]["billing_address"]["city"] == "Hamburg"


def test_history_tells_both_hops_newest_first_with_the_attempts(conn: Connection) -> None:
    store_interface(conn)
    record = store_record(conn, "4711", state="done")
    conn.execute("SELECT make_transition_months(3)")
    now = conn.execute("SELECT now()").fetchone()
    assert now is not None
    steps = [
        ("connect", None, "done"),
        ("erp", None, "pending"),
        ("erp", "pending", "running"),
        ("erp", "running", "done"),
    ]
    for seq, (stage, source, target) in enumerate(steps, start=1):
        conn.execute(
            "INSERT INTO transitions(record_id, seq, at, stage, from_state, to_state, reason)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            (record, seq, now[0] + timedelta(seconds=max(0, seq - 2)), stage, source, target, Jsonb([])),
        )
    conn.execute(
        "INSERT INTO attempts(record_id, claim_no, stage, started_at, ended_at, outcome, called)"
        " VALUES (%s, 1, 'erp', %s, %s, 'done', true)",
        (record, now[0] + timedelta(seconds=1), now[0] + timedelta(seconds=2)),
    )
    entries = history(conn, record, titles={"otto": "OTTO Market", "xentral": "Xentral"})
    assert [(e["kind"], e["source"], e["target"], e["to_state"]) for e in entries] == [
        ("transition", "Connect", "Xentral", "done"),
        ("attempt", "Connect", "Xentral", None),
        ("transition", "Connect", "Xentral", "running"),
        ("transition", "Connect", "Xentral", "pending"),
        ("transition", "OTTO Market", "Connect", "done"),
    ]
    assert entries[0]["sentence"] == "Order imported into Xentral"
    assert entries[1]["duration"] == 1.0


def test_a_record_is_found_by_any_of_its_numbers(conn: Connection) -> None:
    record = store_record(conn, "4711", remote="XE-9")
    other = store_record(conn, "4711", interface="shop")
    assert find_records(conn, "order-import", "4711") == [record, other]
    assert find_records(conn, "order-import", "4711", "shop") == [other]
    assert find_records(conn, "order-import", "XE-9") == [record]
    assert find_records(conn, "order-import", "m-4711") == [record, other]
    assert read_record(conn, 10**9) is None


def test_the_fate_of_an_event_names_record_rejections_and_duplicates(conn: Connection) -> None:
    record = store_record(conn, "4711", event=order_event("4711"), state="failed", code="sku-unknown")
    hash = event_hash("/tests", "e-4711")
    conn.execute(
        "INSERT INTO events(hash, source, id, event, interface, key, data_hash, outcome, record_id)"
        " VALUES (%s, '/tests', 'e-4711', 'order-imported', 'otto-de', '4711', %s, 'applied', %s)",
        (hash, uuid.uuid4(), record),
    )
    conn.execute("INSERT INTO duplicates(event, interface, hash) VALUES ('order-imported', 'otto-de', %s)", (hash,))
    found = fate(conn, "/tests", "e-4711")
    assert found is not None
    assert (found["outcome"], found["record"]["state"], len(found["duplicates"])) == ("applied", "failed", 1)
    assert fate(conn, "/tests", "unheard of") is None


def test_an_event_that_was_only_refused_has_that_fate(conn: Connection) -> None:
    conn.execute(
        "INSERT INTO rejections(queue, origin, event, interface, source, event_id, hash, body_hash, raw, problems)"
        " VALUES ('q', 'q', 'order-imported', '?', '/tests', 'bad', %s, %s, '', %s)",
        (event_hash("/tests", "bad"), uuid.uuid4(), Jsonb([{"code": "not-json", "values": {"message": "x"}}])),
    )
    found = fate(conn, "/tests", "bad")
    assert found is not None
    assert (found["outcome"], found["record"]) == ("rejected", None)
    assert found["rejections"][0]["problems"][0]["sentence"]
