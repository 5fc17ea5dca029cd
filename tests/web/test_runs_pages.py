"""Bulk runs over the API and on the pages: undo, cancel, preview, tokens; ignore and correct one."""

from __future__ import annotations

import json
import re
from uuid import uuid4

import pytest

from shared.failpoint import Failpoints
from shared.records.bulk_steps import move
from tests.support.stored import order_event, store_record
from tests.web.conftest import Site, count

pytestmark = pytest.mark.servers
PROBLEM = [{"code": "payment-unmapped", "field": "", "values": {"payment": "PAYPAL"}}]


def _orders(site: Site, many: int) -> list[int]:
    row = {"state": "failed", "code": "payment-unmapped", "reason": PROBLEM, "seq": 3}
    return [store_record(site.conn, f"wsbk{n:03}", **row) for n in range(many)]


def test_a_run_of_many_can_be_undone_and_answers_the_same_wish_once(site: Site) -> None:
    ids = _orders(site, 30)
    operator, viewer = site.api("operator"), site.api("viewer")
    body = {"filter": "state:failed", "except": [ids[0]], "token": str(uuid4()), "why": "the ERP is back"}
    plan = operator.post("/api/v1/orders/retry", json=body | {"dry_run": True}).json()
    assert (plan["counts"]["run"], plan["ramp"], plan["would_fail_again"]) == (29, True, {"payment-unmapped": 29})
    run = operator.post("/api/v1/orders/retry", json=body).json()
    assert operator.post("/api/v1/orders/retry", json=body).json()["id"] == run["id"]
    assert (run["state"], run["counts"]["matched"], run["undo_until"] > run["created_at"]) == ("undo-window", 29, True)
    assert site.conn.execute("SELECT verb, reason FROM audit WHERE verb !~ '^login'").fetchall() == [
        ("orders.retry", "the ERP is back")
    ]
    assert viewer.post(f"/api/v1/bulk/{run['id']}/cancel").status_code == 403
    undone = operator.post(f"/api/v1/bulk/{run['id']}/cancel").json()
    assert (undone["state"], undone["code"], undone["ended_by"]) == ("cancelled", "undone", "token:operator-")
    assert operator.post(f"/api/v1/bulk/{run['id']}/cancel").json() == undone
    assert move(site.conn, site.journal.zone, Failpoints()) is None
    assert site.conn.execute("SELECT count(*) FROM transitions").fetchone() == (0,)
    again = operator.post("/api/v1/orders/retry", json=body | {"token": None, "undo_seconds": 0, "ramp": False}).json()
    assert again["state"] == "running"
    assert str(move(site.conn, site.journal.zone, Failpoints())) == again["id"]
    told = viewer.get(f"/api/v1/bulk/{again['id']}").json()
    assert (told["counts"], told["progress"]["open"]) == ({"matched": 29, "done": 29, "skipped": 0}, 29)
    assert [one["id"] for one in viewer.get("/api/v1/bulk").json()["items"]] == [again["id"], run["id"]]
    first = viewer.get("/api/v1/bulk?limit=1").json()
    assert viewer.get("/api/v1/bulk", params={"cursor": first["next"]}).json()["items"][0]["id"] == run["id"]
    assert viewer.get("/api/v1/bulk?cursor=nonsense").status_code == 400
    assert viewer.get(f"/api/v1/bulk/{again['id']}/items?state=left").json() == {"items": [], "next": None}
    for wrong in ({"leave": ["nothing"]}, {"undo_seconds": -1}, {"per_minute": 0}, {"why": "x" * 501}):
        assert operator.post("/api/v1/orders/retry", json=body | wrong).status_code == 422


