"""What a list offers besides its rows: menus, files, views, and an answer about numbers that are not in it."""

from __future__ import annotations

import csv
import io
import json

import pytest

from shared.records.actions import request
from tests.support.stored import order_event, store_record
from tests.web.conftest import Site

pytestmark = pytest.mark.servers


def test_the_file_holds_exactly_what_the_filter_matches(site: Site) -> None:
    ids = [store_record(site.conn, f"47{n}", state="failed" if n % 2 else "done") for n in range(10, 22)]
    assert ids
    for role, name in (("operator", "Erika Muster"), ("viewer", "E… M…")):
        api = site.api(role)
        listed = api.get("/api/v1/orders?filter=state:failed&sort=number").json()["items"]
        answer = api.get("/api/v1/orders?filter=state:failed&sort=number&format=csv")
        assert answer.headers["content-disposition"].startswith('attachment; filename="orders-2')
        rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
        assert [row["id"] for row in rows] == [str(one["id"]) for one in listed]
        assert {row["customer"] for row in rows} == {name}
        book = api.get("/api/v1/orders?filter=state:failed&format=xlsx&language=de")
        assert (book.status_code, book.content[:2]) == (200, b"PK")
    for query in ("filter=sttate:failed&format=csv", "sort=nonsense&format=csv", "filter=sttate:failed&format=xlsx"):
        answer = site.api("viewer").get(f"/api/v1/orders?{query}")
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    page = site.browser("viewer").get("/interfaces/otto-de/orders?filter=state:failed&lang=en").text
    assert "filter=interface%3Aotto-de+state%3Afailed" in page
    assert site.journal.downloads.acquire(blocking=False)  # each gave its turn back
    site.journal.downloads.release()


def test_menus_lead_to_the_list_under_another_text(site: Site) -> None:
    browser = site.browser("viewer")
    for query, filter in (
        ("set=state&value=failed&value=waiting&filter=4711&size=15", "filter=4711+state%3Afailed%7Cwaiting&size=15"),
        ("set=ordered&since=2026-11-20&since_time=10:30&slug=otto-de", "filter=ordered%3E%3D2026-11-20T10%3A30"),
        ("set=numbers&numbers=1%0A2%0A3", "filter=1%7C2%7C3"),
    ):
        answer = browser.get(f"/orders/filter?{query}")
        assert answer.status_code == 303
        assert answer.headers["location"].endswith(filter), answer.headers["location"]
    answer = browser.get("/orders/filter?set=ordered&since=gestern")
    page = browser.get(answer.headers["location"])
    assert (page.status_code, "gestern" in page.text) == (400, True)
    pasted = browser.get("/orders", params={"filter": "4711\n4712\t4713", "size": "15"})
    assert pasted.headers["location"] == "/orders?filter=4711%7C4712%7C4713&size=15"
    text = browser.get("/orders?filter=-error:sku-unknown&lang=en").text
    assert 'aria-label="Remove filter: -error:sku-unknown"' in text
    assert browser.get("/orders?size=0").status_code == 422


def test_pages_are_light_and_pages_follow_each_other(site: Site) -> None:
    for n in range(60):
        store_record(site.conn, f"4711-{n:03}", state="failed", marketplace_id="0" * 36)
    browser = site.browser("operator")
    answer = browser.get("/orders?sort=number&lang=en")
    assert len(answer.content) < 100_000
    assert int(answer.headers["content-length"]) < 20_000
    text = answer.text
    assert 'aria-sort="ascending"' in text
    assert "60 orders · 1–50" in text
    following = text.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    second = browser.get(following).text
    assert "60 orders · 51–60" in second
    assert "4711-059" in second
    previous = second.split('rel="prev" href="')[1].split('"')[0].replace("&amp;", "&")
    first = browser.get(previous).text
    assert "1–50" in first
    assert "4711-000" in first
    assert "4711-050" not in first


