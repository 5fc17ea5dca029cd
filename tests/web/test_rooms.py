"""The rooms beside the lists, by page and API: mappings, rejections, the books, the audit, what an interface lists."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.connectors.registry import discover
from shared.people.audit import Wanted, read_audit
from tests.support.rows import store_article
from tests.support.stored import order_event, store_interface, store_record
from tests.web.conftest import Site, count

pytestmark = pytest.mark.servers
MAPPINGS = "/api/v1/interfaces/otto-de/mappings"
PAGE = "/interfaces/otto-de/mappings"


def blocked(site: Site, number: str, key: str, **columns: Any) -> int:
    """A failed order that waits for a key."""
    record = store_record(site.conn, number, state="failed", code="payment-unmapped", blocked=True, **columns)
    site.conn.execute("INSERT INTO blocks VALUES ('otto-de', %s, %s)", (key, record))
    return record


def refused(site: Site, number: str, **order: Any) -> int:
    """An event that became a rejection; returns its id."""
    event = order_event(number, **order)
    event["data"]["interface"] = "otto-ch"
    answer = site.api("publisher").post("/api/v1/events", content=json.dumps(event), headers=JSON)
    return int(answer.json()["results"][0]["rejection"])


JSON = {"Content-Type": "application/json"}


# -- mappings --------------------------------------------------------------------------------------------------------


def test_a_mapping_is_saved_once_seen_by_all_and_sets_due_what_waits(site: Site) -> None:
    object.__setattr__(site.journal, "connectors", discover())
    soon = datetime.now(UTC) + timedelta(hours=3)
    ids = [blocked(site, f"47{n}", "shipping:EXPRESS/24 h", ship_by=soon if n else None) for n in range(2)]
    api = site.api("operator")
    missing = {(gap["kind"], gap["source"]): gap for gap in api.get(MAPPINGS).json()["missing"]}
    gap = missing["shipping", "EXPRESS/24 h"]
    assert (gap["records"], gap["due"], gap["amounts"]) == (2, 1, [{"currency": "EUR", "amount": "79.96"}])
    page = site.browser("operator", language="en").get(PAGE, params={"kind": "shipping", "source": "EXPRESS/24 h"}).text
    assert "1 to be shipped within a day" in page
    assert "€79.96" in page, "what the orders that wait for it are worth"
    assert page.index("EXPRESS/24 h") < page.index("Another mapping")

    address = f"{MAPPINGS}/shipping/EXPRESS%2F24%20h"
    assert api.put(address, json={"target": "7", "dry_run": True}).json()["due"] == 2
    assert count(site.conn, "mappings") == 0
    saved = api.put(address, json={"target": " 7 ", "was": ""})
    assert (saved.status_code, saved.json()["due"], saved.json()["target"]) == (200, 2, "7")
    states = site.conn.execute("SELECT state FROM records WHERE id = ANY(%s)", (ids,)).fetchall()
    assert states == [("pending",), ("pending",)]
    late = api.put(address, json={"target": "8", "was": ""})
    assert (late.status_code, late.json()["code"]) == (409, "mapping-changed-meanwhile")
    assert api.put(address, json={"target": "7", "was": ""}).status_code == 200, "the same again is what was wanted"
    for kind, source, target, code in (
        ("shipment", "X", "1", "kind-unknown"),
        ("payment", "X", " ", "target-missing"),
        ("payment", "X", "a\u202eb", "not-printable"),
        ("payment", "X", "y" * 201, "too-long"),
    ):
        wrong = api.put(f"{MAPPINGS}/{kind}/{source}", json={"target": target})
        assert (wrong.status_code, wrong.json()["code"]) == (422, f"mapping-{code}")

    assert api.delete(address, params={"dry_run": True}).json()["unfinished"] == 0
    gone = api.delete(address)
    assert (gone.json()["before"], gone.json()["target"]) == ("7", None)
    assert api.delete(address).status_code == 404
    lines = [line for line in read_audit(site.conn) if not line["verb"].startswith("login.")]
    verbs = [(line["verb"], line["target"].get("target"), line["target"].get("due")) for line in lines]
    assert verbs == [
        ("interfaces.unmap", None, None), ("interfaces.map", "7", 0), ("interfaces.map", "7", 2),
    ]  # fmt: skip
    again = site.browser("operator", language="en").get(PAGE, params={"kind": "shipping", "source": "EXPRESS/24 h"})
    assert "Last time it was “7”" in again.text


def test_the_mappings_page_says_what_is_wrong_and_keeps_what_was_typed(site: Site) -> None:
    browser = site.browser("operator", language="de")
    wrong = browser.post(PAGE, data={"kind": "payment", "source": "<b>PAY</b>", "target": "a\u200bb"})
    assert wrong.status_code == 422
    assert "unsichtbare Zeichen" in wrong.text
    assert "<b>PAY</b>" not in wrong.text
    assert browser.post(PAGE, data={"kind": "payment", "source": "<b>PAY</b>", "target": "3"}).status_code == 303
    assert "&lt;b&gt;PAY&lt;/b&gt;" in browser.get(PAGE).text
    clash = browser.post(PAGE, data={"kind": "payment", "source": "<b>PAY</b>", "target": "4", "was": "2"})
    assert (clash.status_code, "inzwischen auf „3“ gesetzt" in clash.text) == (409, True)
    assert browser.post("/interfaces/nobody/mappings", data={"kind": "payment"}).status_code == 404
    sure = browser.get(f"{PAGE}/remove", params={"kind": "payment", "source": "<b>PAY</b>"})
    assert "Kein offener Auftrag braucht sie gerade" in sure.text
    for _ in range(2):  # a double click
        assert browser.post(f"{PAGE}/remove", data={"kind": "payment", "source": "<b>PAY</b>"}).status_code == 303
    assert count(site.conn, "mappings") == 0


# -- rejections ------------------------------------------------------------------------------------------------------


def test_rejections_are_filtered_tried_out_set_aside_and_opened_again(site: Site) -> None:
    api, first = site.api("operator"), refused(site, "4711")
    broken = site.api("publisher").post("/api/v1/events", content=b'{"a"', headers=JSON).json()["rejection"]
    listed = api.get("/api/v1/rejections", params={"code": "interface-unknown", "queue": "http"}).json()["items"]
    assert [one["id"] for one in listed] == [first]
    assert api.get("/api/v1/rejections", params={"interface": "otto-de"}).json()["items"] == []
    assert api.get("/api/v1/rejections", params={"to": "2020-01-01"}).json()["items"] == []
    assert api.get("/api/v1/rejections", params={"from": "soon"}).json()["code"] == "date-not-understood"

    tried = api.post(f"/api/v1/rejections/{first}/resubmit", json={"dry_run": True}).json()
    assert (tried["ok"], tried["problems"][0]["code"]) == (False, "interface-unknown")
    text = json.dumps(order_event("4711"))
    assert api.post(f"/api/v1/rejections/{first}/resubmit", json={"dry_run": True, "body": text}).json()["ok"]
    assert count(site.conn, "records") == 0

    aside = api.post(f"/api/v1/rejections/{broken}/set-aside", json={"reason": "a test of the shop"}).json()
    assert (aside["state"], aside["reason"]) == ("set-aside", "a test of the shop")
    assert api.post(f"/api/v1/rejections/{broken}/resubmit").json()["code"] == "set-aside"
    again = site.api("publisher").post("/api/v1/events", content=b'{"a"', headers=JSON)
    assert again.json()["rejection"] == broken, "the same again is a duplicate, and stays set aside"
    assert [one["id"] for one in api.get("/api/v1/rejections", params={"state": "open"}).json()["items"]] == [first]
    assert api.post(f"/api/v1/rejections/{broken}/reopen").json()["state"] == "open"
    assert api.post(f"/api/v1/rejections/{broken}/reopen").status_code == 409
    assert api.post(f"/api/v1/rejections/{first}/set-aside", json={"reason": " "}).status_code == 422


def test_the_page_of_a_rejection_checks_before_it_sends_and_shows_what_became_of_it(site: Site) -> None:
    first = refused(site, "4711", total="‮39.98")
    browser, address = site.browser("operator", language="en"), f"/rejections/{first}"
    page = browser.get(address).text
    assert "Unchanged it would be refused again now" in page
    assert '<mark title="U+202E' in page
    assert browser.get(f"{address}/raw").content == site.conn.execute("SELECT raw FROM rejections").fetchone()[0]  # type: ignore[index]
    assert browser.post(f"{address}/resubmit").status_code == 422
    wrong = order_event("4711", currency="EURO")
    checked = browser.post(f"{address}/check", data={"body": json.dumps(wrong)})
    assert "Like this it would not be taken in" in checked.text
    assert "data.order.currency" in checked.text
    assert browser.post(f"{address}/resubmit", data={"edited": "1", "body": json.dumps(wrong)}).status_code == 422
    assert count(site.conn, "rejections") == 1
    assert "Please say why" in browser.post(f"{address}/set-aside", data={"reason": ""}).text
    done = browser.post(f"{address}/resubmit", data={"edited": "1", "body": json.dumps(order_event("4711"))})
    record = site.conn.execute("SELECT id FROM records").fetchone()
    assert record is not None
    assert done.headers["location"] == f"/orders/{record[0]}"
    after = browser.get(address).text
    assert f'href="/orders/{record[0]}"' in after
    viewer = site.browser("viewer", language="en").get(address).text
    assert "hidden from your role" in viewer
    assert "Muster" not in viewer


def test_rejections_of_one_cause_are_submitted_together_once_it_is_mended(site: Site) -> None:
    for number in ("4711", "4712", "4713"):
        refused(site, number)
    browser, form = site.browser("operator", language="en"), {"code": "interface-unknown", "interface": ""}
    assert "3 open rejections are submitted once more" in browser.get("/rejections/resubmit", params=form).text
    still = site.api("operator").post("/api/v1/rejections/resubmit", json={"code": "interface-unknown"}).json()
    assert (still["matched"], still["outcomes"]) == (3, {"rejected": 3})
    store_interface(site.conn, "otto-ch")
    done = browser.post("/rejections/resubmit", data=form)
    assert "taken in" in done.text
    assert site.conn.execute("SELECT count(*) FROM records WHERE flow = 'order-import'").fetchone() == (3,)
    assert "No rejection of this cause is open any more." in browser.get("/rejections/resubmit", params=form).text
    assert browser.get("/rejections/resubmit", params={"code": "nonsense"}).status_code == 404


# -- the books -------------------------------------------------------------------------------------------------------


def test_each_term_of_the_books_leads_to_its_rows(site: Site) -> None:
    api, publisher = site.api("viewer"), site.api("publisher")
    for number in ("4711", "4711", "4712"):
        publisher.post("/api/v1/events", content=json.dumps(order_event(number)), headers=JSON)
    publisher.post("/api/v1/events", content=json.dumps(order_event("4712", total="1.00") | {"id": "x"}), headers=JSON)
    rejection = refused(site, "4713")
    book = api.get("/api/v1/accounting", params={"interface": "otto-de"}).json()["books"][0]
    assert book["balanced"]
    for term in ("rejected", "duplicate", "superseded", "no_target", "applied", "done", "failed", "in_flight"):
        listed = api.get("/api/v1/accounting/inputs", params={"interface": "otto-de", "term": term}).json()["items"]
        assert len(listed) == book[term], term
    superseded, applied = (
        api.get("/api/v1/accounting/inputs", params={"term": term}).json()["items"]
        for term in ("superseded", "applied")
    )
    assert {one["key"] for one in superseded} == {"4712"}
    assert {one["key"] for one in applied} == {"4711", "4712"}
    first = api.get("/api/v1/accounting/inputs", params={"term": "applied", "limit": 1}).json()
    second = api.get(
        "/api/v1/accounting/inputs", params={"term": "applied", "limit": 1, "cursor": first["next"]}
    ).json()
    assert [first["items"][0]["key"], second["items"][0]["key"], second["next"]] == ["4712", "4711", None]
    (unread,) = api.get("/api/v1/accounting/inputs", params={"term": "rejected", "interface": "?"}).json()["items"]
    assert (unread["rejection"], unread["code"]) == (rejection, "interface-unknown")
    days = api.get("/api/v1/accounting/days").json()["items"]
    assert (len(days), days[0]["inputs"], days[0]["balanced"], days[1]["inputs"]) == (30, 5, True, 0)
    for params, status in (({"term": "lost"}, 422), ({"term": "done", "cursor": "x"}, 400)):
        assert api.get("/api/v1/accounting/inputs", params=params).status_code == status

    browser = site.browser("viewer", language="en")
    page = browser.get("/accounting").text
    assert "Balances, remainder 0" in page
    assert f"/rejections/{rejection}" in browser.get("/accounting/inputs", params={"term": "rejected"}).text
    site.conn.execute("UPDATE arrivals SET inputs = inputs + 2 WHERE interface = 'otto-de' AND no = 1")
    page = browser.get("/accounting").text
    assert "Does not balance" in page
    assert "2 inputs have no outcome yet: 6 came in, 4 have one." in page
    assert "Does not balance" in browser.get("/accounting/days").text
    assert "Nothing came in on this day." in browser.get("/accounting?day=2020-02-29").text
    wrong = browser.get("/accounting?day=2020-02-30")
    assert (wrong.status_code, "“2020-02-30” is no day" in wrong.text) == (400, True)


# -- the audit, and what an interface lists --------------------------------------------------------------------------


def test_the_audit_is_narrowed_down_by_person_verb_object_and_time(site: Site) -> None:
    lines = [
        ("Mara", "orders.retry", {"filter": "state:failed", "counts": {"done": 31}}, None),
        ("Tim", "interfaces.mode", {"interface": "otto-de", "mode": "live"}, "checked <b>by eye</b>"),
        ("Mara", "interfaces.map", {"interface": "otto-at", "kind": "payment", "source": "A/B"}, None),
    ]
    for actor, verb, target, reason in lines:
        site.conn.execute(
            "INSERT INTO audit(actor, verb, target, reason) VALUES (%s, %s, %s, %s)",
            (actor, verb, json.dumps(target), reason),
        )
    api = site.api("operator")

    def found(**params: Any) -> list[str]:
        return [one["verb"] for one in api.get("/api/v1/audit", params=params).json()["items"]]

    assert found() == ["interfaces.map", "interfaces.mode", "orders.retry"]
    assert found(actor="mara") == ["interfaces.map", "orders.retry"]
    assert found(verb=["orders.retry", "interfaces.mode"]) == ["interfaces.mode", "orders.retry"]
    assert found(about="OTTO-AT") == ["interfaces.map"]
    assert found(about="by eye") == ["interfaces.mode"]
    assert found(to="2020-01-01") == []
    page = api.get("/api/v1/audit", params={"limit": 2, "language": "de"}).json()
    assert page["items"][0]["sentence"] == "Zuordnung gespeichert"
    assert found(cursor=page["next"]) == ["orders.retry"]
    assert api.get("/api/v1/audit", params={"verb": "orders.retrie"}).json()["code"] == "verb-unknown"
    shown = site.browser("operator", language="en").get("/audit", params={"actor": "mara"}).text
    assert 'href="/orders?filter=state%3Afailed"' in shown
    assert "mappings?kind=payment&amp;source=A%2FB" in shown
    assert "by eye" not in shown
    assert "checked &lt;b&gt;by eye" in site.browser("operator", language="en").get("/audit").text
    assert site.browser("operator").get("/audit", params={"since": "tomorrow"}).status_code == 400
    assert read_audit(site.conn, Wanted(actor="%")) == [], "a sign of LIKE is a sign"


def test_an_interface_shows_its_titles_settings_and_articles(site: Site) -> None:
    site.conn.execute("UPDATE interfaces SET mode = 'test'")
    for number in range(3):
        store_article(site.conn, f"ABC-{number}", name=f"Shirt {number}", quantity=1)
    browser = site.browser("admin", language="en")
    page = browser.get("/interfaces/otto-de").text
    assert "OTTO Market answers and accepts the credentials" in page
    assert "Otto answers" not in page
    assert "not shown" not in browser.get("/interfaces/otto-de/settings").text, "there is no side, so no secret"
    listing = browser.get("/interfaces/otto-de/listing", params={"search": "shirt 1"}).text
    assert ("ABC-1" in listing, "ABC-2" in listing) == (True, False)
    api = site.api("viewer").get("/api/v1/interfaces/otto-de/listing", params={"limit": 2}).json()
    assert ([one["sku"] for one in api["items"]], api["next"]) == (["ABC-0", "ABC-1"], "ABC-1")
    rest = site.api("viewer").get("/api/v1/interfaces/otto-de/listing", params={"cursor": api["next"]}).json()
    assert ([one["sku"] for one in rest["items"]], rest["next"]) == (["ABC-2"], None)
    untested = browser.post("/interfaces/otto-de/connections")
    assert (untested.status_code, "could not be tested" in untested.text) == (503, True)
    cards = browser.get("/interfaces").text
    assert cards.count('class="card leaf"') == 2
    for path in ("", "/settings", "/listing", "/mappings"):
        assert browser.get(f"/interfaces/nobody{path}").status_code == 404


def test_what_no_database_takes_is_found_nowhere_and_breaks_nothing(site: Site) -> None:
    api, browser = site.api("operator"), site.browser("operator")
    for path in (
        "/api/v1/audit?about=%00&actor=%00", "/api/v1/rejections?queue=%00&code=%00&interface=%00",
        "/api/v1/interfaces/otto-de/listing?search=%00&cursor=%00",
    ):  # fmt: skip
        assert api.get(path).json()["items"] == [], path
    assert api.delete(f"{MAPPINGS}/payment/%00").status_code == 404
    assert api.get("/api/v1/accounting/inputs?term=done&cursor=2026-11-23T10:00:00%2B00:00~%00").status_code == 400
    for reason, status in (("because \\u0000", 404), ("because \\ud800", 422)):
        body = f'{{"reason": "{reason}"}}'
        assert api.post("/api/v1/rejections/1/set-aside", content=body, headers=JSON).status_code == status
    for path in (f"{PAGE}?kind=%00&source=%00", "/audit?about=%00", "/rejections?queue=%00&code=%00", "/rejections/0"):
        assert browser.get(path).status_code in (200, 404), path
