"""Alarms by API and page: create, look back, the links of mails, the ledger; each role gets what it may."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.alarms.round import play
from tests.support.site import LINKS
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
    changed = admin.put(f"/api/v1/alarms/{number}", json=ALARM | {"recipients": ["night@example.org:de"]})
    assert [(who["address"], who["language"]) for who in changed.json()["recipients"]] == [("night@example.org", "de")]
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
        ({"recipients": ["night@example.org:fr"]}, "recipients"),
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
    row = site.conn.execute("SELECT id, now(), token FROM recipients").fetchone()
    assert row is not None
    assert row[2] is None, "what opens something is kept nowhere"
    sure, leave = LINKS.sign("confirm", row[0], row[1]), LINKS.sign("leave", row[0], row[1])
    assert site.conn.execute("SELECT kind FROM mails").fetchall() == [("confirm",)]
    assert "night@example.org" in anybody.get(f"/alarms/confirm/{sure}").text
    assert site.conn.execute("SELECT verified_at FROM recipients").fetchone() == (None,), "opening changes nothing"
    assert anybody.post(f"/alarms/confirm/{sure}").status_code == 200
    assert operator.post(f"/api/v1/alarms/{number}/test", json={}).json() == {"queued": 1}
    one_click = {"List-Unsubscribe": "One-Click"}
    anonymous = site.api(None)
    assert anonymous.post(f"/alarms/leave/{leave}", data=one_click).status_code == 200, "a mail program, without login"
    assert site.conn.execute("SELECT count(*) FROM mails WHERE state = 'queued'").fetchone() == (0,)
    old = LINKS.sign("leave", row[0], row[1] - timedelta(days=401))
    lines = count(site.conn, "audit")
    for text in ("of-nobody", sure, leave[:-4], old, leave + "=", "ü"):
        for path in (f"/alarms/leave/{text}", f"/alarms/answer/{text}/1/known"):
            kind = anybody.get(path, headers={"Accept-Language": "de"})
            assert (kind.status_code, "Dieser Link gilt nicht mehr" in kind.text) == (410, True), path
            assert anybody.post(path).status_code == 410
    assert count(site.conn, "audit") == lines


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
    row = site.conn.execute("SELECT r.id, i.id, now() FROM recipients r, incidents i").fetchone()
    assert row is not None
    link = LINKS.sign("answer", row[0], row[2])
    anybody, path = site.browser(None), f"/alarms/answer/{link}/{row[1]}/known"
    assert anybody.get(path).status_code == 200
    assert count(site.conn, "alarm_answers") == 0
    assert anybody.post(path).status_code == 200
    play(site.conn)
    plan = site.conn.execute("SELECT plan #>> '{incidents,0,known}', next_at FROM subscriptions").fetchone()
    assert plan == ("true", None), "no reminder"


def test_maintenance_and_calendar_are_kept_by_page_and_call(site: Site) -> None:
    browser, operator, viewer = site.browser("operator", language="de"), site.api("operator"), site.api("viewer")
    now = datetime.now(UTC)
    times = {
        "starts": f"{now - timedelta(hours=2):%Y-%m-%dT%H:%M}",
        "ends": f"{now + timedelta(days=1):%Y-%m-%dT%H:%M}",
    }
    kept = browser.post("/maintenance", data={"kind": "once", "note": "Umzug", "interfaces": "otto-de", **times})
    assert kept.status_code == 303
    weekly = {"weekday": 6, "at": "02:00", "until": "04:00", "note": "Sicherung"}
    number = operator.post("/api/v1/maintenance", json=weekly).json()["id"]
    page = browser.get("/maintenance").text
    assert all(said in page for said in ("Umzug", "läuft", "jeden Sonntag", "02:00–04:00"))
    wrong = browser.post("/maintenance", data={"kind": "weekly", "weekday": "6", "note": "Nie"})
    assert (wrong.status_code, "weekday, at and until" in wrong.text, 'value="Nie"' in wrong.text) == (400, True, True)
    assert operator.post("/api/v1/maintenance", json=weekly | {"interfaces": ["otto-fr"]}).status_code == 422
    assert operator.delete(f"/api/v1/maintenance/{number}").status_code == 204
    assert operator.delete(f"/api/v1/maintenance/{number}").status_code == 404
    one = viewer.get("/api/v1/maintenance").json()["items"][0]
    assert browser.post(f"/maintenance/{one['id']}/end").status_code == 303
    assert viewer.get("/api/v1/maintenance").json()["items"][0]["over"]
    year = now.year + 1
    assert browser.post("/maintenance/days", data={"holidays_of": str(year)}).status_code == 303
    assert operator.post("/api/v1/calendar", json={"holidays_of": year}).json() == {"added": 0}
    assert operator.delete(f"/api/v1/calendar/{year}-05-01").status_code == 204
    assert len(viewer.get("/api/v1/calendar").json()["items"]) == 8
    assert "Tag der Deutschen Einheit" in browser.get("/maintenance").text
    assert browser.post("/maintenance/limits", data={"stock": "30", "order-import": "60"}).status_code == 303
    assert {"flow": "stock", "minutes": 30} in viewer.get("/api/v1/age-limits").json()["items"]
    assert browser.post("/maintenance/limits", data={"stock": "3"}).status_code == 400
    verbs = {row[0] for row in site.conn.execute("SELECT verb FROM audit WHERE verb ~ 'maintenance|calendar|limits'")}
    assert verbs == {"maintenance.plan", "maintenance.end", "calendar.add", "calendar.remove", "limits.change"}


def test_the_ledger_names_who_answered_who_got_nothing_and_why(site: Site) -> None:
    admin, browser = site.api("admin"), site.browser("admin", language="de")
    people = ["a@example.org", "b@example.org", "c@example.org"]
    number = admin.post("/api/v1/alarms", json=ALARM | {"recipients": people}).json()["id"]
    site.conn.execute("UPDATE recipients SET verified_at = NULL WHERE address = 'b@example.org'")
    site.conn.execute("UPDATE recipients SET stopped_at = now() WHERE address = 'c@example.org'")
    fail(site, "1")
    play(site.conn)
    site.conn.execute(
        "UPDATE mails SET state = 'refused', due_at = NULL, reply = '550 no such mailbox' WHERE state = 'queued'"
    )
    incident = admin.get("/api/v1/incidents").json()["items"][0]["id"]
    assert browser.post(f"/incidents/{incident}/answer", data={"hours": "4"}).status_code == 303
    play(site.conn)
    found = admin.get(f"/api/v1/alarms/{number}/ledger").json()
    assert [(one["what"], one["by"]) for one in found["items"]] == [("snoozed", "admin-0"), ("opened", None)]
    assert [one["state"] for one in found["items"][1]["mails"]] == ["refused", "unverified", "unsubscribed"]
    assert found["next"]["at"] == found["items"][0]["until"]
    page = browser.get(f"/alarms/{number}").text
    for said in ("550 no such mailbox", "noch nicht bestätigt", "abgemeldet", "Keine Mail: verschoben", "Nächste Mail"):
        assert said in page
    assert "verschoben bis" in browser.get("/alarms").text
    assert site.api("viewer").get("/api/v1/incidents").json()["items"][0]["answered_by"] is None
    assert browser.post(f"/alarms/{number}/pause").status_code == 303
    assert "ist angehalten" in browser.get(f"/alarms/{number}").text
    assert admin.post(f"/api/v1/alarms/{number}/resume").json()["active"] is True
    play(site.conn)
    latest = admin.get(f"/api/v1/alarms/{number}/ledger").json()["items"]
    assert [one["what"] for one in latest][:3] == ["opened", "resumed", "paused"]
