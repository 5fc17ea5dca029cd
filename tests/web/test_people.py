"""Users manage themselves and each other: pages, API and sessions; the last admin stays; a look at a buyer is kept."""

from __future__ import annotations

import html
import re
import threading

import pytest

from services.journal.app import create_app
from shared.db.connect import connect
from shared.people.users import LastAdmin, add_user, change_user, list_users
from tests.support.seed import seed
from tests.support.stored import store_record
from tests.support.tour import stops
from tests.web.conftest import PASSWORD, Site

pytestmark = pytest.mark.servers


def _audit(site: Site) -> list[tuple[object, ...]]:
    return site.conn.execute(
        "SELECT actor, verb, target, reason FROM audit WHERE verb !~ '^login' ORDER BY id"
    ).fetchall()


def _once(text: str) -> str:
    found = re.search(r'<code class="once">([^<]+)</code>', text)
    assert found
    return html.unescape(found[1])


def test_an_admin_adds_changes_and_locks_out_on_the_page(site: Site) -> None:
    admin = site.browser("admin")
    made = admin.post("/users", data={"name": "kim & co", "role": "viewer"})
    assert made.status_code == 201
    password, kim = _once(made.text), list_users(site.conn)[1]["id"]
    assert password not in admin.get("/users").text

    browser = site.browser(None)
    assert browser.post("/login", data={"user": "Kim & Co", "password": password}).status_code == 303
    assert browser.get("/users").status_code == 403
    saved = {"role": "operator", "language": "de", "time_zone": "Europe/Vienna", "may_reveal": "1"}
    assert admin.post(f"/users/{kim}", data=saved).status_code == 303
    me = browser.get("/api/v1/me").json()
    assert (me["role"], me["language"], me["time_zone"]) == ("operator", "de", "Europe/Vienna")
    assert admin.post(f"/users/{kim}", data={**saved, "time_zone": "Mars/Base"}).status_code == 422

    again = admin.post(f"/users/{kim}/password")
    assert browser.get("/orders").status_code == 303, "another password ends the sessions"
    assert browser.post("/login", data={"user": "kim & co", "password": _once(again.text)}).status_code == 303
    assert admin.post(f"/users/{kim}/active").status_code == 303
    assert browser.get("/orders").status_code == 303
    assert admin.post(f"/users/{kim}/active", data={"active": "1"}).status_code == 303
    assert browser.get("/orders").status_code == 303, "what was ended stays ended"

    token = _once(admin.post("/tokens", data={"name": "shop", "role": "publisher", "interfaces": ["otto-de"]}).text)
    refused = site.api(None).get("/api/v1/orders", headers={"Authorization": f"Bearer {token}"})
    assert refused.status_code == 403
    assert admin.post("/tokens", data={"name": "shop", "role": "viewer"}).status_code == 422
    assert admin.post("/tokens/revoke", data={"name": "shop"}).status_code == 303
    assert admin.post("/tokens/revoke", data={"name": "shop"}).status_code == 404
    verbs = [str(row[1]) for row in _audit(site)]
    assert verbs == ["users.add", *["users.change"] * 4, "tokens.create", "tokens.revoke"]
    assert password not in str(_audit(site))
    told = [
        row[0]
        for row in site.conn.execute("SELECT target FROM audit WHERE verb = 'users.change' ORDER BY id").fetchall()
    ]
    assert told[0]["role"] == {"before": "viewer", "now": "operator"}
    assert [change.get("active") for change in told[-2:]] == [
        {"before": True, "now": False},
        {"before": False, "now": True},
    ]
    assert "viewer → operator" in admin.get("/audit").text


