"""The pages of exports and articles: what they show and what their buttons do, beside those of orders."""

from __future__ import annotations

import pytest

from shared.records.errands import finish_errand, take_errand
from tests.support.rows import changed_event, store_article, store_export, store_shipment
from tests.support.stored import store_record
from tests.web.conftest import Site, count

pytestmark = pytest.mark.servers
NASTY = "<script>alert(1)</script>\"'&{{7*7}}"
PROBLEM = [{"code": "carrier-unknown", "field": NASTY, "values": {"carrier": NASTY}}]


def _nasty(site: Site) -> list[str]:
    shipment = {"id": NASTY, "carrier": NASTY, "tracking_number": NASTY, "tracking_url": f"javascript:{NASTY}"}
    order = store_record(site.conn, NASTY, state="done")
    export = store_export(
        site.conn, NASTY, event=changed_event(NASTY, shipments=[shipment]), state="failed", reason=PROBLEM,
        code="carrier-unknown", parts={"tracking": "failed"}, marketplace_id=NASTY,
    )  # fmt: skip
    store_shipment(site.conn, export, NASTY, NASTY, carrier=NASTY)
    article = store_article(
        site.conn, NASTY, kind="variant", name=NASTY, foreign_sku=NASTY, parent_sku=NASTY, quantity=1, sent=2, shown=3
    )
    return [f"/exports/{export}", f"/articles/{article}", f"/orders/{order}"]


def test_whatever_an_erp_sends_is_shown_as_text(site: Site) -> None:
    records = _nasty(site)
    browser = site.browser("admin")
    asked = "/exports/export?filter=%22%3Cscript%3E%22", "/articles/sync?filter=%22%3Cscript%3E%22"
    for path in (*records, "/exports", "/articles", "/interfaces/otto-de/articles", *asked):
        text = browser.get(path).text
        assert "<script>" not in text, path
        assert "&lt;script&gt;" in text, path
        assert "javascript:" not in text or 'href="javascript:' not in text, path


def test_lists_speak_german_and_english_and_name_both_parts(site: Site) -> None:
    store_export(
        site.conn, "4711", event=changed_event("4711"), state="failed", code="carrier-unknown",
        reason=[{"code": "carrier-unknown", "field": "", "values": {"carrier": "GLS"}}],
        parts={"status": "done", "tracking": "failed"},
    )  # fmt: skip
    store_export(site.conn, "4712")
    browser = site.browser("viewer")
    german, english = browser.get("/exports?lang=de").text, browser.get("/exports?lang=en").text
    for word in (
        "Auftragsstatus &amp; Tracking",
        "Fehlerhaft",
        "Erfolgreich",
        "GLS",
        "T-4711",
        "Noch nicht übertragen",
    ):
        assert word in german
    assert "Es wurde noch kein Status-Update vorgenommen" in german
    assert "No status update has been made yet" in english
    assert "Tracking exported" in english
    only = browser.get("/exports?filter=tracking:failed&lang=en").text
    assert "4711" in only
    assert "4712" not in only
    assert 'aria-current="true">Tracking failed' in only, "what is chosen is marked, and a click takes it away"
    assert browser.get("/interfaces/otto-at/exports").text.count("4711") == 0
    assert browser.get("/interfaces/nowhere/articles").status_code == 404


def test_articles_show_accepted_and_confirmed_as_different_ticks(site: Site) -> None:
    store_article(site.conn, "A-1", quantity=5, sent=5, shown=5)
    store_article(site.conn, "A-2", quantity=5, sent=5, shown=2)
    store_article(site.conn, "A-3", kind="variant", parent_sku="A", quantity=5, sent=5, shown_at=None)
    text = site.browser("viewer").get("/articles?lang=en").text
    assert text.count('class="ticked"') == 3
    assert text.count('class="ticked confirmed"') == 1
    assert text.count('class="ticked differs"') == 1
    assert "OTTO Market shows 5" in text, "in a list the sentence says what the tick shows"
    assert "OTTO Market shows 2, it had accepted 5" in text
    assert "OTTO Market accepted 5, not confirmed yet" in text
    assert "Variant" in text


def test_an_order_and_its_export_are_shown_together(site: Site) -> None:
    order = store_record(site.conn, "4711", state="done", remote="200417")
    export = store_export(
        site.conn, "4711", event=changed_event("4711"), state="done", parts={"status": "done", "tracking": "done"}
    )
    store_shipment(site.conn, export, "1", "T-4711")
    browser = site.browser("operator")
    of_order = browser.get(f"/orders/{order}?lang=en").text
    assert f'href="/exports/{export}?lang=en"' in of_order
    assert "T-4711" in of_order
    of_export = browser.get(f"/exports/{export}?lang=en").text
    assert f'href="/orders/{order}?lang=en"' in of_export
    assert "Erika Muster" in of_export
    assert "Xentral → Connect → OTTO Market" not in of_export, "nothing is wrong with it"
    assert "Muster" not in site.browser("viewer").get(f"/exports/{export}").text
    assert browser.get(f"/orders/{export}?lang=en").headers["location"] == f"/exports/{export}?lang=en"


