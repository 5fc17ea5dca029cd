"""One walk through the pages in a real browser: log in, look, retry, import, mend a rejection, log out.

`tests/support/browser.py` finds or brings the browser.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from shared.people.users import add_user
from shared.records.actions import request
from shared.records.errands import ask_errand, finish_errand, take_errand
from tests.support.rows import changed_event, store_article, store_export, store_shipment
from tests.support.stored import order_event, store_record
from tests.web.conftest import PASSWORD, Site

# The first run downloads the browser.
pytestmark = [pytest.mark.servers, pytest.mark.web, pytest.mark.timeout(1200)]
PROBLEM = [{"code": "payment-unmapped", "field": "", "values": {"payment": "PAYPAL"}}]


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(locale="de-DE", viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(20_000)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    # What a page answers with 4xx is logged as an error too; everything else is ours.
    assert [text for text in wrong if "the server responded with a status of 4" not in text] == []


def _log_in(page: Page, site: Site, role: str = "operator") -> None:
    add_user(site.conn, "erika", PASSWORD, role)
    page.goto(f"{site.url}/orders?filter=state:failed")
    page.get_by_label("Benutzername").fill("erika")
    page.get_by_label("Passwort").fill(PASSWORD)
    page.get_by_role("button", name="Anmelden").click()


def test_a_person_sees_what_is_wrong_and_acts(page: Page, site: Site) -> None:
    failed = store_record(site.conn, "4711", state="failed", reason=PROBLEM, code="payment-unmapped")
    store_record(site.conn, "4712", state="done", remote="200417")
    raw = json.dumps(order_event("4713"))
    site.api("publisher").post("/api/v1/events", content=raw[:-1], headers={"Content-Type": "application/json"})

    _log_in(page, site)
    expect(page).to_have_url(f"{site.url}/orders?filter=state:failed")
    row = page.get_by_role("row").filter(has_text="4711")
    expect(row).to_contain_text("Fehlerhaft")
    expect(row).to_contain_text("PAYPAL")
    expect(page.get_by_role("row").filter(has_text="4712")).to_have_count(0)

    page.get_by_role("link", name="Erfolgreich 1").click()
    expect(page.get_by_role("row").filter(has_text="4712")).to_contain_text("In Xentral als 200417 angelegt")

    page.goto(f"{site.url}/orders")
    panel = page.locator("#panel[data-ready]")
    expect(panel).to_have_count(1)
    page.locator("tr").get_by_role("link", name="4711").click()
    expect(panel.get_by_role("heading", name="4711")).to_be_visible()
    expect(panel.get_by_text("So beheben Sie es")).to_be_visible()
    panel.get_by_role("button", name="Wiederholen").click()
    expect(panel).to_contain_text("1 Auftrag ist wieder an der Reihe.")
    assert site.conn.execute("SELECT state FROM records WHERE id = %s", (failed,)).fetchone() == ("pending",)

    page.goto(f"{site.url}/orders")
    page.get_by_role("link", name="Aufträge importieren").click()
    page.get_by_label("Schnittstelle").select_option("otto-de")
    page.get_by_label("Auftragsnummern").fill("4711\n4799")
    page.get_by_role("button", name="Importieren").click()
    expect(page.get_by_role("listitem").filter(has_text="4711")).to_contain_text("Schon vorhanden")
    expect(page.get_by_role("listitem").filter(has_text="4799")).to_contain_text("Angefragt")

    page.get_by_role("link", name="Ablehnungen").click()
    page.get_by_role("row").nth(1).get_by_role("link").click()
    page.get_by_label("Inhalt bearbeiten").fill(raw)
    expect(page.locator("#verdict")).to_contain_text("So würde es angenommen.")
    page.get_by_role("button", name="Bearbeitet einreichen").click()
    expect(page.get_by_role("heading", name="4713")).to_be_visible()

    page.locator("summary", has_text="Benutzermenü").click()
    page.get_by_role("button", name="Abmelden").click()
    expect(page.get_by_role("heading", name="Anmelden")).to_be_visible()
    page.goto(f"{site.url}/orders")
    expect(page.get_by_role("heading", name="Anmelden")).to_be_visible()


def test_a_person_follows_a_shipment_and_repairs_a_quantity(page: Page, site: Site) -> None:
    store_record(site.conn, "4711", state="done", remote="200417")
    store_export(
        site.conn, "4711", event=changed_event("4711"), state="done", parts={"status": "done", "tracking": "done"}
    )
    store_export(site.conn, "4712")
    differs = store_article(site.conn, "A-1", name="Hemd", quantity=5, sent=5, shown=2)
    store_article(site.conn, "A-2", name="Hose", quantity=5, sent=5, shown=5)

    _log_in(page, site)
    page.get_by_role("link", name="Auftragsstatus & Tracking").first.click()
    page.locator("summary", has_text="Tracking").click()
    page.get_by_role("link", name="Kein Tracking exportiert").click()
    expect(page.get_by_role("row").filter(has_text="4711")).to_have_count(0)
    expect(page.get_by_role("row").filter(has_text="4712")).to_contain_text("Es wurde noch kein Status-Update")
    page.get_by_role("combobox", name="Auftragsstatus & Tracking filtern").fill("T-4711")
    page.get_by_role("combobox", name="Auftragsstatus & Tracking filtern").press("Enter")
    panel = page.locator("#panel[data-ready]")
    expect(panel).to_have_count(1)
    page.get_by_role("row").get_by_role("link", name="4711").click()
    expect(panel.get_by_role("row").filter(has_text="T-4711")).to_contain_text("noch nicht gemeldet")
    panel.get_by_role("button", name="Jetzt exportieren").click()
    expect(page.get_by_role("heading", name="Export-Beleg")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="4711")).to_contain_text("Angefragt")

    page.locator("#tab-links").get_by_role("link", name="Artikel").click()
    page.get_by_text("Abgleich").click()
    page.locator("#errand-interface").select_option("otto-de")
    page.get_by_role("button", name="Mit dem Marktplatz vergleichen").click()
    expect(page.get_by_role("status")).to_contain_text("Läuft")
    taken = take_errand(site.conn, 60)
    assert taken is not None
    finish_errand(site.conn, taken, {"articles": 2})
    expect(page.get_by_text("1 Artikel weicht ab")).to_be_visible(timeout=20_000)  # the page moves by itself
    page.get_by_role("button", name="Ausgewählte berichtigen").click()
    expect(page.get_by_role("listitem").filter(has_text="A-1")).to_contain_text("Angefragt")
    wanted = site.conn.execute("SELECT number FROM receipt_numbers ORDER BY receipt, no").fetchall()
    assert sorted(number for (number,) in wanted) == ["4711", "A-1"]
    assert differs


def test_the_list_moves_by_itself_and_waits_while_somebody_points_at_it(page: Page, site: Site) -> None:
    record = store_record(site.conn, "4711", state="failed", reason=PROBLEM, code="payment-unmapped")
    _log_in(page, site)
    page.goto(f"{site.url}/orders")
    page.mouse.move(640, 20)
    site.conn.execute("UPDATE records SET state = 'done', remote = '200417', reason = NULL WHERE id = %s", (record,))
    expect(page.get_by_role("row").filter(has_text="4711")).to_contain_text("Erfolgreich", timeout=20_000)
    page.get_by_role("row").filter(has_text="4711").hover()
    expect(page.locator("[data-live-line]")).to_contain_text("pausiert", timeout=20_000)


@pytest.mark.parametrize("locale", ["de-DE", "en-GB"])
def test_no_room_in_the_head_lies_under_what_stands_beside_it(browser: Browser, site: Site, locale: str) -> None:
    add_user(site.conn, "erika", PASSWORD, "admin")  # who has every room
    store_record(site.conn, "4711", state="done", remote="200417")
    page = browser.new_context(locale=locale).new_page()
    page.goto(f"{site.url}/login?lang={locale[:2]}")
    page.locator("input[autocomplete=username]").fill("erika")
    page.locator("input[type=password]").fill(PASSWORD)
    page.locator("input[type=password]").press("Enter")
    expect(page.locator("header.top .me")).to_be_visible()
    for width in (1276, 1280, 1366, 1401, 1440, 1481, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(f"{site.url}/orders")
        page.evaluate(
            "const badge = document.querySelector('#open-incidents'); badge.className = 'open-incidents error';"
            "badge.querySelector('[data-count]').textContent = '1.234'"
        )
        ends, begins = page.evaluate(
            "[document.querySelector('header .rooms > :last-child').getBoundingClientRect().right,"
            " document.querySelector('header .me').getBoundingClientRect().left]"
        )
        assert ends <= begins, f"at {width} px the last room goes {ends - begins} px under the badge"
    page.context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_sticks_out_sideways_and_controls_have_names(page: Page, site: Site, width: int) -> None:
    long = "x" * 90
    record = store_record(site.conn, long, state="failed", reason=PROBLEM, code="payment-unmapped", marketplace_id=long)
    site.api("publisher").post(
        "/api/v1/events", content=b"{" + b"y" * 400, headers={"Content-Type": "application/json"}
    )
    _log_in(page, site, "admin")  # who has every room in the head
    page.set_viewport_size({"width": width, "height": 900})
    export = store_export(
        site.conn, long, event=changed_event(long), state="failed", reason=PROBLEM, marketplace_id=long,
        parts={"status": "done", "tracking": "failed"},
    )  # fmt: skip
    store_shipment(site.conn, export, "1", long)
    article = store_article(site.conn, long, kind="variant", name=long, parent_sku=long, quantity=5, sent=5, shown=2)
    receipt = request(site.conn, "export", "otto-de", [long, long * 2], "erika")
    errand = ask_errand(site.conn, "drift", "otto-de", "erika")
    taken = take_errand(site.conn, 60)
    assert taken is not None
    finish_errand(site.conn, taken)
    records = (f"/orders/{record}", f"/exports/{export}", f"/articles/{article}")
    forms = ("/orders/import", "/orders/retry", "/exports/export", "/articles/sync?filter=drift:yes", "/articles/retry")
    answers = (f"/receipts/{receipt}", f"/errands/{errand}", "/rejections/1")
    lists = ("/", "/orders", "/interfaces/otto-de/orders", "/exports", "/articles", "/rejections", "/users")
    for path in (*lists, *records, *forms, *answers):
        page.goto(site.url + path)
        for wide in (width, *({1280: (1440, 1024)}.get(width, ()))):
            page.set_viewport_size({"width": wide, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= wide, (path, wide)
        nameless = page.evaluate(
            "[...document.querySelectorAll('button, a, input:not([type=hidden]), select, textarea')].filter(e =>"
            " !e.textContent.trim() && !e.ariaLabel && !e.title && !(e.labels && e.labels.length)).length"
        )
        assert nameless == 0, path
        assert page.evaluate("document.querySelectorAll('h1').length") == 1, path


def test_without_scripts_everything_is_still_there(browser: Browser, site: Site) -> None:
    store_record(site.conn, "4711", state="failed", reason=PROBLEM, code="payment-unmapped")
    context = browser.new_context(locale="en-GB", java_script_enabled=False)
    page = context.new_page()
    add_user(site.conn, "erika", PASSWORD, "operator")
    page.goto(f"{site.url}/login")
    page.get_by_label("User name").fill("erika")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name="Journal").click()
    page.get_by_role("button", name="Retry order 4711").click()
    expect(page.get_by_role("status").filter(has_text="1 order is in line again.")).to_be_visible()
    context.close()


def test_an_interface_goes_live_and_pauses_without_scripts(browser: Browser, site: Site) -> None:
    site.conn.execute("UPDATE interfaces SET mode = 'test' WHERE slug = 'otto-de'")
    store_record(site.conn, "4711", test=True)
    context = browser.new_context(locale="de-DE", java_script_enabled=False, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(20_000)
    _log_in(page, site, "admin")
    page.goto(f"{site.url}/orders")
    expect(page.get_by_role("note")).to_contain_text("otto-de ist hier im Test")
    page.get_by_role("link", name="Zur Schnittstelle").click()
    page.get_by_label("Trotzdem live schalten, weil").fill("von Hand geprüft")
    page.get_by_role("button", name="Live schalten").click()
    expect(page.get_by_text("Alles, was eintrifft, läuft von selbst weiter")).to_be_visible()
    page.get_by_role("button", name="Anhalten: Bestand").click()
    expect(page.get_by_role("button", name="Fortsetzen: Bestand")).to_be_visible()
    page.goto(f"{site.url}/articles")
    expect(page.get_by_role("note")).to_contain_text("otto-de ist hier angehalten")
    page.goto(f"{site.url}/orders")
    expect(page.get_by_role("note")).to_have_count(0)
    context.close()


def test_a_person_maps_what_is_missing_and_its_orders_go_on(page: Page, site: Site) -> None:
    site.conn.execute(
        "INSERT INTO audit(actor, verb, target) VALUES ('Jana', 'interfaces.unmap',"
        ' \'{"interface": "otto-de", "kind": "payment", "source": "PAYPAL", "before": "3"}\')'
    )
    for number in ("4711", "4712"):
        record = store_record(site.conn, number, state="failed", reason=PROBLEM, code="payment-unmapped", blocked=True)
        site.conn.execute("INSERT INTO blocks VALUES ('otto-de', 'payment:PAYPAL', %s)", (record,))
    _log_in(page, site)
    page.goto(f"{site.url}/interfaces/otto-de/mappings?kind=payment&source=PAYPAL")
    expect(page.get_by_text("2 Datensätze warten darauf")).to_be_visible()
    target = page.get_by_label("PAYPAL in Xentral")
    expect(target).to_be_focused()
    expect(target).to_have_value("3")
    target.fill("7")
    target.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("2 Datensätze, die darauf warteten, laufen weiter.")
    assert site.conn.execute("SELECT DISTINCT state FROM records").fetchall() == [("pending",)]
    page.get_by_role("link", name="Zuordnung „PAYPAL“ entfernen").click()
    expect(page.get_by_text("bleibt, wie es ist")).to_be_visible()
    page.get_by_role("button", name="Entfernen").click()
    expect(page.get_by_role("status")).to_contain_text("„PAYPAL“ ist nicht mehr zugeordnet.")
    page.get_by_role("link", name="Protokoll").click()
    expect(page.get_by_role("row").nth(1)).to_contain_text("Zuordnung entfernt")
    page.get_by_role("row").nth(1).get_by_role("link", name="otto-de").click()
    expect(page.get_by_role("heading", name="otto-de")).to_be_visible()


def test_a_filter_is_written_with_suggestions_and_a_pasted_column_and_new_rows_wait(page: Page, site: Site) -> None:
    for number in ("4711", "4712", "4713"):
        store_record(site.conn, number, state="failed", reason=PROBLEM, code="payment-unmapped")
    _log_in(page, site)
    page.goto(f"{site.url}/orders")
    box = page.get_by_role("combobox", name="Aufträge filtern")
    box.fill("error:pay")
    expect(page.get_by_role("option").first).to_contain_text("error:payment-unmapped")
    box.press("ArrowDown")
    expect(page.get_by_role("option").first).to_have_attribute("aria-selected", "true")
    box.press("Enter")
    expect(box).to_have_value("error:payment-unmapped ")
    box.evaluate(
        "input => { const data = new DataTransfer(); data.setData('text/plain', '4711\\n4712\\n');"
        " input.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true })); }"
    )
    expect(box).to_have_value("error:payment-unmapped 4711|4712")
    box.press("Enter")
    expect(page.get_by_role("row")).to_have_count(3, timeout=20_000)
    page.get_by_role("link", name="Filter entfernen: error:payment-unmapped").click()
    expect(page).to_have_url(f"{site.url}/orders?filter=4711%7C4712")

    page.goto(f"{site.url}/orders")
    first = page.get_by_role("row").nth(1)
    page.mouse.move(640, 20)
    store_record(site.conn, "4799", state="failed")
    site.conn.execute("UPDATE records SET updated_at = now() + interval '1 minute' WHERE key = '4799'")
    expect(page.get_by_role("button", name="1 neue anzeigen")).to_be_visible(timeout=30_000)
    expect(page.get_by_role("row").filter(has_text="4799")).to_have_count(0)
    first.get_by_role("checkbox").check()
    expect(page.locator("[data-live-line]")).to_contain_text("solange Sie auswählen")
    first.get_by_role("checkbox").uncheck()
    page.get_by_role("button", name="1 neue anzeigen").click()
    expect(page.get_by_role("row").nth(1)).to_contain_text("4799")
    page.get_by_label("Pro Seite").select_option("15")
    expect(page).to_have_url(f"{site.url}/orders?size=15")
