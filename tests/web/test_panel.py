"""The side panel in a real browser: by mouse and by keyboard, an address of its own, acts in it, and a full sheet."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.support.stored import store_record
from tests.web.conftest import Site
from tests.web.test_browser import PROBLEM, _log_in, page, pytestmark  # noqa: F401 - a fixture and marks


def test_a_record_opens_beside_the_list_and_goes_by_keyboard(page: Page, site: Site) -> None:  # noqa: F811
    ids = [
        store_record(site.conn, f"47{n}", state="failed", reason=PROBLEM, code="payment-unmapped") for n in (13, 12, 11)
    ]
    _log_in(page, site)
    panel = page.locator("#panel")
    expect(page.locator("#panel[data-ready]")).to_have_count(1)  # until then its links lead to pages
    expect(panel).to_be_hidden()
    first, second = (row.get_attribute("data-id") for row in page.locator("tr[data-id]").all()[:2])

    # Opens beside the list, under its own address, with the focus on its heading.
    page.locator(f"tr[data-id='{first}'] a.open").click()
    heading = panel.get_by_role("heading", level=1)
    expect(heading).to_be_focused()
    expect(page).to_have_url(f"{site.url}/orders?filter=state%3Afailed&open={first}")
    expect(page.locator("tr[data-id]")).to_have_count(3)
    expect(page.locator(f"tr[data-id='{first}']")).to_have_attribute("aria-current", "true")
    expect(panel).to_contain_text("So beheben Sie es")

    # Sections, then the next record in the same section.
    panel.get_by_role("link", name="Daten", exact=True).click()
    expect(panel.locator("#record-raw")).to_be_visible()
    expect(panel.locator("#record-history")).to_be_hidden()
    page.keyboard.press("j")
    expect(page).to_have_url(f"{site.url}/orders?filter=state%3Afailed&open={second}")
    expect(page.locator(f"tr[data-id='{second}']")).to_have_attribute("aria-current", "true")
    expect(panel.locator("#record")).to_have_attribute("data-id", str(second))
    expect(panel.locator("#record-raw")).to_be_visible()

    # Nobody's typing is taken for a command.
    page.locator("#filter").focus()
    page.keyboard.press("k")
    expect(panel.locator("#record")).to_have_attribute("data-id", str(second))
    page.locator("#filter").fill("state:failed")

    # It follows what happens meanwhile, and its button asks at once.
    panel.get_by_role("heading", level=1).focus()
    site.conn.execute("UPDATE records SET state = 'done', remote = '17', reason = NULL WHERE id = %s", (second,))
    panel.get_by_role("link", name="Neu laden").click()
    expect(panel.locator(".record-title .chip")).to_have_text("Erfolgreich")

    # Escape closes, and gives the focus back to the row.
    panel.get_by_role("heading", level=1).focus()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(page.locator(f"tr[data-id='{second}'] a.open")).to_be_focused()
    expect(page).to_have_url(f"{site.url}/orders?filter=state%3Afailed")
    page.go_back()
    expect(panel.locator("#record")).to_have_attribute("data-id", str(second))

    # A retry in it stays in it; the address opens it again.
    page.goto(f"{site.url}/orders?filter=state:failed&open={first}")
    panel.get_by_role("button", name="Wiederholen").click()
    expect(panel.locator(".record-title .chip")).to_have_text("Ausstehend")
    expect(panel).to_contain_text("1 Auftrag ist wieder an der Reihe.")
    assert site.conn.execute("SELECT count(*) FROM transitions WHERE record_id = ANY(%s)", (ids,)).fetchone() == (1,)

    # On a phone it is a sheet that covers everything.
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{site.url}/orders?filter=&open={first}")
    expect(heading).to_be_focused()
    box = panel.bounding_box()
    assert box is not None
    assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, 390, 844)
    panel.get_by_role("button", name="Schließen").click()
    expect(panel).to_be_hidden()