def test_buttons_are_there_only_for_those_who_may_press_them(site: Site) -> None:
    store_article(site.conn, "A-1", quantity=5)
    store_export(site.conn, "4711")
    operator, viewer = site.browser("operator"), site.browser("viewer")
    for path, actions in (
        ("/articles", ('action="/articles/sync"', 'action="/articles/retry"', 'formaction="/articles/listing"')),
        ("/exports", ('action="/exports/export"',)),
    ):
        for action in actions:
            assert action in operator.get(path).text
            assert action not in viewer.get(path).text
    assert 'form="one-retry"' not in operator.get("/exports").text, "a grey row has nothing to send yet"


@pytest.mark.parametrize(("list_", "verb"), [("exports", "export"), ("articles", "sync")])
def test_asking_leads_to_a_receipt_for_one_for_numbers_and_for_all_that_match(
    site: Site, list_: str, verb: str
) -> None:
    if list_ == "exports":
        ids = [store_export(site.conn, number) for number in ("4711", "4712")]
    else:
        ids = [store_article(site.conn, number) for number in ("4711", "4712")]
    browser = site.browser("operator")

    def asked(**data: object) -> str:
        answer = browser.post(f"/{list_}/{verb}?lang=en", data=data)
        assert answer.headers["location"].startswith("/receipts/")
        return browser.get(answer.headers["location"]).text

    assert asked(id=ids[0]).count("Asked for<") == 1
    assert asked(id=ids).count("Asked for<") == 2
    assert asked(filter="state:never", slug="otto-de").count("Asked for<") == 2
    assert asked(filter="state:failed").count("Asked for<") == 0
    assert asked(interface="otto-de", numbers="4711\nBlue shirt, 42").count("Asked for<") == (
        3 if verb == "sync" else 4
    )
    preview = browser.get(f"/{list_}/{verb}?filter=state:never&lang=en").text
    assert "these 2 " in preview
    assert count(site.conn, "receipts") == 5
    for data in ({"interface": "", "numbers": "1"}, {"interface": "otto-de", "numbers": " , "}):
        answer = browser.post(f"/{list_}/{verb}?lang=en", data=data)
        assert (answer.status_code, "Please" in answer.text) == (422, True)
    assert browser.get(f"/{list_}/{verb}?filter=stat:x").status_code == 400


def test_a_retry_of_grey_rows_says_that_there_is_nothing_to_send(site: Site) -> None:
    store_export(site.conn, "4711")
    store_export(site.conn, "4712", event=changed_event("4712"), state="failed")
    browser = site.browser("operator")
    assert "For 1 of them there is nothing to send yet" in browser.get("/exports/retry?filter=-state:done&lang=en").text
    answer = browser.post("/exports/retry?lang=en", data={"filter": "-state:done"})
    text = browser.get(answer.headers["location"]).text
    assert "1 export is in line again." in text
    assert "1 was left alone because there is nothing to send for it yet." in text


def test_a_check_lists_what_differs_and_repairs_the_selection(site: Site) -> None:
    differs = store_article(site.conn, "A-1", quantity=5, sent=5, shown=2)
    store_article(site.conn, "A-2", quantity=5, sent=5, shown=5)
    browser = site.browser("operator")
    answer = browser.post("/articles/check?lang=en", data={"interface": "otto-de"})
    path = answer.headers["location"]
    assert "Running, 0 articles so far" in browser.get(path).text
    taken = take_errand(site.conn, 60)
    assert taken is not None
    site.conn.execute("UPDATE errands SET seen = 2")
    finish_errand(site.conn, taken, {"articles": 2})
    text = browser.get(path).text
    assert "1 article differs" in text
    assert f'name="id" value="{differs}" checked' in text
    assert "A-2" not in text
    receipt = browser.post("/articles/sync?lang=en", data={"id": differs}).headers["location"]
    assert "A-1" in browser.get(receipt).text
    assert browser.post("/articles/listing", data={"interface": "nowhere"}).status_code == 422
    assert browser.post("/articles/check", data={"interface": "otto-de"}).headers["location"] != path


def test_an_order_that_a_person_created_is_linked_from_its_page(site: Site) -> None:
    failed = store_record(site.conn, "4711", state="failed")
    browser = site.browser("operator")
    assert f'action="/orders/{failed}/done-by-hand"' in browser.get(f"/orders/{failed}").text
    assert browser.post(f"/orders/{failed}/done-by-hand", data={"erp_number": " "}).status_code == 422
    answer = browser.post(f"/orders/{failed}/done-by-hand?lang=en", data={"erp_number": " 200417 "})
    assert "200417" in browser.get(answer.headers["location"]).text
    assert browser.post(f"/orders/{failed}/done-by-hand", data={"erp_number": "1"}).status_code == 409
    assert browser.post("/orders/99/done-by-hand", data={"erp_number": "1"}).status_code == 404
