"""The pages: German and English, everything escaped, buttons that do what they say, nothing a role must not see."""

from __future__ import annotations

import pytest

from tests.support.stored import order_event, store_record
from tests.web.conftest import Site, count

pytestmark = pytest.mark.servers

NASTY = "<script>alert(1)</script>\"'&{{7*7}}"
PROBLEM = [{"code": "payment-unmapped", "field": NASTY, "values": {"payment": NASTY}}]


def _nasty(site: Site) -> int:
    person = {"first_name": NASTY, "last_name": "Muster", "email": "e@example.org"}
    event = order_event(NASTY, customer=person, currency="EUR", total=NASTY)
    event["data"]["order"]["lines"][0]["title"] = NASTY
    return store_record(
        site.conn,
        NASTY,
        event=event,
        state="failed",
        reason=PROBLEM,
        code="payment-unmapped",
        marketplace_id=NASTY,
        remote=NASTY,
    )


def test_whatever_a_shop_sends_is_shown_as_text(site: Site) -> None:
    record = _nasty(site)
    site.api("publisher").post("/api/v1/events", json={"id": NASTY, "source": NASTY, "type": NASTY})
    site.conn.execute("UPDATE interfaces SET title = %s", (NASTY,))
    browser = site.browser("admin")
    pages = ("/orders", f"/orders/{record}", "/rejections", "/rejections/1", "/orders/import")
    for path in (*pages, f"/orders?filter={NASTY.replace('&', '%26')}", "/orders/retry?filter=%3Cscript%3E"):
        text = browser.get(path).text
        assert "<script>" not in text, path
        assert "{{" not in text or "{{7*7}}" in text
        assert "&lt;script&gt;" in text, path


def test_pages_speak_the_users_language_or_the_browsers(site: Site) -> None:
    store_record(site.conn, "4711", state="failed", reason=PROBLEM, code="payment-unmapped")
    german = site.browser("viewer", language="de")
    assert 'lang="de"' in german.get("/orders").text
    assert "Fehlerhaft" in german.get("/orders", headers={"Accept-Language": "en"}).text
    assert "Failed" in german.get("/orders?lang=en").text
    browser = site.browser("viewer")
    for accept, word in (("de-DE,de;q=0.9,en;q=0.8", "Fehlerhaft"), ("en", "Failed"), ("fr", "Failed"), ("", "Failed")):
        assert word in browser.get("/orders", headers={"Accept-Language": accept}).text


def test_days_are_those_of_the_users_time_zone(site: Site) -> None:
    store_record(site.conn, "4711", state="done", ordered_at="2026-11-23T23:30:00Z")
    assert "2026-11-24" in site.browser("viewer").get("/orders?lang=en").text  # the installation's: Berlin
    assert "2026-11-23" in site.browser("viewer", time_zone="America/New_York").get("/orders?lang=en").text


def test_the_list_counts_states_and_filters_by_them(site: Site) -> None:
    for number, state in (("4711", "failed"), ("4712", "done"), ("4713", "done")):
        store_record(site.conn, number, state=state)
    browser = site.browser("viewer")
    text = browser.get("/orders?filter=state:done&lang=en").text
    assert "4711" not in text
    assert "4712" in text
    assert 'href="/orders?lang=en&amp;filter=state%3Afailed"' in text  # counters keep the rest of the search
    assert "2 orders" in text
    assert browser.get("/interfaces/otto-at/orders").text.count("4711") == 0
    assert browser.get("/interfaces/nowhere/orders").status_code == 404


def test_a_search_that_is_not_understood_names_the_term_and_offers_another(site: Site) -> None:
    answer = site.browser("viewer").get("/orders?filter=4711 sttate:failed&lang=de")
    assert answer.status_code == 400
    assert "sttate:failed" in answer.text
    assert "filter=4711+state%3Afailed" in answer.text
    answer = site.browser("viewer").get("/orders?filter=due:soon&lang=de")
    assert "Möglich sind 24h, today, overdue." in answer.text


