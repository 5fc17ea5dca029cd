"""The system status: a light per interface, what is open, what is late; it says so on every page."""

from __future__ import annotations

import re

import pytest

from shared.alarms.round import play
from tests.support.stored import NOW, store_record
from tests.web.conftest import Site

pytestmark = [pytest.mark.servers, pytest.mark.web]
UNMAPPED = [{"code": "payment-unmapped", "field": "", "values": {"payment": "PAYPAL"}}]


def test_each_interface_has_its_light_and_the_badge_is_on_every_page(site: Site) -> None:
    browser = site.browser("viewer", language="de")
    assert "Kein offener Vorfall." in browser.get("/").text
    store_record(site.conn, "1", state="done", updated_at=NOW)
    store_record(site.conn, "2", state="pending")
    store_record(site.conn, "3", state="failed", code="payment-unmapped", reason=UNMAPPED)
    store_record(site.conn, "4", state="failed", code="payment-unmapped", reason=UNMAPPED, test=True)
    site.conn.execute("INSERT INTO arrivals(event, interface, inputs) VALUES ('order-imported', 'otto-de', 42)")
    play(site.conn)
    page = browser.get("/").text
    assert "1 offener Vorfall." in page
    assert "PAYPAL" in page
    assert "42 Ereignisse in 24 Stunden" in page
    of_otto = page[page.index('aria-label="otto-de"') : page.index('aria-label="otto-at"')]
    assert re.search(r'says error">Fehler', page[: page.index("PAYPAL")])
    assert "Erfolg" in page
    assert 'class="says fine">Keine Probleme' in page
    assert of_otto.count('<svg class="spark"') <= 3
    assert "otto-at" in browser.get("/?show=fine").text
    assert 'aria-label="otto-de"' not in browser.get("/?show=fine").text
    assert "offener Vorfall" in browser.get("/orders").text
    assert "Nicht verbunden" in page, "no service but this one runs here"


def test_the_status_works_while_arrivals_take_too_long(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.records.health._HOURS", "SELECT 'a', 'b', now(), pg_sleep(5)::text::int")
    assert site.browser("viewer").get("/").status_code == 200