def test_the_last_admin_stays_one_whoever_is_first(site: Site) -> None:
    admin = site.browser("admin")
    (one,) = list_users(site.conn)
    for path, data in ((f"/users/{one['id']}/active", {}), (f"/users/{one['id']}", {"role": "viewer"})):
        refused = admin.post(path, data=data)
        assert (refused.status_code, "last user with the role" in refused.text) == (409, True)
    assert site.api("admin").post(f"/api/v1/users/{one['name']}", json={"active": False}).json()["code"] == "last-admin"

    add_user(site.conn, "second", PASSWORD, "admin")
    outcomes: list[object] = []
    both = threading.Barrier(2)

    def demote(name: str) -> None:
        with connect(site.conn.info.dsn + f" password={site.conn.info.password}", "tests") as conn:
            both.wait(30)
            try:
                outcomes.append(list(change_user(conn, name, role="viewer") or ()))
            except LastAdmin as error:
                outcomes.append(error.code)

    threads = [threading.Thread(target=demote, args=(name,)) for name in (one["name"], "second")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(map(str, outcomes)) == ["['role']", "last-admin"]


def test_one_chooses_language_and_password_and_ends_sessions(site: Site) -> None:
    first = site.browser("viewer")
    others = [site.browser(None) for _ in range(3)]
    for other in others:
        other.post(
            "/login", data={"user": "viewer-0", "password": PASSWORD}, headers={"User-Agent": "Firefox/1 Windows"}
        )
    assert first.post("/me", data={"language": "de", "time_zone": ""}).status_code == 303
    page = first.get("/me").text
    assert "Mein Konto" in page
    assert page.count("Firefox · Windows") == 3
    sessions = first.get("/api/v1/me/sessions").json()["items"]
    mine = [one["current"] for one in sessions]
    assert (len(mine), mine.count(True)) == (4, True)
    stranger = site.browser("viewer")
    other_id = next(one["id"] for one in sessions if not one["current"])
    assert stranger.post("/me/sessions/end", data={"session": str(other_id)}).status_code == 404
    assert first.post("/me/sessions/end", data={"session": str(other_id)}).status_code == 303
    assert len(first.get("/api/v1/me/sessions").json()["items"]) == 3

    wrong = first.post("/me/password", data={"current": "not this one", "new": "another long one"})
    assert (wrong.status_code, "bisherige Passwort stimmt nicht" in wrong.text) == (422, True)
    assert first.post("/me/password", data={"current": PASSWORD, "new": "short"}).status_code == 422
    assert first.post("/me/password", data={"current": PASSWORD, "new": "another long one"}).status_code == 303
    assert first.get("/orders").status_code == 200, "this session goes on"
    assert [other.get("/orders").status_code for other in others] == [303, 303, 303]
    assert site.api("viewer").post("/api/v1/me", json={"language": "de"}).json()["code"] == "not-a-user"


def test_a_viewer_sees_initials_everywhere_until_a_look_is_asked_for(site: Site) -> None:
    seeded = seed(site.conn, orders=12)
    viewer = site.browser("viewer")
    order = store_record(site.conn, "4711")
    pages = [stop.path for stop in stops(create_app(site.journal), site.browser("admin"), seeded.ids)]
    asked = [*pages, f"/orders/{order}"]
    asked += [f"/api/v1{path}" for path in (f"/orders/{order}", f"/orders/{order}/history", "/rejections")]
    asked += [f"/api/v1/{name}?limit=1000&format={form}" for name in ("orders", "exports") for form in ("json", "csv")]
    buyers = re.compile(r"Erika|Albrecht|Okafor|@example\.org|Teststr|Lindenweg|Hafenstra")
    told = {path: found for path in asked if (found := buyers.findall(viewer.get(path).text))}
    assert told == {}

    path = f"/orders/{order}/reveal"
    assert viewer.post(path, data={"reason": "a customer calls"}).status_code == 403
    site.conn.execute("UPDATE users SET may_reveal = true")
    assert viewer.post(path, data={"reason": " "}).status_code == 422
    for _ in range(2):
        assert viewer.post(path, data={"reason": "a customer calls"}).status_code == 303
    assert "Erika" in viewer.get(f"/orders/{order}").text
    assert "Erika" not in viewer.get("/orders").text
    kept = [row for row in _audit(site) if row[1] == "records.reveal"]
    assert [(row[2], row[3]) for row in kept] == [({"record": order}, "a customer calls")]
    answer = site.api("operator").post(f"/api/v1{path}", json={"reason": "checking an address"})
    assert answer.json()["payload"]["data"]["order"]["customer"]["first_name"] == "Erika"
    assert site.api("viewer").post(f"/api/v1{path}", json={"reason": "just so"}).status_code == 403
    assert len([row for row in _audit(site) if row[1] == "records.reveal"]) == 2