def test_a_missing_number_is_explained_on_the_page_and_in_the_api(site: Site) -> None:
    raw = json.dumps(order_event("4712"))
    site.api("publisher").post("/api/v1/events", content=raw[:-1], headers={"Content-Type": "application/json"})
    store_record(site.conn, "4713", state="done", interface="otto-at")
    request(site.conn, "import", "otto-de", ["4714"], "mara")
    api = site.api("viewer")

    def verdict(number: str, **query: str) -> dict[str, object]:
        found: dict[str, object] = api.get("/api/v1/orders/diagnose", params={"number": number, **query}).json()
        return found

    assert verdict("4711")["verdict"] == "never"
    rejected = verdict("4712")
    assert (rejected["verdict"], rejected["rejection"]) == ("rejected", 1)
    assert verdict("471")["verdict"] == "here"  # the start of a number finds it, as in the list
    hidden = verdict("4713", filter="state:failed", interface="otto-de")
    assert (hidden["verdict"], hidden["hidden_by"]) == ("filtered", ["interface:otto-de", "state:failed"])
    assert verdict("4714", language="de")["title"] == "Angefragt, die Antwort steht aus"
    site.conn.execute("UPDATE receipt_numbers SET result = 'not-found', due_at = NULL")
    assert verdict("4714")["verdict"] == "not-found"
    assert api.get("/api/v1/orders/diagnose?number=1&interface=nowhere").status_code == 404

    browser = site.browser("operator")
    page = browser.get("/orders?filter=state:failed+4711|4712|4713|4714&lang=en").text
    assert "None of these 4 numbers is in the list" in page
    for text in ("Never received", "Rejected", "filtered out: Done", "hidden by state:failed", "/rejections/1"):
        assert text in page
    assert page.count("Import now") == 2
    assert "Import now" not in site.browser("viewer").get("/orders?filter=4711&lang=en").text
    answer = browser.post("/orders/import", data={"interface": "otto-de", "numbers": "4711"})
    assert answer.headers["location"].startswith("/receipts/")
    partial = browser.get("/orders?filter=4713|4799&lang=en").text
    assert "Not among them: 1." in partial
    assert "otto-at" in partial


def test_views_are_ones_own_or_shared(site: Site) -> None:
    operator, viewer, admin = (site.browser(role) for role in ("operator", "viewer", "admin"))
    saved = operator.post(
        "/views", data={"name": " Due  today ", "resource": "orders", "filter": "state:failed", "shared": "true"}
    )
    assert saved.headers["location"] == "/orders?filter=state%3Afailed&sort=-updated"
    operator.post("/views", data={"name": "mine", "resource": "orders", "filter": "4711"})
    assert "Due today" in viewer.get("/orders").text
    assert "mine" not in viewer.get("/orders").text
    assert viewer.post("/views", data={"name": "x", "resource": "orders", "shared": "true"}).status_code == 403
    assert viewer.post("/views", data={"name": "x", "resource": "orders", "filter": "sttate:x"}).status_code == 422
    assert viewer.post("/views/1/delete").status_code == 404
    assert admin.post("/views/1/delete", data={"next": "//elsewhere"}).headers["location"] == "/"
    api = site.api("operator")
    for _ in range(2):  # the same name again replaces it
        made = api.post("/api/v1/views", json={"name": "Due", "resource": "exports", "filter": "tracking:open"})
    assert made.json()["filter"] == "tracking:open"
    assert [one["name"] for one in api.get("/api/v1/views").json()["items"]] == ["Due"]
    assert api.post("/api/v1/views", json={"name": "x", "resource": "orders", "filter": "a:b"}).status_code == 400
    assert api.delete(f"/api/v1/views/{made.json()['id']}").json()["deleted"] is True
    verbs = [verb for (verb,) in site.conn.execute("SELECT verb FROM audit WHERE verb LIKE 'views.%' ORDER BY id")]
    assert verbs == ["views.save"] * 2 + ["views.delete"] + ["views.save"] * 2 + ["views.delete"]


def test_the_theme_is_kept_in_this_browser(site: Site) -> None:
    browser = site.browser("viewer")
    answer = browser.post("/theme", data={"theme": "dark", "next": "/orders?filter=4711"})
    assert answer.headers["location"] == "/orders?filter=4711"
    assert 'data-theme="dark"' in browser.get("/orders").text
    assert browser.post("/theme", data={"theme": "pink"}).status_code == 422
    browser.post("/theme", data={"theme": "system", "next": "//elsewhere"})
    assert "data-theme" not in browser.get("/orders").text


def test_a_list_without_records_says_what_comes_first(site: Site) -> None:
    page = site.browser("operator").get("/interfaces/otto-at/orders?lang=en").text
    assert "nothing from otto-at yet" in page
    assert "Import orders" in page
