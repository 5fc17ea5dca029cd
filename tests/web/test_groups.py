"""Groups and error cards over HTTP: the same figures on page and API, what viewers may, what bad input gets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.stored import store_record
from tests.web.conftest import Site, count

pytestmark = pytest.mark.servers
PAYPAL = [{"code": "payment-unmapped", "field": "", "values": {"payment": "PAYPAL"}}]
NASTY = [{"code": "sku-unknown", "field": "order.lines.0.sku", "values": {"sku": "<script>\u202e=1+1"}}]


def seed(site: Site) -> int:
    """Two causes; returns one of the orders."""
    soon = datetime.now(UTC) - timedelta(hours=1)
    more = {"state": "failed", "ship_by": soon}
    ids = [store_record(site.conn, n, code="payment-unmapped", reason=PAYPAL, **more) for n in ("4711", "4712")]
    store_record(site.conn, "4713", state="failed", code="sku-unknown", reason=NASTY, interface="otto-at")
    site.conn.execute("INSERT INTO blocks VALUES ('otto-de', 'payment:PAYPAL', %s)", (ids[0],))
    return ids[0]


def test_api_and_pages_show_the_same_groups_and_link_to_their_records(site: Site) -> None:
    order = seed(site)
    found = site.api("viewer").get("/api/v1/groups?language=de").json()
    assert [(one["code"], one["count"], one["due_today"]) for one in found["items"]] == [
        ("payment-unmapped", 2, 2), ("sku-unknown", 1, 0),
    ]  # fmt: skip
    assert (found["counts"], found["records"]) == ({"open": 2, "acknowledged": 0, "resolved": 0}, 3)
    group = found["items"][0]
    listed = site.api("viewer").get("/api/v1/orders", params={"filter": group["filter"]}).json()
    assert listed["total"]["count"] == group["count"]

    browser = site.browser("operator")
    page = browser.get("/groups?lang=de").text
    assert page.index(group["id"]) < page.index(found["items"][1]["id"])
    assert "79,96 €" in page
    assert "2 überfällig" in page
    assert f'href="/orders?lang=de&amp;filter=group%3A{group["id"]}"' in page
    due = f"{group['filter']} due:today"
    assert f'href="/orders?lang=de&amp;filter=group%3A{group["id"]}+due%3Atoday">2</a>' in page, page
    listed = site.api("viewer").get("/api/v1/orders", params={"filter": due}).json()
    assert listed["total"]["count"] == group["due_today"]
    assert "&lt;script&gt;" in page
    assert "<script>\u202e" not in page
    assert "sku-unknown" not in browser.get("/interfaces/otto-de/groups").text
    assert browser.get("/interfaces/nowhere/groups").status_code == 404

    card = site.api("operator").get(f"/api/v1/orders/{order}?language=de").json()["card"]
    assert (card["same"]["id"], card["same"]["count"]) == (group["id"], 2)
    record = browser.get(f"/orders/{order}?lang=de").text
    for text in ("vor dem Anlegen, nichts gesendet", "2 Aufträge", "79,96 €", "Zuordnungen darf Ihre Rolle ändern"):
        assert text in record
    assert record.count('class="card error') == 1
    assert "/interfaces/otto-de/mappings?kind=payment&amp;source=PAYPAL" in record
    viewer = site.browser("viewer").get(f"/orders/{order}?lang=en").text
    assert "your role may only look" in viewer
    assert "Open the mapping" not in viewer


def test_note_assignee_and_acknowledgement_are_said_on_page_and_api_and_seen_in_both(site: Site) -> None:
    seed(site)
    api, browser = site.api("operator"), site.browser("operator")
    group = api.get("/api/v1/groups").json()["items"][0]["id"]
    answer = browser.post(f"/groups/{group}", data={"note": "asked the shop", "assignee": "operator-0"})
    assert answer.headers["location"] == f"/groups/{group}"
    assert "asked the shop" in browser.get(answer.headers["location"]).text
    one = api.patch(f"/api/v1/groups/{group}", json={"acknowledged": True}).json()
    assert (one["note"], one["assignee"], one["status"]) == ("asked the shop", "operator-0", "acknowledged")
    assert group not in browser.get("/groups").text
    assert group in browser.get("/groups?show=acknowledged").text
    assert browser.post(f"/groups/{group}", data={"acknowledged": "false"}).status_code == 303
    assert group in browser.get("/groups").text
    assert api.put(f"/api/v1/groups/{group}", json={}).json()["note"] is None
    assert count(site.conn, "audit") >= 4

    wrong = api.patch(f"/api/v1/groups/{group}", json={"assignee": "operator-00"})
    assert (wrong.status_code, wrong.json()["suggestion"]) == (422, "operator-0")
    for path in ("payment-unmapped-00000000", "%00", "a" * 200):
        assert api.get(f"/api/v1/groups/{path}").status_code == 404
        assert api.patch(f"/api/v1/groups/{path}", json={"note": "x"}).status_code == 404
        assert browser.get(f"/groups/{path}").status_code == 404
    assert api.patch(f"/api/v1/groups/{group}", json={"note": "x" * 1001}).status_code == 422
    assert api.patch(f"/api/v1/groups/{group}", json={"asignee": "x"}).status_code == 422
    assert browser.post(f"/groups/{group}", data={"assignee": "who"}).status_code == 422
    meant = api.get("/api/v1/orders", params={"filter": "group:payment-unmaped-00000000"})
    assert (meant.status_code, meant.json()["suggestion"]) == (400, "group:payment-unmapped-00000000")


def test_a_group_that_emptied_is_resolved_and_says_what_fixed_it(site: Site) -> None:
    order = seed(site)
    group = site.api("viewer").get("/api/v1/groups").json()["items"][0]["id"]
    site.api("operator").post("/api/v1/orders/retry", json={"filter": f"group:{group}"})
    on_the_way = site.api("viewer").get(f"/api/v1/groups/{group}").json()
    assert (on_the_way["status"], on_the_way["states"]) == ("open", {"on_their_way": 2})
    site.conn.execute("UPDATE records SET state = 'done', due_at = NULL WHERE state = 'pending'")
    page = site.browser("viewer").get("/groups?show=resolved&lang=en").text
    assert group in page
    assert "by token:operator-" in page
    assert "2 of 2 succeeded then" in page
    assert site.api("viewer").get(f"/api/v1/orders/{order}").json()["card"] is None
