"""What shop staff do all day, in German and in English, in a real browser, against one whole Connect: broker, database,
the services that work, the shop's and the ERP's stand-ins. Nothing is done here that the workers do.

The system is started once; each story brings its own numbers, so one may be run alone.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import httpx2
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from services.cli.local.ports import any_free
from services.cli.local.rabbitmq_control import Control
from shared.db.connect import connect
from shared.people.users import add_user
from shared.records import return_numbers
from shared.records.listings import save_filter
from tests.support import servers
from tests.support.fixtures import fresh_vhost
from tests.support.sandbox import sandbox
from tests.support.system import INTERFACE, System, order_event, running
from tests.support.waiting import until
from tests.web.conftest import PASSWORD

pytestmark = [pytest.mark.servers, pytest.mark.web, pytest.mark.timeout(1200)]
PATIENCE = 60_000
"""Milliseconds: workers, the ten seconds to undo, and a slow machine."""
MANY = 250

GERMAN = {
    "user": "Benutzername", "password": "Passwort", "log_in": "Anmelden", "orders": "Aufträge filtern",
    "exports": "Auftragsstatus & Tracking filtern", "articles": "Artikel filtern",
    "failed": "Fehlerhaft", "done": "Erfolgreich",
    "lacks": "fehlt", "fix": "So beheben Sie es", "retry": "Wiederholen", "import": "Aufträge importieren",
    "numbers": "Auftragsnummern", "import_go": "Importieren", "imported": "Erfolgreich", "there": "Schon vorhanden",
    "not_found": "Beim Marktplatz nicht gefunden", "valid": "3 gültig", "page_picked": "50 ausgewählt",
    "pick_all": f"Alle {MANY} auswählen", "picked": f"{MANY - 2} ausgewählt",
    "go": f"{MANY - 2} wiederholen", "begins": rf"{MANY - 2} beginnen in \d+ s", "progress": "Fortschritt zeigen",
    "over": f"{MANY - 2} von {MANY - 2} fertig", "map_first": "Sobald eine Zuordnung gespeichert ist",
    "map_target": "{source} in Xentral", "go_on": "3 Datensätze, die darauf warteten, laufen weiter.",
    "watch": "Zusehen",
    "sync": "Bestand synchronisieren", "skus": "Artikelnummern", "sync_go": "Bestand-Synchronisierung starten",
    "shows": "zeigt 7", "export": "Auftragsstatus & Tracking exportieren", "export_go": "Exportieren",
    "tracking": "Tracking", "exported": "Tracking exportiert", "open": "Kein Tracking exportiert",
    "compare": "Abgleich", "refresh": "Artikelliste auffrischen", "refreshed": "Fertig",
    "none_yet": "Es wurde noch kein Status-Update vorgenommen", "created": "In Xentral als",
}  # fmt: skip
ENGLISH = {
    "user": "User name", "password": "Password", "log_in": "Log in", "orders": "Filter orders",
    "exports": "Filter order status & tracking", "articles": "Filter articles",
    "failed": "Failed", "done": "Done",
    "lacks": "does not", "fix": "How to fix it", "retry": "Retry", "import": "Import orders",
    "numbers": "Order numbers", "import_go": "Import", "imported": "Done", "there": "There already",
    "not_found": "Not found at the marketplace", "valid": "3 valid", "page_picked": "50 selected",
    "pick_all": f"Select all {MANY}", "picked": f"{MANY - 2} selected",
    "go": f"Retry {MANY - 2}", "begins": rf"{MANY - 2} begin in \d+ s", "progress": "Show progress",
    "over": f"{MANY - 2} of {MANY - 2} finished", "map_first": "Once a mapping is saved",
    "map_target": "{source} in Xentral", "go_on": "3 records that waited for it go on.", "watch": "Watch",
    "sync": "Sync stock", "skus": "SKUs", "sync_go": "Start stock sync",
    "shows": "shows 7", "export": "Export order status & tracking", "export_go": "Export",
    "tracking": "Tracking", "exported": "Tracking exported", "open": "No tracking exported",
    "compare": "Compare", "refresh": "Refresh the listing", "refreshed": "Finished",
    "none_yet": "No status update has been made yet", "created": "Created in Xentral as",
}  # fmt: skip


@pytest.fixture(scope="module")
def system(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: str, rabbitmq_server: Control | None
) -> Iterator[System]:
    """A whole Connect; `environment["journal"]` is where its pages are."""
    folder = tmp_path_factory.mktemp("stories")
    with ExitStack() as stack:
        url = stack.enter_context(servers.database(postgres_server, f"t{uuid.uuid4().hex}"))
        stand = stack.enter_context(sandbox(folder / "sandbox"))
        found = System(folder, url, stack.enter_context(fresh_vhost(rabbitmq_server)), stand)
        found.prepare()
        stand.settings("xentral", search_lag=0.0)
        with connect(url, "tests") as conn:
            save_filter(conn, INTERFACE, {"name": "Linen"})
            return_numbers.add(conn, INTERFACE, "DHL", [f"R-{n}" for n in range(9)], "tests")
            for name in ("german", "english"):
                add_user(conn, name, PASSWORD, "operator", time_zone="Europe/Berlin")
        stack.enter_context(running(found))
        for service in ("importer", "exporter", "stock"):
            found.start(service, service)
        yield found


@pytest.fixture(scope="module")
def journal(system: System) -> str:
    """The address of its pages."""
    port = any_free()
    system.start("journal", "journal", port=str(port))
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return httpx2.get(f"{address}/login", timeout=5).status_code == 200
        except httpx2.HTTPError:
            return False

    until(answers, f"the Journal answers: {system.log_text('journal')[-500:]}", 60)
    return address


@dataclass
class Person:
    """Somebody in front of a browser, and the words in front of them."""

    page: Page
    url: str
    says: dict[str, str]
    mark: str

    def open(self, path: str) -> None:
        self.page.goto(self.url + path)

    def find(self, resource: str, filter: str) -> Locator:
        """Write this into the box of a list; returns the rows."""
        self.open(f"/{resource}")
        box = self.page.get_by_role("combobox", name=self.says[resource])
        box.fill(filter)
        box.press("Enter")
        return self.page.locator("tr[data-id]")

    def panel(self, number: str) -> Locator:
        """A click on a number in the list, and what opens beside it."""
        expect(self.page.locator("#panel[data-ready]")).to_have_count(1)
        self.page.locator("tr[data-id]").get_by_role("link", name=number).click()
        panel = self.page.locator("#panel")
        expect(panel.get_by_role("heading", level=1)).to_contain_text(number)
        return panel

    def ask(self, resource: str, link: str, field: str, numbers: str, go: str) -> Locator:
        """The dialog that asks for something by number; returns the receipt."""
        self.open(f"/{resource}")
        self.page.get_by_role("link", name=link).first.click()
        dialog = self.page.locator("dialog[open]")
        dialog.get_by_label(field).fill(numbers)
        dialog.get_by_role("button", name=go, exact=True).click()
        return self.page.locator(".receipt-list li")


@pytest.fixture(scope="module", params=["german", "english"])
def person(request: pytest.FixtureRequest, browser: Browser, journal: str) -> Iterator[Person]:
    """Logged in, in one language and then in the other."""
    german = request.param == "german"
    context = browser.new_context(locale="de-DE" if german else "en-GB", viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    found = Person(page, journal, GERMAN if german else ENGLISH, "DE" if german else "EN")
    found.open("/login")
    page.get_by_label(found.says["user"]).fill(request.param)
    page.get_by_label(found.says["password"]).fill(PASSWORD)
    page.get_by_role("button", name=found.says["log_in"]).click()
    page.wait_for_url(f"{journal}/")
    yield found
    context.close()
    assert wrong == []


@pytest.fixture(autouse=True)
def _patience() -> Iterator[None]:
    expect.set_options(timeout=PATIENCE)
    yield
    expect.set_options(timeout=5_000)


def _line(sku: str) -> dict[str, object]:
    return {"id": "1", "sku": sku, "title": "Shirt", "quantity": 2, "unit_price": "19.99", "tax_rate": "19.0"}


def _state(system: System, number: str, flow: str = "order-import") -> str | None:
    found = system.query("SELECT state FROM records WHERE flow = %s AND key = %s", flow, number)
    return str(found[0][0]) if found else None


def _imported(system: System, *numbers: str) -> None:
    """Bought in the shop and brought to the ERP."""
    system.stand.place("otto", len(numbers), skus=["ABC-1"], numbers=list(numbers))
    system.request("import", numbers)
    until(lambda: all(_state(system, number) == "done" for number in numbers), f"{numbers} are in the ERP", 60)


def test_a_failed_order_is_found_by_its_number_understood_mended_and_turns_green(
    system: System, person: Person
) -> None:
    number, sku = f"{person.mark}-4711", f"NEW-{person.mark}"
    system.publish([order_event(number, lines=[_line(sku)])])
    until(lambda: _state(system, number) == "failed", "it has failed", 60)
    (row,) = person.find("orders", number).all()
    expect(row).to_contain_text(person.says["failed"])
    expect(row).to_contain_text(sku)  # the reason is in the list
    panel = person.panel(number)
    card = panel.locator(".card.error")
    expect(card).to_contain_text(sku)
    expect(card).to_contain_text(person.says["fix"])
    system.stand.products("xentral", sku)
    panel.get_by_role("button", name=person.says["retry"]).click()
    expect(panel.locator(".record-title .chip")).to_have_text(person.says["done"])
    expect(card).to_have_count(0)
    person.page.mouse.move(700, 5)
    expect(row).to_contain_text(person.says["created"])  # and so does the row, by itself


def test_three_numbers_are_imported_and_each_has_its_receipt(system: System, person: Person) -> None:
    there, new, nowhere = (f"{person.mark}-imp-{n}" for n in range(3))
    _imported(system, there)
    system.stand.place("otto", 1, skus=["ABC-1"], numbers=[new])
    lines = person.ask("orders", person.says["import"], person.says["numbers"], f"{there}, {new}\n{nowhere}",
                       person.says["import_go"])  # fmt: skip
    expect(lines).to_have_count(3)
    expect(lines.filter(has_text=there)).to_contain_text(person.says["there"])
    expect(lines.filter(has_text=new)).to_contain_text(person.says["imported"])
    expect(lines.filter(has_text=nowhere)).to_contain_text(person.says["not_found"])
    expect(person.page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "3")
    assert system.ledger()[new] == 1


def test_all_that_match_but_two_are_retried_up_the_ramp(system: System, person: Person) -> None:
    numbers = [f"{person.mark}-many-{n:03}" for n in range(MANY)]
    system.stand.fault("xentral", "400", "create-order", MANY)
    system.publish([order_event(number) for number in numbers])

    def failed() -> bool:
        found = system.query(
            "SELECT count(*) FROM records WHERE state = 'failed' AND key LIKE %s", f"{person.mark}-many-%"
        )
        return found == [(MANY,)]

    until(failed, f"all have failed: {system.states()}", 120)
    system.stand.clear("xentral")
    page, says = person.page, person.says
    rows = person.find("orders", f"state:failed {person.mark}-many")
    expect(rows).to_have_count(50)
    page.check("#pick-page")
    picked = page.locator("#picked")
    expect(picked).to_contain_text(says["page_picked"])
    picked.get_by_role("button", name=re.compile(says["pick_all"])).click()
    kept = [rows.nth(at).get_by_role("link").first.inner_text() for at in (3, 7)]
    for at in (3, 7):
        rows.nth(at).get_by_role("checkbox").uncheck()
    expect(page.locator("#bulk")).to_contain_text(says["picked"])
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("r")
    dialog = page.locator("dialog[open]")
    expect(dialog.locator(".ramp b")).to_have_text(["1", "5", "25", "217"])
    dialog.get_by_role("button", name=says["go"]).click()
    expect(page.locator("#toast")).to_contain_text(re.compile(says["begins"]))
    page.get_by_role("link", name=says["progress"]).click()
    expect(page.locator("#run")).to_contain_text(says["over"], timeout=120_000)
    rows = person.find("orders", f"state:failed {person.mark}-many")
    expect(rows).to_have_count(2)
    assert sorted(row.get_by_role("link").first.inner_text() for row in rows.all()) == sorted(kept)
    done = [number for number in numbers if number not in kept]
    assert [system.ledger()[number] for number in done] == [1] * (MANY - 2)


def test_a_payment_is_mapped_from_the_error_card_and_its_orders_go_on(system: System, person: Person) -> None:
    source, numbers = f"PAYPAL-{person.mark}", [f"{person.mark}-pay-{n}" for n in range(3)]
    system.publish([order_event(number, payment={"method": source}) for number in numbers])
    until(lambda: all(_state(system, number) == "failed" for number in numbers), "they have failed", 60)
    page, says = person.page, person.says
    rows = person.find("orders", f"{person.mark}-pay")
    expect(rows.filter(has_text=source)).to_have_count(3)
    card = person.panel(numbers[0]).locator(".card.error")
    expect(card).to_contain_text(source)
    card.locator("a.button.primary").click()
    expect(page.get_by_text(says["map_first"])).to_be_visible()
    target = page.get_by_label(says["map_target"].format(source=source))
    expect(target).to_be_focused()
    target.fill("5")
    target.press("Enter")
    status = page.get_by_role("status")
    expect(status).to_contain_text(says["go_on"])
    rows = person.find("orders", f"{person.mark}-pay")
    page.mouse.move(700, 5)
    expect(rows.filter(has_text=says["created"])).to_have_count(3)  # live: nobody loads it again


def test_an_article_is_synced_with_its_variants(system: System, person: Person) -> None:
    parent = f"{person.mark}-shirt"
    variants = [f"{parent}-{n}" for n in range(2)]
    system.stand.post("xentral", "products", [{"sku": parent, "matrix": True, "name": "Linen"}])
    system.stand.post("xentral", "products", [{"sku": sku, "parent": parent, "name": "Linen"} for sku in variants])
    system.stand.post("xentral", "stock", [{"sku": sku, "warehouses": {"1": 7, "2": 0}} for sku in variants])
    system.stand.products("otto", *variants)
    page, says = person.page, person.says
    person.open("/articles")
    page.locator("summary", has_text=says["compare"]).click()
    page.get_by_role("button", name=says["refresh"]).click()
    expect(page.get_by_role("status")).to_contain_text(says["refreshed"])
    lines = person.ask("articles", says["sync"], says["skus"], parent, says["sync_go"])
    expect(lines.filter(has_text=parent)).to_contain_text(says["done"])
    rows = person.find("articles", parent)
    for sku in variants:
        expect(rows.filter(has_text=sku)).to_contain_text(person.says["shows"])
    quantities = system.stand.state("otto")["quantities"]
    assert [quantities[sku] for sku in variants] == [7, 7]


def test_a_status_is_exported_and_found_by_its_tracking(system: System, person: Person) -> None:
    page, says = person.page, person.says
    sent, kept = f"{person.mark}-exp-1", f"{person.mark}-exp-2"
    _imported(system, sent, kept)
    parcel = {"carrier": "DHL", "tracking_number": f"T-{sent}"}
    system.stand.post("xentral", f"orders/{sent}/ship", {"parcels": [parcel]})
    lines = person.ask("exports", says["export"], says["numbers"], f"{sent} {kept}", says["export_go"])
    expect(lines).to_have_count(2)
    expect(lines.filter(has_text=sent)).to_contain_text(says["done"])
    rows = person.find("exports", f"{person.mark}-exp")
    expect(rows).to_have_count(2)
    page.locator("summary", has_text=says["tracking"]).click()
    page.get_by_role("link", name=says["exported"], exact=True).click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(sent)
    expect(rows).to_contain_text(f"T-{sent}")
    page.locator("summary", has_text=says["tracking"]).click()
    page.get_by_role("link", name=says["open"], exact=True).click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(kept)