def test_the_order_page_explains_every_problem_and_shows_hops(site: Site) -> None:
    problems = [
        {"code": "payment-unmapped", "field": "", "values": {"payment": "PAYPAL"}},
        {"code": "sku-unknown", "field": "order.lines.0.sku", "values": {"sku": "TSH-1"}},
    ]
    record = store_record(site.conn, "4711", state="failed", reason=problems, code="payment-unmapped")
    text = site.browser("viewer").get(f"/orders/{record}?lang=de").text
    assert "PAYPAL" in text
    assert "TSH-1" in text
    assert "So beheben Sie es" in text
    assert "vor dem Anlegen, nichts gesendet" in text
    assert "Muster" not in text  # a viewer's payload is masked too
    assert "Muster" in site.browser("operator").get(f"/orders/{record}").text


def test_buttons_are_there_only_for_those_who_may_press_them(site: Site) -> None:
    store_record(site.conn, "4711", state="failed")
    assert 'action="/orders/retry"' in site.browser("operator").get("/orders").text
    viewer = site.browser("viewer")
    assert 'action="/orders/retry"' not in viewer.get("/orders").text
    assert viewer.post("/orders/retry", data={"id": 1}).status_code == 403


def test_retry_of_one_and_of_all_that_match_come_back_with_what_was_done(site: Site) -> None:
    ids = [store_record(site.conn, number, state="failed") for number in ("4711", "4712", "4713")]
    browser = site.browser("operator")
    answer = browser.post("/orders/retry?lang=en", data={"id": ids[0], "filter": "state:failed"})
    assert answer.status_code == 303
    back = browser.get(answer.headers["location"]).text
    assert "1 order is in line again." in back
    assert 'value="state:failed"' in back
    assert "Try these 2 orders again?" in browser.get("/orders/retry?filter=state:failed&lang=en").text
    answer = browser.post("/orders/retry?lang=en", data={"filter": "state:failed", "slug": "otto-de"})
    assert answer.headers["location"].startswith("/interfaces/otto-de/orders?")
    assert "2 orders are in line again." in browser.get(answer.headers["location"]).text
    assert count(site.conn, "bulk_runs") == 2


def test_an_import_leads_to_its_receipt_and_mistakes_back_to_the_form(site: Site) -> None:
    browser = site.browser("operator")
    answer = browser.post("/orders/import", data={"interface": "otto-de", "numbers": "4711, 4712\n4713"})
    assert answer.headers["location"].startswith("/receipts/")
    text = browser.get(answer.headers["location"] + "?lang=en").text
    assert text.count("Asked for") == 3
    for data in ({"interface": "", "numbers": "1"}, {"interface": "otto-de", "numbers": " , "}):
        answer = browser.post("/orders/import?lang=en", data=data)
        assert answer.status_code == 422
        assert "Please" in answer.text


def test_a_rejection_is_submitted_again_from_its_page(site: Site) -> None:
    import json

    raw = json.dumps(order_event("4711")).encode()
    site.api("publisher").post("/api/v1/events", content=raw[:-1], headers={"Content-Type": "application/json"})
    browser = site.browser("operator")
    assert "Eingaben, die Connect nicht annehmen konnte" in browser.get("/rejections?lang=de").text
    answer = browser.post("/rejections/1/resubmit", data={"edited": "1", "body": raw.decode()})
    assert answer.headers["location"].startswith("/orders/")
    assert browser.post("/rejections/1/resubmit").status_code == 409
    assert "4711" in browser.get(answer.headers["location"]).text
    hidden = site.browser("viewer").get("/rejections/1?lang=en").text
    assert "hidden from your role" in hidden
    assert "Muster" not in hidden


def test_errors_on_pages_are_pages(site: Site) -> None:
    browser = site.browser("viewer")
    for path, status in (("/nowhere", 404), ("/orders/99", 404), ("/orders/x", 422), ("/receipts/x", 422)):
        answer = browser.get(path)
        assert answer.status_code == status
        assert answer.headers["content-type"].startswith("text/html")
    site.conn.execute("ALTER TABLE records RENAME TO gone")
    answer = browser.get("/orders?lang=en")
    assert (answer.status_code, "Nothing is lost" in answer.text) == (500, True)


def test_static_files_may_be_kept(site: Site) -> None:
    browser = site.browser("viewer")
    for name in ("journal.css", "live.js", "icon.svg"):
        assert "immutable" in browser.get(f"/static/now/{name}").headers["cache-control"]
    assert browser.get("/static/now/..%2Fapp.py").status_code == 404
