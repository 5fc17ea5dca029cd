"""The story of the alarms, from the page: make two, confirm them, an order fails, mails come, their links open exactly
these rows, somebody mends it, the all-clear comes, the ledger tells it all. Real services, Prometheus, mail server and
browser; one person reads German and wants it at once, the other English and by the hour.

Nobody waits here for an hour to pass or for the two minutes after which a cause counts as over: the moment that the
service has written down for it is set to now, and the service does the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from services.cli.local.ports import any_free
from shared.broker.apply import apply
from shared.db.connect import connect
from shared.people.users import add_user
from tests.monitoring.stand import KEPT, Monitored, started
from tests.support.mail_server import MailServer, html, mail_server, plain
from tests.support.sandbox import sandbox
from tests.support.system import System, order_event, running
from tests.support.waiting import until
from tests.web.conftest import PASSWORD

pytestmark = [pytest.mark.servers, pytest.mark.web, pytest.mark.timeout(1200)]
PATIENCE = 90_000
GERMAN, ENGLISH = "bereitschaft@example.org", "oncall@example.org"
HOUR_IS_OVER = """
UPDATE subscriptions SET next_at = now(), plan = jsonb_set(plan, '{incidents,0,due}', to_jsonb(now()))
WHERE frequency = 'hourly' AND plan #>> '{incidents,0,due}' IS NOT NULL
"""
HOLD_IS_OVER = "UPDATE alarm_watch SET standing = replace(standing::text, 'PT2M', 'PT0S')::jsonb"


@dataclass
class Story:
    """What runs: the services, the mail server, and where the Journal is."""

    system: System
    mails: MailServer
    url: str

    def mail(self, address: str, number: int) -> EmailMessage:
        """The number-th mail to an address (from 0), as soon as it is there."""

        def there() -> EmailMessage | None:
            found = self.mails.to(address)
            return found[number] if len(found) > number else None

        return until(there, f"mail {number} to {address} arrives: {self.system.log_text('alerts')[-600:]}", 90)

    def execute(self, statement: str) -> None:
        """Change the database."""
        with connect(self.system.database_url, "tests") as conn:
            conn.execute(statement.encode())


@pytest.fixture
def story(tmp_path: Path, database_url: str) -> Iterator[Story]:
    broker = "pgmq" + database_url.removeprefix("postgresql")
    assert apply(broker) == []
    port = any_free()
    url = f"http://127.0.0.1:{port}"
    with ExitStack() as stack:
        stand = stack.enter_context(sandbox(tmp_path))
        stand.settings("xentral", search_lag=0.0)
        system = System(tmp_path, database_url, broker, stand)
        mails = stack.enter_context(mail_server())
        stack.enter_context(running(system))
        system.prepare()
        with connect(database_url, "tests") as conn:
            add_user(conn, "erika", PASSWORD, "operator", language="de")
            add_user(conn, "emma", PASSWORD, "operator", language="en")
        system.environment |= {"CONNECT_BASE_URL": url, "CONNECT_DATA_DIR": str(tmp_path)}
        system.start("importer", "importer")
        system.start("journal", "journal", port=str(port))
        # Where the services' metrics are, as `connect up` tells it.
        until(lambda: {"importer", "journal"} <= _ports(system).keys(), "both say where their metrics are", 120)
        addresses = {name: f"http://127.0.0.1:{port}/metrics" for name, port in _ports(system).items()}
        (tmp_path / "up.json").write_text(json.dumps({"metrics": addresses}))
        watched = Monitored(tmp_path, {"metrics": addresses}, {})
        stack.enter_context(started(watched.command(), tmp_path / "prometheus.log", KEPT))
        prometheus = f"http://127.0.0.1:{watched.port}"
        system.start("alerts", "alerts", smtp_url=mails.url, prometheus_url=prometheus)
        yield Story(system, mails, url)


def _ports(system: System) -> dict[str, int]:
    """Service → the port of its metrics, of those that have said it."""
    started = {
        name: [line["port"] for line in system.log(name) if line.get("event") == "service.started"]
        for name in system.processes
    }
    return {name: ports[0] for name, ports in started.items() if ports}


def test_from_the_alarm_on_the_page_to_the_all_clear_in_the_ledger(browser: Browser, story: Story) -> None:
    with ExitStack() as stack:
        erika, emma = (_person(stack, browser, locale) for locale in ("de-DE", "en-GB"))
        _log_in(erika, story, "erika", ("Benutzername", "Passwort", "Anmelden"))
        _log_in(emma, story, "emma", ("User name", "Password", "Log in"))

        # Two alarms, each with the look back before it is saved; an address that nobody confirmed gets nothing else.
        erika.get_by_role("link", name="Alarm erstellen").click()
        _describe(erika, "Aufträge OTTO", GERMAN, ("Name", "otto-de", "Sofort", "Empfänger"))
        erika.get_by_role("button", name="Rückschau zeigen").click()
        expect(erika.get_by_role("heading", name="Rückschau auf 14 Tage")).to_be_visible()
        erika.get_by_role("button", name="Alarm speichern").click()
        expect(erika.get_by_text("wartet auf Bestätigung")).to_be_visible()
        emma.get_by_role("link", name="Create an alarm").click()
        _describe(emma, "OTTO orders by the hour", ENGLISH, ("Name", "otto-de", "Hourly", "Recipients"))
        emma.get_by_role("button", name="Look back").click()
        expect(emma.get_by_role("heading", name="The last 14 days")).to_be_visible()
        emma.get_by_role("button", name="Save alarm").click()
        expect(emma.get_by_text("waits for confirmation")).to_be_visible()
        hourly = emma.url

        for page, address, yes, done in (
            (erika, GERMAN, "Ja, an mich schicken", "Bestätigt"),
            (emma, ENGLISH, "Yes, send it to me", "Confirmed"),
        ):
            page.goto(_link(story.mail(address, 0), "/alarms/confirm/"))
            assert not _confirmed(story, address), "opening a link changes nothing"
            page.get_by_role("button", name=yes).click()
            expect(page.get_by_role("heading", name=done)).to_be_visible()
            assert _confirmed(story, address)

        # Two orders fail of one cause, one goes through. The badge of an open page comes by itself, in its place.
        emma.goto(hourly)
        badge, menu = emma.locator("#open-incidents"), emma.locator("nav.rooms").first
        expect(badge).to_be_hidden()
        place = menu.bounding_box()
        story.system.publish([order_event("good-1"), *(_unmapped(number) for number in ("bad-1", "bad-2"))])
        first = story.mail(GERMAN, 1)
        assert str(first["Subject"]).startswith("[FEHLER] otto-de: Aufträge, payment-unmapped")
        assert "PAYPAL" in plain(first)
        assert "PAYPAL" in html(first)
        erika.goto(_link(first, "/interfaces/"))
        expect(erika.get_by_role("row").filter(has_text="bad-")).to_have_count(2)
        expect(erika.get_by_role("row").filter(has_text="good-1")).to_have_count(0)
        expect(badge).to_contain_text("1")
        expect(badge).to_be_visible()
        assert menu.bounding_box() == place, "nothing moved"
        assert len(story.mails.to(ENGLISH)) == 1, "collected until the hour is over"

        def digest() -> EmailMessage | None:
            story.execute(HOUR_IS_OVER)
            found = story.mails.to(ENGLISH)
            return found[1] if len(found) > 1 else None

        second = until(digest, "the hourly mail arrives", 90)
        assert str(second["Subject"]).startswith("[ERROR] otto-de: Orders, payment-unmapped (2)")
        emma.goto(_link(second, "/interfaces/"))
        expect(emma.get_by_role("row").filter(has_text="bad-")).to_have_count(2)

        # The status page has it; the answer of a mail's link is a page that asks.
        emma.goto(story.url)
        card = emma.locator("#card-otto-de")
        expect(card).to_contain_text("PAYPAL")
        expect(card).to_contain_text(re.compile(r"mail .* to 2"))
        expect(emma.locator("#open-incidents")).to_contain_text("1 open incident")
        emma.goto(_link(second, "/alarms/answer/"))
        expect(emma.get_by_role("button", name="Yes, I know")).to_be_visible()

        # Somebody maps the payment; both orders go on; the all-clear comes at once and in the same thread.
        erika.goto(f"{story.url}/interfaces/otto-de/mappings?kind=payment&source=PAYPAL")
        target = erika.get_by_label("PAYPAL in Xentral")
        target.fill("2")
        target.press("Enter")
        expect(erika.get_by_role("status")).to_contain_text("laufen weiter")
        done = "SELECT count(*) FROM records WHERE flow = 'order-import' AND stage = 'erp' AND state = 'done'"
        until(lambda: story.system.query(done) == [(3,)], f"all are in the ERP: {story.system.states()}", 90)

        def over() -> bool:
            story.execute(HOLD_IS_OVER)
            return len(story.mails.to(GERMAN)) > 2 and len(story.mails.to(ENGLISH)) > 2

        until(over, "the all-clear arrives", 90)
        for address, begins in ((GERMAN, "[BEHOBEN] otto-de: Aufträge"), (ENGLISH, "[RESOLVED] otto-de: Orders")):
            _, told, clear = story.mails.to(address)
            assert str(clear["Subject"]).startswith(begins)
            assert clear["In-Reply-To"] == told["Message-ID"]
        assert "Behoben nach" in plain(story.mails.to(GERMAN)[2])

        # The ledger tells the story, and the page is quiet again.
        erika.goto(f"{story.url}/alarms")
        erika.get_by_role("link", name="Aufträge OTTO").click()
        expect(erika.get_by_role("listitem").filter(has_text="Gesendet: neuer Vorfall")).to_contain_text(GERMAN)
        expect(erika.get_by_role("listitem").filter(has_text="Gesendet: Entwarnung")).to_contain_text("angenommen")
        emma.goto(hourly)
        for said in ("No mail: collected", "Sent: digest", "Sent: all-clear"):
            expect(emma.get_by_role("listitem").filter(has_text=said)).to_have_count(1)
        erika.goto(story.url)
        expect(erika.get_by_text("Kein offener Vorfall.")).to_be_visible()
        expect(erika.locator(".past").get_by_role("listitem").filter(has_text="PAYPAL")).to_contain_text("Behoben")
        assert [len(story.mails.to(address)) for address in (GERMAN, ENGLISH)] == [3, 3], "each mail once"


def _person(stack: ExitStack, browser: Browser, locale: str) -> Page:
    context = browser.new_context(locale=locale, viewport={"width": 1280, "height": 900})
    stack.callback(context.close)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    return page


def _log_in(page: Page, story: Story, name: str, words: tuple[str, str, str]) -> None:
    page.goto(f"{story.url}/login")
    page.get_by_label(words[0]).fill(name)
    page.get_by_label(words[1]).fill(PASSWORD)
    page.get_by_role("button", name=words[2]).click()
    page.goto(story.url)


def _describe(page: Page, name: str, address: str, words: tuple[str, str, str, str]) -> None:
    """Fill in the form; on error is what it has chosen already."""
    page.get_by_label(words[0], exact=True).fill(name)
    page.get_by_role("checkbox", name=words[1]).check()
    page.get_by_role("radio", name=words[2]).check()
    page.get_by_label(words[3], exact=True).fill(address)


def _unmapped(number: str) -> dict[str, object]:
    return order_event(number, payment={"method": "PAYPAL"})


def _link(mail: EmailMessage, path: str) -> str:
    """The first link of the plain twin that leads there; the HTML twin has the same one."""
    [link, *_] = re.findall(rf"https?://\S+?{path}\S+", plain(mail))
    assert str(link).replace("&", "&amp;") in html(mail)
    return str(link)


def _confirmed(story: Story, address: str) -> bool:
    with connect(story.system.database_url, "tests") as conn:
        row = conn.execute("SELECT verified_at FROM recipients WHERE address = %s", (address,)).fetchone()
    return row is not None and row[0] is not None
