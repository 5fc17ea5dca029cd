"""The system status: a light per interface, what is open, what is late; it says so on every page, whoever is away."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from shared.alarms.links import answer
from shared.alarms.round import play
from shared.broker.apply import apply
from shared.broker.watched import WatchedBroker
from shared.db.migrate import migrate
from tests.support.stored import NOW, store_record
from tests.support.waiting import until
from tests.web.conftest import Site, site_over

pytestmark = [pytest.mark.servers, pytest.mark.web]
UNMAPPED = [{"code": "payment-unmapped", "field": "", "values": {"payment": "PAYPAL"}}]
Over = Callable[[WatchedBroker], Site]


@pytest.fixture
def over(database_url: str) -> Iterator[Over]:
    """A Journal with this broker. It may be told as many as a test needs, one after the other."""
    migrate(database_url)
    with ExitStack() as stack:
        yield lambda broker: stack.enter_context(site_over(database_url, broker=broker))


def _part(page: str, name: str) -> str:
    """One card of the page."""
    return page.partition(f'id="card-{name}"')[2].partition("</section>")[0]


def _plain(text: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def test_each_interface_has_its_light_and_the_badge_is_on_every_page(over: Over, database_url: str) -> None:
    pgmq = database_url.replace("postgresql://", "pgmq://", 1)
    apply(pgmq)
    site = over(WatchedBroker(pgmq, patience=20))
    browser = site.browser("viewer", language="de")
    page = browser.get("/").text
    assert "Kein offener Vorfall." in page
    assert 'class="open-incidents none"' in page, "its place is kept"
    store_record(site.conn, "1", state="done", updated_at=NOW)
    store_record(site.conn, "2", state="pending")
    store_record(site.conn, "3", state="failed", code="payment-unmapped", reason=UNMAPPED)
    store_record(site.conn, "4", state="failed", code="payment-unmapped", reason=UNMAPPED, test=True)
    site.conn.execute("UPDATE records SET received_at = now() - interval '3 hours 5 minutes'")
    site.conn.execute("INSERT INTO arrivals(event, interface, inputs) VALUES ('order-imported', 'otto-de', 42)")
    site.conn.execute("UPDATE interfaces SET mode = 'paused' WHERE slug = 'otto-at'")
    site.conn.execute(
        "INSERT INTO cursors(interface, polled_at, ok_at) VALUES ('otto-de', now() - interval '10 minutes', now())"
    )
    site.conn.execute("INSERT INTO sides(interface, side, calls_per_second) VALUES ('otto-de', 'marketplace', 9)")
    site.conn.execute("INSERT INTO side_states(interface, side) VALUES ('otto-de', 'marketplace')")
    site.conn.execute(
        "INSERT INTO remote_tokens(interface, side, name, sealed, expires_at)"
        " VALUES ('otto-de', 'marketplace', 'access', 'so secret', now() + interval '30 minutes 20 seconds')"
    )
    play(site.conn)
    [(number,)] = site.conn.execute("SELECT id FROM incidents").fetchall()
    answer(site.conn, number, "who-answered@example.org", later=False)
    page = browser.get("/").text
    assert "so secret" not in page
    assert "bestätigt" in _part(page, "otto-de")
    assert "1 offener Vorfall. 1 von 2 Schnittstellen betroffen." in _plain(page)
    otto, paused = _part(page, "otto-de"), _part(page, "otto-at")
    assert re.search(r'says error">Fehler', otto)
    assert "PAYPAL" in otto
    assert "42 Ereignisse in 24 Stunden, höchstens 42 je Stunde" in otto
    orders = _plain(otto.partition("<tbody>")[2].partition("</tr>")[0])
    assert re.fullmatch(r"Aufträge vor \d+ \w+ 1 , Fehlerhaft: 1 3 Std 42", orders), orders
    assert re.search(r"Nächster Abruf in [45] Min", _plain(otto))
    assert "OTTO Market-Token erneuert sich, gilt noch 30 Min" in _plain(otto)
    assert "Kein Abruf" in paused
    assert "Wann die Zugangsdaten ablaufen, ist nicht bekannt" in paused
    # The link of an incident opens exactly its rows.
    [link] = re.findall(r'href="(/interfaces/otto-de/orders\?filter=group[^"]+)"', otto)
    listed = browser.get(link).text
    assert ">3</a>" in listed
    assert ">2</a>" not in listed
    # The filter takes several words.
    assert 'id="card-otto-de"' not in browser.get("/?show=fine").text
    assert 'id="card-otto-de"' in browser.get("/?show=fine&show=error").text
    assert "offener Vorfall" in browser.get("/orders").text
    # Nobody but this Journal runs here, and it has no loops.
    services = _plain(_part(page, "services"))
    assert "Nicht verbunden: importer, exporter, stock, alerts" in services
    assert re.search(r"journal vor \d+ s vor \d+ \w+ \d+\.\d+\.\d+ \d", services)
    assert re.search(r"order-imported 0 – niemand 0", _plain(_part(page, "broker")))
    base = _plain(_part(page, "database"))
    assert re.search(r"Größe \d+,\d MB Verbindungen \d+ von \d+ Älteste Transaktion keine offen Schema aktuell", base)
    assert re.search(r"Platz auf der Platte [\d,]+ GB frei \(\d+ %\)", base)
    # The API says the same.
    api = site.api("viewer").get("/api/v1/status?language=de").json()
    assert (api["light"], {one["slug"]: one["light"] for one in api["interfaces"]}) == (
        "error", {"otto-de": "error", "otto-at": "off"},
    )  # fmt: skip
    assert api["interfaces"][1]["standing"][0]["backlog"] == 1
    assert api["interfaces"][1]["incidents"][0]["rows"] == link.replace("&amp;", "&")
    assert "so secret" not in str(api)
    assert "who-answered" not in str(api), "for operators only"
    assert site.api("viewer").get("/api/v1/incidents/count").json() == {"error": 1, "warning": 0}
    # So does the one of what has to be shipped soon: of two in the same state only the one that is due, and no test.
    store_record(site.conn, "5", state="pending", interface="otto-at")
    soon = "UPDATE records SET ship_by = now() + interval '2 hours' WHERE key IN ('2', '4')"
    site.conn.execute(soon)
    play(site.conn)
    [link] = re.findall(r'href="([^"]+orders\?filter=due[^"]+)"', _part(browser.get("/").text, "otto-de"))
    assert re.findall(r'<tr data-id="\d+".*?>(\d)</a>', browser.get(link).text, re.DOTALL) == ["2"]


def test_the_status_works_whoever_is_away(over: Over, database_url: str) -> None:
    """Broker refusing or silent, shop or ERP cut off, arrivals that take too long to count: each with what it says."""
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = closed.getsockname()[1]
        closed.close()
        gone = WatchedBroker(f"amqp://guest:guest@127.0.0.1:{nobody}/", patience=20)
        page = over(gone).browser("viewer").get("/").text
        assert "Cannot be reached" in _part(page, "broker")
        assert str(nobody) not in _part(page, "broker")

        slow = WatchedBroker(f"amqp://guest:guest@127.0.0.1:{silent.getsockname()[1]}/", patience=0.05)
        site = over(slow)
        browser = site.browser("viewer")
        page = browser.get("/").text
        assert "The broker is being asked" in _part(page, "broker")
        until(lambda: slow.seen().state == "away", "a broker that says nothing counts as away", 60)

    pgmq = database_url.replace("postgresql://", "pgmq://", 1)
    apply(pgmq)
    for side, system in (("marketplace", "OTTO Market"), ("erp", "Xentral")):
        site.conn.execute("INSERT INTO sides(interface, side, calls_per_second) VALUES ('otto-de', %s, 9)", (side,))
        site.conn.execute(
            "INSERT INTO side_states(interface, side, breaker, code, retry_at)"
            " VALUES ('otto-de', %s, 'open', 'remote-unavailable', now() + interval '20 seconds')",
            (side,),
        )
        assert f"{system} cut off , probe" in _plain(_part(browser.get("/").text, "otto-de"))
    assert "Warning" in _plain(_part(browser.get("/").text, "otto-de"))


def test_the_status_works_while_arrivals_take_too_long(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.records.health._HOURS", "SELECT 'a', 'b', now(), pg_sleep(5)::text::int")
    page = site.browser("viewer", language="en").get("/")
    assert page.status_code == 200
    assert "not counted" in page.text