def test_the_preview_shows_the_ramp_and_the_form_sent_twice_begins_one_run(site: Site) -> None:
    ids = _orders(site, 60)
    store_record(site.conn, "finished", state="done")
    browser = site.browser("operator")
    page = browser.get(f"/orders/retry?of=all&filter=&except={ids[0]}&except={ids[1]}&id={ids[5]}&lang=de").text
    assert "<b>58 laufen</b>" in page
    assert re.findall(r"<li><b>(\d+)</b><span>(?:zuerst|dann|der Rest)", page) == ["1", "5", "25", "27"]
    token = re.search(r'name="token" value="([^"]+)"', page)
    assert token is not None
    form = {"token": token[1], "filter": "", "of": "all", "except": ids[:2], "leave": "finished"}
    answers = [browser.post("/orders/retry?lang=de", data=form) for _ in range(2)]
    assert answers[0].headers["location"] == answers[1].headers["location"]
    assert count(site.conn, "bulk_runs") == 1
    listed = browser.get(answers[0].headers["location"]).text
    assert 'id="toast"' in listed
    assert "Rückgängig" in listed
    run = answers[0].headers["location"].rpartition("run=")[2]
    shown = browser.get(f"/runs/{run}?lang=en").text
    assert 'role="progressbar"' in shown
    assert "0 of 59 finished" in shown
    assert browser.post(f"/runs/{run}/cancel?lang=en").headers["location"] == f"/runs/{run}?lang=en"
    assert "Undone: nothing was touched." in browser.get(f"/runs/{run}?lang=en").text
    assert "Cancelled" in site.browser("viewer").get("/runs?lang=en").text
    assert browser.get("/orders/retry?of=page&lang=en").status_code == 422, "nothing was ticked"
    assert browser.post("/orders/retry", data={"of": "page"}).status_code == 422


def test_one_is_ignored_with_a_reason_brought_back_and_corrected(site: Site) -> None:
    record = store_record(site.conn, "4711", state="failed", code="street-missing", reason=PROBLEM)
    browser, operator = site.browser("operator"), site.api("operator")
    assert browser.post("/orders/ignore", data={"id": record, "back": "record"}).status_code == 422, "no reason"
    form = {"id": record, "back": "record", "why": "<b>test</b> order"}
    answer = browser.post("/orders/ignore?lang=en", data=form)
    text = browser.get(answer.headers["location"]).text
    assert "1 is ignored." in text
    assert "&lt;b&gt;test&lt;/b&gt; order" in text
    assert (
        operator.get("/api/v1/orders?filter=state:skipped").json()["items"][0]["reason"]["problems"][0]["code"]
        == "ignored"
    )
    answer = browser.post("/orders/unignore?lang=en", data={"id": record, "back": "record"})
    assert "1 is ignored no more." in browser.get(answer.headers["location"]).text
    data = order_event("4711")["data"]
    page = browser.get(f"/orders/{record}/edit?lang=en").text
    assert "&#34;number&#34;: &#34;4711&#34;" in page
    assert "line and column 1:2" in browser.post(f"/orders/{record}/edit?lang=en", data={"data": "{nope"}).text
    data["order"] |= {"status": "open", "shipping": None}
    checked = browser.post(f"/orders/{record}/edit?lang=en", data={"data": json.dumps(data), "seen": 1}).text
    assert "order.status" in checked
    assert "Save and retry" in checked
    saved = browser.post(f"/orders/{record}/edit", data={"data": json.dumps(data), "seen": 1, "step": "save"})
    assert (saved.status_code, saved.headers["location"]) == (303, f"/orders/{record}")
    stale = operator.put(f"/api/v1/orders/{record}/payload", json={"data": data, "seen": 1})
    assert (stale.status_code, stale.json()["code"]) == (409, "overtaken")
    same = operator.put(f"/api/v1/orders/{record}/payload", json={"data": data})
    assert (same.status_code, same.json()["code"]) == (422, "edit-unchanged")
    broken = operator.put(f"/api/v1/orders/{record}/payload", json={"data": {"interface": "otto-de"}}).json()
    assert [one["field"] for one in broken["problems"]] == ["data.order"]
    fetched = operator.post("/api/v1/orders/fetch", json={"ids": [record]})
    assert (fetched.status_code, fetched.json()["again"], fetched.json()["numbers"][0]["result"]) == (
        202,
        True,
        "queued",
    )
    verbs = {verb for (verb,) in site.conn.execute("SELECT verb FROM audit WHERE verb !~ '^login'").fetchall()}
    assert verbs == {"orders.ignore", "orders.unignore", "orders.edit", "orders.fetch"}
