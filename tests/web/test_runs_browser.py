"""Many at once in a real browser: tick a page, choose all that match, untick two, preview, begin, undo; keys; the form
that asks by number. What workers do with it is walked in `test_stories_browser`."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from services.journal.runner import Runner
from shared.db.connect import connect
from shared.failpoint import Failpoints
from tests.support.stored import store_record
from tests.web.conftest import Site
from tests.web.test_browser import _log_in, page

__all__ = ["page"]
pytestmark = [pytest.mark.servers, pytest.mark.web, pytest.mark.timeout(1200)]
expect.set_options(timeout=30_000)
PROBLEM = [{"code": "payment-unmapped", "field": "", "values": {"payment": "PAYPAL"}}]


@pytest.fixture
def runner(site: Site) -> Iterator[None]:
    """The loop that the service runs beside its pages."""
    stop = threading.Event()
    loop = Runner(lambda: connect(site.journal.pool.conninfo, "runs"), site.journal.zone, Failpoints())
    thread = threading.Thread(target=loop.run, args=(lambda: None, stop.is_set, stop.wait), daemon=True)
    thread.start()
    yield
    stop.set()
    thread.join(30)


@pytest.mark.usefixtures("runner")
def test_all_that_match_but_two_are_previewed_begun_and_undone(site: Site, page: Page) -> None:
    for n in range(60):
        store_record(site.conn, f"wsbk{n:03}", state="failed", code="payment-unmapped", reason=PROBLEM, seq=1)
    _log_in(page, site)
    page.goto(f"{site.url}/orders?filter=state:failed")
    bar, picked = page.locator("#bulk"), page.locator("#picked")
    expect(bar).to_be_hidden()
    page.check("#pick-page")
    expect(picked).to_contain_text("50 ausgewählt auf dieser Seite.")
    picked.get_by_role("button", name="Alle 60 auswählen").click()
    boxes = page.locator("td.pick input")
    for at in (2, 3):
        boxes.nth(at).uncheck()
    expect(bar).to_contain_text("58 ausgewählt")
    page.keyboard.press("Escape")
    expect(bar).to_be_hidden()
    page.evaluate("document.activeElement.blur()")
    for key in ("j", "x", "j", "x", "?"):
        page.keyboard.press(key)
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(bar).to_contain_text("2 ausgewählt")
    picked.get_by_role("button", name="Alle 60 auswählen").click()
    for at in (2, 3):
        boxes.nth(at).uncheck()
    page.keyboard.press("r")
    dialog = page.locator("dialog[open]")
    expect(dialog).to_contain_text("58 laufen")
    expect(dialog.locator(".ramp b")).to_have_text(["1", "5", "25", "27"])
    dialog.get_by_role("button", name="58 wiederholen").click()
    toast = page.locator("#toast")
    expect(toast).to_contain_text(re.compile(r"58 beginnen in \d+ s"))
    toast.get_by_role("button", name="Rückgängig").click()
    expect(toast).to_contain_text("Zurückgenommen.")
    assert site.conn.execute("SELECT count(*) FROM transitions").fetchone() == (0,)

    page.goto(f"{site.url}/orders?lang=en")
    page.get_by_role("link", name="Import orders").click()
    form = page.locator("dialog[open]")
    form.get_by_label("Order numbers").fill(f"wsbk900, wsbk901\nwsbk900\n{'x' * 101}")
    expect(form.locator("#valid")).to_contain_text("2 valid")
    expect(form.locator("#valid")).to_contain_text("1 twice, counts once")
    expect(form.locator("#valid")).to_contain_text("Line 3")
    form.get_by_role("button", name="Remove it").click()
    expect(form.locator("#valid")).not_to_contain_text("Line 3")
    form.get_by_label("Interface").select_option("otto-de")
    form.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator(".receipt-list li")).to_have_count(2)
