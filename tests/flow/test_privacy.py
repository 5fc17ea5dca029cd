"""A person's data is found wherever it lies, handed out, and erased with its receipt; what books need stays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from shared.db.connect import Connection, connect
from shared.events.erased import MARK
from shared.people.audit import audit, read_audit
from shared.privacy.deed import DeedOver, ask, forget_findings, go_on_to_erase, list_deeds, read_deed
from shared.privacy.handout import as_document
from shared.privacy.holds import hold, list_holds, release
from shared.privacy.retention import Keep, retain, walks
from shared.privacy.steps import step
from shared.privacy.subject import Subject, subject
from shared.records.change import Outcome
from shared.records.exchanges import pack, read_exchanges
from shared.records.indexer import Indexer
from shared.records.settle import settle
from shared.records.states import State
from tests.support.spine import assert_sound, claims, event, nothing, record, settlement, store_lane, take_in

pytestmark = pytest.mark.servers

ERIKA: dict[str, Any] = {
    "customer": {"email": "erika.canary@example.org", "first_name": "Erika", "last_name": "Canary",
                 "phone": "+49 40 7654321"},
    "billing_address": {"name": "Erika Canary", "street": "Canaryweg", "house_number": "7", "zip_code": "22179",
                        "city": "Canaryhausen", "country": "DE"},
    "shipping_address": {"name": "Erika Canary", "zip_code": "22179", "city": "Canaryhausen", "country": "DE"},
}  # fmt: skip
EMAIL = subject(email="Erika.Canary@example.org")


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        store_lane(opened)
        yield opened


def carry_out(conn: Connection, deed: UUID) -> Any:
    """All steps, as a process would take them."""
    while step(conn, deed, list, nothing) is not None:
        pass
    found = read_deed(conn, deed)
    assert found is not None
    return found


def done(conn: Connection, kind: Any, who: Subject = EMAIL) -> Any:
    return carry_out(conn, ask(conn, kind, who, "anna", "ticket 812"))


def rest(conn: Connection, state: State = State.DONE, **more: Any) -> None:
    """Whatever is due comes to rest."""
    settle(conn, [settlement(one, state, **more) for one in claims(conn)])
    Indexer().batch(conn, nothing)


def everything(conn: Connection) -> str:
    """All that the tables hold, as text; what is packed is unpacked."""
    parts = []
    for (table,) in conn.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
    ).fetchall():
        parts += [str(row) for row in conn.execute(f'SELECT t::text FROM "{table}" t'.encode()).fetchall()]
    for table, column in (("payloads", "body"), ("rejections", "raw")):
        parts += [
            bytes(row[0]).decode("utf-8", "replace") for row in conn.execute(f"SELECT {column} FROM {table}".encode())
        ]
    ids = [row[0] for row in conn.execute("SELECT id FROM records").fetchall()]
    parts += [json.dumps(read_exchanges(conn, id_)) for id_ in ids]
    return "\n".join(parts)


CALL = {"operation": "create", "method": "POST", "target": "/orders?name=Canary", "status": 201, "seconds": 0.1,
        "wrong": None, "request": {"text": '{"name": "Erika Canary"}', "left_out": 0},
        "response": {"text": '{"mail": "erika.canary@example.org"}', "left_out": 0}}  # fmt: skip


def test_what_is_kept_of_a_person_is_found_handed_out_and_erased_and_the_books_stay(conn: Connection) -> None:
    bought = event("A", name="canary-event", **ERIKA)
    take_in(conn, bought)
    take_in(conn, event("A", version=0, name="canary-older", time=None, **ERIKA))  # superseded, or a newer copy
    take_in(conn, event("A", lines=[], **ERIKA), b'{"note": "Erika\\u0020Canary rang"}')
    rest(conn, calls=pack([CALL]), remote="77", detail={"remote": "77", "said": "Erika Canary"})
    take_in(conn, event("B"))
    rest(conn)
    other = record(conn, "B")["id"]
    conn.execute("INSERT INTO exchanges(record_id, claim_no, body) VALUES (%s, 99, %s)", (other, pack([CALL])))
    conn.execute(
        "UPDATE records SET reason = %s WHERE key = 'A' AND flow = 'order-import'",
        (Jsonb([{"code": "remote-refused", "values": {"detail": "no customer Canary", "system": "ERP"}}]),),
    )
    conn.execute("INSERT INTO views(owner, name, resource, filter, sort) VALUES"
                 " ('anna', 'Erika  Canary', 'orders', 'erika.canary@example.org state:failed', '')")  # fmt: skip
    conn.execute("INSERT INTO causes(cause, note) VALUES ('x-1', 'erika canary called again')")
    audit(conn, "anna", "orders.retry", {"filter": "ERIKA.CANARY@example.org"}, "Canary, Erika asked")
    before = everything(conn)
    assert before.casefold().count("canary") > 30

    found = done(conn, "find")
    assert found.counts == {"orders": 2, "rejections": 2, "audit": 1, "views": 1, "causes": 1, "exchanges": 2}, (
        found.counts
    )
    said = "".join(as_document(conn, found))
    for wanted in ("Canaryhausen", "no customer Canary", "rang", "called again", '\\"mail\\"'):
        assert wanted in said, wanted
    assert json.loads(said)["found"][0]["copies"]
    assert everything(conn).count("Canaryhausen") == before.count("Canaryhausen"), "looking changes nothing"

    go_on_to_erase(conn, found.id, "bert", "ticket 813")
    gone = carry_out(conn, found.id)
    left = [line for line in everything(conn).splitlines() if "canary" in line.casefold()]
    assert not left, left
    assert gone.subject is None
    assert (gone.counts["records"], gone.counts["rejections"]) == (2, 2), gone.counts
    assert gone.left_alone == []
    assert [line["verb"] for line in read_audit(conn)][:2] == ["privacy.erased", "privacy.erase"]
    assert_sound(conn)
    kept = record(conn, "A")
    assert (kept["state"], kept["remote"]) == ("done", "77")
    (body,) = conn.execute("SELECT convert_from(body, 'UTF8')::jsonb FROM payloads WHERE record_id = %s AND no = 1",
                           (kept["id"],)).fetchone() or ({},)  # fmt: skip
    order = body["data"]["order"]
    assert (order["total"], order["lines"][0]["sku"], order["billing_address"]) == (
        "44.88", "ABC-1", {"name": MARK, "country": "DE"})  # fmt: skip
    with pytest.raises(DeedOver):
        go_on_to_erase(conn, found.id, "bert", "again")

    # The same again is known: it brings nothing back.
    assert take_in(conn, bought)[0].outcome is Outcome.DUPLICATE
    assert take_in(conn, event("A", lines=[], **ERIKA))[0].outcome is Outcome.REJECTED, "another input, another bytes"
    assert done(conn, "find").counts == {"rejections": 1}


def test_orders_under_way_or_held_stay_and_the_receipt_says_so(conn: Connection) -> None:
    take_in(conn, event("A", **ERIKA))
    rest(conn)
    take_in(conn, event("B", **ERIKA), event("C", lines=[], **ERIKA))
    assert hold(conn, "otto-de", "A", "anna", "case 12/26")
    assert not hold(conn, "otto-de", "Z", "anna", "case 12/26")
    told = done(conn, "erase")
    assert sorted((one["number"], one["why"], one["state"]) for one in told.left_alone) == [
        ("1", "rest", ""), ("A", "held", ""), ("B", "under-way", "pending")]  # fmt: skip
    assert told.counts == {}
    assert "Canaryhausen" in everything(conn)
    assert [one["number"] for one in list_holds(conn)] == ["A"]
    assert release(conn, "otto-de", "A", "anna", "closed")
    rest(conn)
    told = done(conn, "erase")
    assert told.left_alone == []
    assert "anary" not in everything(conn)
    verbs = {line["verb"] for line in read_audit(conn)}
    assert {"privacy.hold", "privacy.release", "privacy.erase", "privacy.erased"} <= verbs


def test_what_a_later_event_brings_back_is_noticed_and_goes_again(conn: Connection) -> None:
    take_in(conn, event("A", **ERIKA))
    rest(conn)
    done(conn, "erase")
    keep = Keep(0, 0, 0)
    assert retain(conn, keep, nothing) == 0
    assert take_in(conn, event("A", total="45.00", version=2, **ERIKA))[0].outcome is Outcome.APPLIED
    conn.execute("UPDATE privacy_walks SET looked = now() - interval '1 hour'")
    assert retain(conn, keep, nothing) == 1
    assert read_audit(conn)[0]["verb"] == "privacy.returned"
    assert "Canaryhausen" in everything(conn), "it is under way"
    rest(conn)
    conn.execute("UPDATE privacy_later SET look_at = now()")
    assert retain(conn, keep, nothing) > 0
    assert "anary" not in everything(conn)
    assert record(conn, "A")["payload_no"] == 2
    assert_sound(conn)


def test_data_goes_by_its_age_once_its_order_is_over(conn: Connection) -> None:
    take_in(conn, event("old", **ERIKA), event("bad", lines=[], **ERIKA))
    rest(conn)
    take_in(conn, event("busy", **ERIKA), event("worse", lines=[], **ERIKA))
    conn.execute("UPDATE records SET received_at = now() - interval '800 days'")
    conn.execute("UPDATE rejections SET received_at = now() - interval '100 days'")
    conn.execute("UPDATE rejections SET state = 'set-aside', resolved_at = now() - interval '91 days' WHERE id = 1")
    conn.execute("INSERT INTO audit(at, actor, verb) VALUES (now() - interval '4 years', 'anna', 'orders.retry')")
    take_in(conn, event("new", **ERIKA))

    def all_of_it() -> None:
        while retain(conn, Keep(730, 90, 1096), nothing):
            pass

    all_of_it()
    bodies: dict[str, str] = dict(
        conn.execute("SELECT key, convert_from(body, 'UTF8') FROM payloads JOIN records ON id = record_id").fetchall()
    )
    assert {key for key, body in bodies.items() if "anary" in body} == {"busy", "new"}
    raws = conn.execute("SELECT convert_from(raw, 'UTF8') FROM rejections ORDER BY id").fetchall()
    assert (raws[0][0] == MARK, "anary" in raws[1][0]) == (True, True)
    assert walks(conn) | {"returned": 0} == {"orders": 2, "rejections": 1, "audit": 1, "returned": 0}
    rest(conn)
    conn.execute("UPDATE records SET received_at = now() - interval '800 days' WHERE key <> 'new'")
    conn.execute("UPDATE privacy_later SET look_at = now()")
    all_of_it()
    (still,) = conn.execute(
        "SELECT count(*) FROM payloads WHERE convert_from(body, 'UTF8') LIKE '%anary%'"
    ).fetchone() or (0,)
    assert still == 1


def test_whom_a_search_was_about_is_forgotten_after_a_week(conn: Connection) -> None:
    take_in(conn, event("A", **ERIKA))
    by = {"number": subject(number="A"), "phone": subject(phone="040/7654321"),
          "name": subject(name="Canary Erika", zip_code="22179"), "nobody": subject(email="x@example.org"),
          "elsewhere": subject(number="A", interface="shop")}  # fmt: skip
    counts = {name: done(conn, "find", who).counts for name, who in by.items()}
    assert counts == {
        "number": {"orders": 2},
        "phone": {"orders": 2},
        "name": {"orders": 2},
        "nobody": {},
        "elsewhere": {},
    }
    conn.execute("UPDATE privacy_deeds SET finished_at = now() - interval '8 days'")
    assert forget_findings(conn) == len(by)
    assert all(one.subject is None for one in list_deeds(conn))
    assert conn.execute("SELECT count(*) FROM privacy_found").fetchone() == (0,)


@pytest.mark.parametrize("at", ["sliced", "counted", "committed"])
def test_an_erasure_that_is_killed_is_carried_on_and_counts_each_row_once(
    conn: Connection, database_url: str, at: str
) -> None:
    numbers = [f"k-{n}" for n in range(60)]  # more than one slice of orders
    take_in(conn, *(event(number, **ERIKA) for number in numbers), event("bad", lines=[], **ERIKA))
    rest(conn)
    deed = ask(conn, "erase", EMAIL, "anna", "ticket 812")
    while step(conn, deed, list, nothing):
        (phase,) = conn.execute("SELECT phase FROM privacy_deeds WHERE id = %s", (deed,)).fetchone() or ("",)
        if phase == "erase-orders":
            break
    else:
        pytest.fail("it is over before it was killed")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CONNECT_")}
    environment |= {"CONNECT_DATABASE_URL": database_url, "CONNECT_FAULT": f"privacy.{at}:kill@2"}
    command = [sys.executable, "-m", "services.cli", "privacy", "resume", str(deed)]
    killed = subprocess.run(command, env=environment, capture_output=True, timeout=90, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    half = read_deed(conn, deed)
    assert half is not None
    (gone,) = conn.execute("SELECT count(*) FROM privacy_erased").fetchone() or (0,)
    assert (half.over, half.counts["records"]) == (False, gone), "the receipt tells what was done, no more and no less"
    assert 0 < gone < 2 * len(numbers) or at == "committed"
    told = carry_out(conn, deed)
    assert (told.counts["records"], told.counts["rejections"], told.left_alone) == (2 * len(numbers), 1, [])
    assert "anary" not in everything(conn)
    assert_sound(conn)


WALK = """
import sys
from shared.db.connect import connect
from shared.failpoint import Failpoints
from shared.privacy.retention import Keep, retain
with connect(sys.argv[1], "tests") as conn:
    retain(conn, Keep(730, 0, 0), Failpoints(sys.argv[2]))
"""


def test_a_walk_by_age_that_is_killed_begins_its_slice_again(conn: Connection, database_url: str) -> None:
    take_in(conn, event("A", **ERIKA), event("B", **ERIKA))
    rest(conn)
    conn.execute("UPDATE records SET received_at = now() - interval '800 days'")
    for point in ("sliced", "retained"):
        command = [sys.executable, "-c", WALK, database_url, f"privacy.{point}:kill"]
        killed = subprocess.run(command, capture_output=True, timeout=60, check=False)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert walks(conn)["orders"] == 0
        assert everything(conn).count("Canaryweg") == 2
    assert retain(conn, Keep(730, 0, 0), nothing) == 4
    assert walks(conn)["orders"] == 4
    assert "anary" not in everything(conn)
