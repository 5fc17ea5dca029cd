"""Alarms by API and page: create, look back, the links of mails, the ledger; each role gets what it may."""

from __future__ import annotations

from typing import Any

import pytest

from shared.alarms.round import play
from tests.support.stored import store_record
from tests.web.conftest import Site, count

pytestmark = [pytest.mark.servers, pytest.mark.web]
UNMAPPED = [{"code": "payment-unmapped", "field": "", "values": {"payment": "PAYPAL"}}]
ALARM: dict[str, Any] = {
    "name": "Night", "interfaces": ["otto-de"], "flows": ["order-import"], "on": ["error"], "frequency": "immediately",
    "recipients": ["night@example.org"],
}  # fmt: skip


def fail(site: Site, *numbers: str) -> None:
    for number in numbers:
        store_record(site.conn, number, state="failed", code="payment-unmapped", reason=UNMAPPED)


def test_an_alarm_is_made_looks_back_and_tells_its_ledger(site: Site) -> None:
    admin = site.api("admin")
    play(site.conn)
    fail(site, "1", "2")
    play(site.conn)
    before = admin.post("/api/v1/alarms/backtest", json=ALARM).json()
    assert [mail["kind"] for mail in before["mails"]] == ["opened"]
    assert before["mails"][0]["about"][0]["records"] == 2
    assert before["instead"] == {"both": 1}
    made = admin.post("/api/v1/alarms", json=ALARM)
    assert made.status_code == 201
    number = made.json()["id"]
    assert made.json()["recipients"] == [
        {"address": "night@example.org", "language": None, "confirmed": True, "left": False}
    ]
    assert admin.post("/api/v1/alarms", json=ALARM).status_code == 409
    site.conn.execute("UPDATE records SET state = 'done', code = NULL, reason = NULL WHERE key = '1'")
    fail(site, "3")
    store_record(site.conn, "4", state="failed", code="total-differs", reason=[{"code": "total-differs", "values": {}}])
    play(site.conn)
    items = admin.get(f"/api/v1/alarms/{number}/ledger").json()["items"]
    assert items[0]["what"] == "opened"
    assert items[0]["mails"][0]["state"] == "queued"
    assert {one["code"] for one in admin.get("/api/v1/incidents").json()["items"]} == {
        "payment-unmapped",
        "total-differs",
    }
    assert admin.delete(f"/api/v1/alarms/{number}").status_code == 204
    assert count(site.conn, "mails") == 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"interfaces": ["otto-fr"]}, "otto-fr"),
        ({"filter": "stat:failed"}, "stat"),
        ({"frequency": "often"}, "frequency"),
        ({"recipients": ["a@example.org\nBcc: b@example.org"]}, "recipients"),
        ({"recipients": ["=?utf-8?q?=0ABcc:x@y.z?="]}, "recipients"),
        ({"on": []}, "on"),
    ],
)
def test_what_is_wrong_is_named(site: Site, change: dict[str, Any], says: str) -> None:
    answer = site.api("admin").post("/api/v1/alarms", json=ALARM | change)
    assert answer.status_code in (400, 422)
    assert says in answer.text


def test_somebody_elses_address_is_asked_first_and_leaves_by_its_link(site: Site) -> None:
    operator, anybody = site.api("operator"), site.browser(None)
    number = operator.post("/api/v1/alarms", json=ALARM).json()["id"]
    assert operator.post(f"/api/v1/alarms/{number}/test", json={}).status_code == 409
    row = site.conn.execute("SELECT token FROM recipients").fetchone()
    assert row is not None
    token = row[0]
    assert site.conn.execute("SELECT kind FROM mails").fetchall() == [("confirm",)]
    assert "night@example.org" in anybody.get(f"/alarms/confirm/{token}").text
    assert site.conn.execute("SELECT verified_at FROM recipients").fetchone() == (None,), "opening changes nothing"
    assert anybody.post(f"/alarms/confirm/{token}").status_code == 200
    assert operator.post(f"/api/v1/alarms/{number}/test", json={}).json() == {"queued": 1}
    one_click = {"List-Unsubscribe": "One-Click"}
    anonymous = site.api(None)
    assert anonymous.post(f"/alarms/leave/{token}", data=one_click).status_code == 200, "a mail program, without login"
    assert site.conn.execute("SELECT count(*) FROM mails WHERE state = 'queued'").fetchone() == (0,)
    assert anybody.get("/alarms/leave/of-nobody").status_code == 404


def test_the_form_shows_what_would_have_been_mailed_and_keeps_the_alarm(site: Site) -> None:
    browser = site.browser("admin", language="de")
    play(site.conn)
    fail(site, "1")
    play(site.conn)
    asked = {
        "name": "Nacht",
        "interfaces": "otto-de",
        "on": "error",
        "frequency": "hourly",
        "recipients": "a@example.org",
    }
    looked = browser.post("/alarms/new", data=asked | {"do": "look"})
    assert "Rückschau auf 14 Tage" in looked.text
    assert "Mit „Sofort“: 1 Mail" in looked.text
    assert count(site.conn, "subscriptions") == 0
    kept = browser.post("/alarms/new", data=asked)
    assert kept.status_code == 303
    page = browser.get(kept.headers["location"])
    assert "Testmail senden" in page.text
    assert "PAYPAL" in browser.get("/alarms").text
    wrong = browser.post("/alarms/new", data=asked | {"name": "Zwei", "recipients": "nobody"})
    assert (wrong.status_code, "nobody" in wrong.text) == (400, True)


def test_an_incident_is_acknowledged_by_a_link_that_asks_first(site: Site) -> None:
    site.api("admin").post("/api/v1/alarms", json=ALARM)
    play(site.conn)
    fail(site, "1")
    play(site.conn)
    row = site.conn.execute("SELECT r.token, i.id FROM recipients r, incidents i").fetchone()
    assert row is not None
    anybody, path = site.browser(None), f"/alarms/answer/{row[0]}/{row[1]}/known"
    assert anybody.get(path).status_code == 200
    assert count(site.conn, "alarm_answers") == 0
    assert anybody.post(path).status_code == 200
    play(site.conn)
    plan = site.conn.execute("SELECT plan #>> '{incidents,0,known}', next_at FROM subscriptions").fetchone()
    assert plan == ("true", None), "no reminder"
