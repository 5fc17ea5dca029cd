"""One record: its history in people's words, what was said to remote systems, the copies of its event, links."""

from __future__ import annotations

import json
from typing import Any

from shared.connectors.registry import discover
from shared.db.connect import Connection
from shared.records.exchanges import pack
from tests.support.rows import changed_event, store_export
from tests.support.stored import NOW, order_event, store_record
from tests.web.conftest import Site

HOSTILE = '<script>alert(1)</script>\u202e=HYPERLINK("x")'


def _transition(conn: Connection, record: int, seq: int, stage: str, to: str, **more: Any) -> None:
    row = {"record_id": record, "seq": seq, "at": NOW, "stage": stage, "to_state": to, **more}
    conn.execute(
        f"INSERT INTO transitions({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))})", list(row.values())
    )


def _attempt(
    conn: Connection, record: int, claim: int, outcome: str, calls: list[dict[str, Any]], **detail: Any
) -> None:
    conn.execute(
        "INSERT INTO attempts(record_id, claim_no, stage, started_at, ended_at, outcome, called, detail)"
        " VALUES (%s, %s, 'erp', %s, now(), %s, true, %s)",
        (record, claim, NOW, outcome, json.dumps(detail)),
    )
    if calls:
        conn.execute(
            "INSERT INTO exchanges(record_id, claim_no, body) VALUES (%s, %s, %s)", (record, claim, pack(calls))
        )


def _call(status: int | None, response: str, **more: Any) -> dict[str, Any]:
    return {
        "operation": "create-order",
        "method": "POST",
        "target": "/orders?buyer=Erika",
        "status": status,
        "seconds": 0.25,
        "wrong": None if status == 201 else "remote-refused: create-order: HTTP 422",
        "request": {"text": json.dumps({"name": "Erika Muster"}), "left_out": 0},
        "response": {"text": response, "left_out": 7},
        **more,
    }


def test_attempts_tell_what_was_said_and_what_changed_and_viewers_see_no_bodies(site: Site) -> None:
    record = store_record(site.conn, "4711", state="done", remote="200417", claim_no=2)
    _attempt(site.conn, record, 1, "failed", [_call(422, f'{{"error":"{HOSTILE[:25]}"}}')])
    _attempt(site.conn, record, 2, "done", [_call(201, '{"id":"200417"}')])

    items = site.api("operator").get(f"/api/v1/orders/{record}/history").json()["items"]
    newest, oldest = (one for one in items if one["kind"] == "attempt")
    assert newest["calls"][0]["response"] == {"text": '{"id":"200417"}', "left_out": 7}
    assert {one["part"] for one in newest["changed"]} == {"status", "response"}
    assert oldest["changed"] is None

    page = site.browser("operator", language="de").get(f"/orders/{record}").text
    assert "Um 7 Zeichen gekürzt." in page
    assert "Anders als beim Versuch davor: 2" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page

    items = site.api("viewer").get(f"/api/v1/orders/{record}/history").json()["items"]
    shown = next(one for one in items if one["kind"] == "attempt")
    assert shown["calls"][0]["request"] is None
    assert shown["calls"][0]["target"] == "/orders"
    assert "Erika" not in json.dumps(items)
    page = site.browser("viewer").get(f"/orders/{record}").text
    assert "Erika Muster" not in page
    assert "Contents are shown to those who may work on orders only" in page


def test_the_history_tells_import_and_export_together_in_plain_words(site: Site) -> None:
    order = store_record(site.conn, "4712", state="done", remote="200418")
    _transition(site.conn, order, 1, "connect", "done")
    _transition(site.conn, order, 2, "erp", "pending")
    _transition(site.conn, order, 3, "erp", "running", from_state="pending", claim_no=1)
    _transition(site.conn, order, 4, "erp", "failed", from_state="running", claim_no=1)
    _transition(site.conn, order, 5, "erp", "pending", from_state="failed", actor="mara")
    _transition(site.conn, order, 6, "erp", "running", from_state="pending", claim_no=2)
    _transition(site.conn, order, 7, "erp", "done", from_state="running", claim_no=2)
    export = store_export(site.conn, "4712", parts={"status": "done"}, event=changed_event("4712"), state="done")
    _transition(site.conn, export, 1, "connect", "done")
    _transition(site.conn, export, 2, "marketplace", "done", from_state="running", claim_no=1)
    _transition(site.conn, export, 3, "status", "done", from_state="never", claim_no=1)
    _attempt(site.conn, export, 1, "done", [], status={"status": "shipped"})

    page = site.browser("operator", language="de").get(f"/orders/{order}").text
    for said in (
        "Auftrag im Shop erkannt",
        "Auftrag zu Connect importiert",
        "Import des Auftrags ausstehend",
        "Auftrag in Xentral importiert",
        "Auftragsstatus zu Connect importiert",
        "Auftragsstatus „versendet“ in den Shop exportiert",
    ):
        assert said in page, said
    assert "Auftrag wird nach Xentral übertragen" not in page  # it has ended since
    assert "Status-Update abgeschlossen" not in page  # its parts say it
    hops = page[page.index('class="hops"') :]
    assert "Versuch 2 · ausgelöst von mara" in hops
    assert "Versuch 1 · automatisch" in hops


def test_copies_can_be_chosen_and_what_changed_is_named(site: Site) -> None:
    record = store_record(site.conn, "4713", payload_no=2, sent_no=1, state="done")
    event = order_event("4713", total="59.98", note=HOSTILE)
    body = json.dumps(event).encode()
    site.conn.execute("INSERT INTO payloads(record_id, no, body) VALUES (%s, 2, %s)", (record, body))
    browser = site.browser("operator", language="en")
    page = browser.get(f"/orders/{record}").text
    assert "Changed since copy 1: 2" in page
    assert "<code>order.total</code>" in page
    assert "<del>39.98</del>" in page
    assert "<ins>59.98</ins>" in page
    assert "<script>alert" not in page
    earlier = browser.get(f"/orders/{record}", params={"copy": 1}).text
    assert "It was sent." in earlier
    assert "59.98" not in earlier[earlier.index('id="record-raw"') :]
    assert browser.get(f"/orders/{record}", params={"copy": 99}).status_code == 200


def test_numbers_lead_into_the_remote_systems(site: Site) -> None:
    site.journal.connectors.update(discover())  # type: ignore[attr-defined]
    site.conn.execute(
        "INSERT INTO sides(interface, side, settings, calls_per_second, calls_at_once)"
        " VALUES ('otto-de', 'erp', '{\"base_url\": \"https://erp.example.org\"}', 1, 1)"
    )
    record = store_record(site.conn, "4714", state="done", remote="17")
    links = site.api("viewer").get(f"/api/v1/orders/{record}").json()["links"]
    assert links["marketplace"] is None
    assert links["erp"].startswith("https://erp.example.org/")
    assert f'href="{links["erp"].replace("&", "&amp;")}"' in site.browser("viewer").get(f"/orders/{record}").text


def test_every_kind_of_trouble_has_its_page(site: Site) -> None:
    """A cause that asks for nothing to be opened has a card like the others."""
    browser = site.browser("operator", language="de")
    for number, code in enumerate(("tax-missing", "payment-unmapped", "remote-timeout", "unclassified", "ignored")):
        problem = [{"code": code, "field": "", "values": {}}]
        state = "skipped" if code == "ignored" else "failed"
        record = store_record(site.conn, f"48{number}", state=state, code=code, reason=problem)
        assert browser.get(f"/orders/{record}").status_code == 200, code
