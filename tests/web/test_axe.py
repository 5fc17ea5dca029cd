"""Every page is there for everybody: axe finds nothing in either theme and language, and Tab reaches all there is.

The pages are found from the routes (`tests/support/tour.py`), so a new page is looked at without being entered here.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from services.journal.app import create_app
from tests.support import servers
from tests.support.axe import NoAxe, axe_script
from tests.support.seed import seed
from tests.support.site import Site, site_over
from tests.support.tour import Stop, stops

pytestmark = [pytest.mark.servers, pytest.mark.web, pytest.mark.timeout(1200)]

ORDERS = 30
"""Of the seeded day: enough for each state and cause."""

# Colours are what a theme changes; all other rules have been asked by then.
LOOK = """([only, rules]) => axe.run(document, only ? {runOnly: {type: 'rule', values: rules}} : {
  runOnly: {type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}
}).then(found => found.violations.map(one => ({
  rule: one.id, help: one.help, where: one.nodes.slice(0, 3).map(node => node.target.join(' ') + ': ' +
    (node.any.concat(node.all, node.none)[0] || {}).message)
})))"""

# What a person can use on the page as it stands, each with a number; radios are one stop, the arrows do the rest.
MARK = """() => {
  const usable = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]';
  let no = 0;
  for (const element of document.querySelectorAll(usable)) {
    if (element.disabled || element.tabIndex < 0 || !element.checkVisibility({visibilityProperty: true})) continue;
    if (element.type === 'radio' && !element.checked && document.querySelector(
      `input[type=radio][name="${element.name}"]:checked`)) continue;
    if (element.tabIndex >= 0) element.dataset.stop = ++no;
  }
  return no;
}"""
# Notes what gets the focus and whether one sees it: a ring, a shadow in its place, or a ring around what holds it.
NOTE = """() => {
  window.focused = [];
  const note = element => {
    if (!element || element === document.body) return;
    const rings = style => (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0);
    const style = getComputedStyle(element);
    const around = element.parentElement && rings(getComputedStyle(element.parentElement));
    window.focused.push({no: Number(element.dataset.stop || 0), what: element.outerHTML.slice(0, 120),
      seen: rings(style) || style.boxShadow !== 'none' || around});
  };
  note(document.activeElement);
  document.addEventListener('focusin', event => note(event.target));
}"""
MISSED = """(seen) => [...document.querySelectorAll('[data-stop]')].filter(e => !seen.includes(Number(e.dataset.stop)))
  .map(e => e.outerHTML.slice(0, 120)).slice(0, 5)"""


@dataclass
class Tour:
    """A seeded Journal and its pages."""

    site: Site
    stops: list[Stop]
    cookies: dict[str, str]

    def sign_in(self, context: BrowserContext, stop: Stop) -> None:
        """As an admin, or as nobody where the page is for those."""
        context.clear_cookies()
        if stop.signed_in:
            for name, value in self.cookies.items():
                context.add_cookies([{"name": name, "value": value, "url": self.site.url}])


@pytest.fixture(scope="module")
def tour(postgres_server: str) -> Iterator[Tour]:
    with ExitStack() as stack:
        url = stack.enter_context(servers.database(postgres_server, f"t{uuid.uuid4().hex}"))
        site = stack.enter_context(site_over(url, patience=10))
        seeded = seed(site.conn, orders=ORDERS)
        client = site.browser("admin")
        yield Tour(site, stops(create_app(site.journal), client, seeded.ids), dict(client.cookies))


@pytest.mark.parametrize(("locale", "width"), [("de-DE", 1280), ("en-GB", 390)])
def test_axe_finds_nothing_on_any_page(browser: Browser, tour: Tour, locale: str, width: int) -> None:
    try:
        script = axe_script()
    except NoAxe as error:
        pytest.fail(str(error), pytrace=False)
    context = browser.new_context(locale=locale, viewport={"width": width, "height": 900}, bypass_csp=True)
    page = context.new_page()
    page.set_default_timeout(60_000)
    found: list[str] = []
    for stop in tour.stops:
        tour.sign_in(context, stop)
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        page.goto(tour.site.url + stop.path)
        page.evaluate(script)
        for theme, only in (("light", False), ("dark", True)):
            page.emulate_media(color_scheme=theme)
            for broken in page.evaluate(LOOK, [only, ["color-contrast"]]):
                places = "; ".join(broken["where"])
                found.append(f"{stop.path}, {theme}: {broken['rule']} ({broken['help']}): {places}")
    context.close()
    assert not found, "\n".join(found)


def test_tab_reaches_all_there_is_and_shows_where_it_is(browser: Browser, tour: Tour) -> None:
    context = browser.new_context(locale="de-DE", viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(60_000)
    found: list[str] = []
    for stop in tour.stops:
        tour.sign_in(context, stop)
        page.goto(tour.site.url + stop.path)
        found += [f"{stop.path}: {wrong}" for wrong in _walk(page)]
    context.close()
    assert not found, "\n".join(found)


def _walk(page: Page) -> list[str]:
    """Press Tab until it comes round; what was not reached, and what had the focus without showing it."""
    total = page.evaluate(MARK)
    page.evaluate(NOTE)
    shown: dict[int, bool] = {}
    what: dict[int, str] = {}
    # A field that takes the focus by itself is a stop already, and a date is several: press in rounds and look between.
    for _ in range(4):
        for _press in range(total - len(shown.keys() - {0}) + 2):
            page.keyboard.press("Tab")
        for focused in page.evaluate("window.focused"):
            shown[focused["no"]] = shown.get(focused["no"], False) or bool(focused["seen"])
            what[focused["no"]] = focused["what"]
        if len(shown.keys() - {0}) == total:
            break
    unseen = [f"no visible focus: {what[no]}" for no, ring in shown.items() if not ring]
    missed = [f"not reached: {lost}" for lost in page.evaluate(MISSED, sorted(shown))]
    return missed + unseen[:5]
