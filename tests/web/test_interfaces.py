"""Interfaces in API and Journal: rehearsal, going live, pause per flow, dry runs, and who may do what."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from shared.db.connect import connect
from shared.errors.problem import Problem
from shared.records.drafted import Document, Drafted, store_drafted
from shared.records.rehearsal import side_mark, store_proof
from tests.support.stored import store_record
from tests.support.waiting import until
from tests.web.conftest import Site

pytestmark = pytest.mark.servers
API = "/api/v1/interfaces/otto-de"
HISTORY = {"orders": 0, "since": "2026-10-27T00:00:00+00:00", "complete": True, "kinds": {}, "gaps": {}}


@pytest.fixture
def in_test(site: Site) -> Site:
    site.conn.execute("UPDATE interfaces SET mode = 'test' WHERE slug = 'otto-de'")
    return site


def prove(site: Site) -> None:
    """All that a look proves."""
    for side in ("marketplace", "erp"):
        detail = {"system": side, "code": None, "mark": side_mark(site.conn, "otto-de", side)}
        store_proof(site.conn, "otto-de", f"connection:{side}", True, detail)
    store_proof(site.conn, "otto-de", "history", True, HISTORY)
    store_proof(site.conn, "otto-de", "stock-sample", True, {"none": True})


def audit(site: Site) -> list[tuple[Any, ...]]:
    return site.conn.execute("SELECT actor, target, reason FROM audit WHERE verb = 'interfaces.mode'").fetchall()


# -- going live ------------------------------------------------------------------------------------------------------


def test_going_live_is_refused_with_every_open_item_and_done_once_they_are_proved(in_test: Site) -> None:
    api = in_test.api("operator")
    refused = api.post(f"{API}/live", json={"from": "2026-11-26"})
    assert refused.status_code == 409
    body = refused.json()
    assert body["code"] == "rehearsal-open"
    named = {item["item"]: item for item in body["open"]}
    assert set(named) == {"connection:marketplace", "connection:erp", "history", "stock-sample"}
    assert all(item["fix"] for item in named.values())
    prove(in_test)
    assert api.get(f"{API}/rehearsal").json()["ready"] is True
    undated = api.post(f"{API}/live", json={})
    assert (undated.status_code, undated.json()["code"]) == (422, "from-date-missing")
    assert api.post(f"{API}/live", json={"from": "soon"}).json()["code"] == "date-not-understood"
    live = api.post(f"{API}/live", json={"from": "2026-11-26"})
    assert live.status_code == 200, live.text
    found = live.json()
    assert (found["mode"], set(found["flows"].values())) == ("live", {"live"})
    assert datetime.fromisoformat(found["from_date"]) == datetime(2026, 11, 25, 23, tzinfo=UTC), "midnight in Berlin"
    assert found["alarm_offer"]["on"] == ["error"]


def test_an_admin_may_go_live_anyway_with_a_reason_that_is_kept(in_test: Site) -> None:
    body = {"from": "2026-11-26", "anyway": "checked by eye"}
    assert in_test.api("operator").post(f"{API}/live", json=body).status_code == 403
    assert in_test.api("admin").post(f"{API}/live", json=body | {"anyway": " "}).status_code == 422
    assert audit(in_test) == []
    assert in_test.api("admin").post(f"{API}/live", json=body).status_code == 200
    ((_, target, reason),) = audit(in_test)
    assert reason == "checked by eye"
    assert "connection:erp" in target["missing"]


def test_flows_are_paused_and_resumed_alone_by_those_who_may(site: Site) -> None:
    for verb in ("pause", "live", "test-mode", "rehearsal"):
        assert site.api("viewer").post(f"{API}/{verb}", json={}).status_code == 403
        assert site.api("operator").post(f"/api/v1/interfaces/nobody/{verb}", json={}).status_code == 404
    api = site.api("operator")
    assert api.post(f"{API}/pause", json={"flow": "stok"}).status_code == 422
    assert api.post(f"{API}/pause", json={"flow": "stock"}).json()["flows"]["stock"] == "paused"
    assert api.get(API).json()["mode"] == "live"
    assert api.post(f"{API}/live", json={"flow": "stock"}).json()["flows"]["stock"] == "live"
    assert api.post(f"{API}/pause").json()["mode"] == "paused"
    assert api.post(f"{API}/live", json={}).json()["mode"] == "live", "after a pause nothing is asked"
    assert api.post(f"{API}/test-mode").json()["mode"] == "test"


# -- pages -----------------------------------------------------------------------------------------------------------


def test_the_page_goes_live_as_the_api_does(in_test: Site) -> None:
    browser = in_test.browser("operator", language="en")
    page = browser.get("/interfaces/otto-de").text
    assert "Not tested yet." in page
    assert "disabled" in page
    refused = browser.post("/interfaces/otto-de/live", data={"from": "2026-11-26"})
    assert (refused.status_code, "the rehearsal has open items" in refused.text) == (409, True)
    assert browser.post("/interfaces/otto-de/live", data={"anyway": "because"}).status_code == 403
    asked = browser.post("/interfaces/otto-de/rehearsal")
    assert asked.headers["location"] == "/interfaces/otto-de"
    assert "Looking" in browser.get("/interfaces/otto-de").text
    prove(in_test)
    assert browser.post("/interfaces/otto-de/live", data={}).status_code == 422
    assert browser.post("/interfaces/otto-de/live", data={"from": "2026-11-26"}).status_code == 303
    paused = browser.post("/interfaces/otto-de/pause", data={"flow": "stock"})
    assert paused.status_code == 303
    page = browser.get("/interfaces/otto-de").text
    assert "orders since 26/11/2026 00:00" in page or "orders since" in page
    assert "Go on: Stock" in page
    assert browser.post("/interfaces/otto-de/live", data={"flow": "stock"}).status_code == 303
    assert "Go on: Stock" not in browser.get("/interfaces/otto-de").text


def test_another_site_cannot_switch_anything_and_a_viewer_sees_no_buttons(site: Site) -> None:
    browser = site.browser("operator")
    foreign = browser.post("/interfaces/otto-de/pause", headers={"Sec-Fetch-Site": "cross-site"})
    assert foreign.status_code == 403
    assert browser.post("/interfaces/otto-de/pause", data={"flow": "nothing"}).status_code == 404
    viewer = site.browser("viewer", language="de")
    page = viewer.get("/interfaces/otto-de").text
    assert "Generalprobe" in page
    assert "/interfaces/otto-de/pause" not in page
    for verb in ("pause", "live", "test", "rehearsal"):
        assert viewer.post(f"/interfaces/otto-de/{verb}").status_code == 403
    assert "otto-at" in viewer.get("/interfaces").text
    assert viewer.get("/interfaces/nobody").status_code == 404


def test_lists_and_pages_say_where_nothing_runs_by_itself_and_mark_tests(in_test: Site) -> None:
    held = store_record(in_test.conn, "4711", test=True)
    in_test.conn.execute("UPDATE interfaces SET mode = 'paused' WHERE slug = 'otto-at'")
    browser = in_test.browser("operator", language="de")
    listed = browser.get("/orders").text
    assert "otto-de ist hier im Test" in listed
    assert "otto-at ist hier angehalten" in listed
    assert "otto-at ist hier angehalten" not in browser.get("/interfaces/otto-de/orders").text
    assert "Wartet: Die Schnittstelle otto-de ist hierfür im Test." in listed
    page = browser.get(f"/orders/{held}").text
    assert '<span class="tag test">Test</span>' in page
    (item,) = in_test.api("viewer").get("/api/v1/orders").json()["items"]
    assert (item["test"], item["held"]["code"]) == (True, "held-in-test")


def test_tests_are_in_no_counter_and_have_one_of_their_own(site: Site) -> None:
    store_record(site.conn, "real", state="failed")
    store_record(site.conn, "tried", state="failed", test=True)
    browser = site.browser("operator", language="en")
    counters = browser.get("/orders").text.partition('id="counters"')[2].partition("</nav>")[0]
    assert counters.count("<b>1</b>") == 3, "one in all, one failed, one test"
    assert "test%3Ayes" in counters
    only = site.api("viewer").get("/api/v1/orders?filter=test:yes").json()
    assert [item["number"] for item in only["items"]] == ["tried"]
    assert site.api("viewer").get("/api/v1/status").json()["backlog"][0]["count"] == 1


# -- dry runs --------------------------------------------------------------------------------------------------------


@contextmanager
def answering(site: Site, drafted: Drafted, url: str) -> Iterator[None]:
    """A service that answers every dry run with this."""
    stop = threading.Event()

    def run() -> None:
        with connect(url, "answering") as conn:
            while not stop.wait(0.02):
                for receipt, no in conn.execute(
                    "SELECT receipt, no FROM receipt_numbers JOIN receipts r ON r.id = receipt"
                    " WHERE result = 'queued' AND r.dry_run"
                ).fetchall():
                    store_drafted(conn, UUID(str(receipt)), no, drafted)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)


DRAFTED = Drafted(
    [Document("order", "Xentral", {"customer": {"name": "Erika Muster"}})],
    [Problem("total-differs", "total", {"total": "1", "computed": "2"})],
)


def test_a_dry_run_answers_at_once_with_the_document_and_keeps_it_from_viewers(
    site: Site, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.journal.filled.PATIENCE_SECONDS", 60.0)
    asked = {"interface": "otto-de", "numbers": ["4711"], "dry_run": True}
    assert site.api("viewer").post("/api/v1/orders/import", json=asked).status_code == 403
    with answering(site, DRAFTED, database_url):
        answer = site.api("operator").post("/api/v1/orders/import", json=asked)
        page = site.browser("operator", language="en").post(
            "/orders/import", data={"interface": "otto-de", "numbers": "4711", "dry_run": "1"}
        )
        shown = page.headers["location"]
        until(
            lambda: "Erika Muster" in site.browser("operator", language="en").get(shown).text, "the page has filled", 60
        )
    assert answer.status_code == 200
    receipt = answer.json()
    (one,) = receipt["numbers"]
    assert (receipt["dry_run"], one["result"]) == (True, "drafted")
    assert one["document"] == {"customer": {"name": "Erika Muster"}}
    assert one["problems"][0]["steps"]
    assert site.conn.execute("SELECT count(*) FROM records").fetchone() == (0,)
    masked = site.api("viewer").get(f"/api/v1/receipts/{receipt['id']}")
    assert masked.json()["numbers"][0]["documents"][0]["system"] == "Xentral"
    assert "Erika" not in masked.text
    viewed = site.browser("viewer", language="de").get(shown).text
    assert "Erika" not in viewed
    assert "Probelauf" in viewed


def test_a_dry_run_that_nobody_answers_yet_is_a_receipt_that_fills(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.journal.filled.PATIENCE_SECONDS", 0.0)
    asked = {"interface": "otto-de", "numbers": ["A"], "dry_run": True}
    answer = site.api("operator").post("/api/v1/articles/sync", json=asked)
    assert (answer.status_code, answer.json()["complete"]) == (202, False)
    assert answer.headers["location"] == f"/api/v1/receipts/{answer.json()['id']}"
