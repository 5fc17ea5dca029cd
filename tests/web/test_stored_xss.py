"""Whatever others write is text on every page and in every mail: a seeded day with hostile texts in every column."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page
from psycopg.types.json import Jsonb

from services.alerts.letter import Post, letter
from services.journal.app import create_app
from shared.alarms.contents import contents
from shared.alarms.queue import Taken
from shared.connectors.registry import discover
from shared.unseen import UNSEEN
from tests.support import servers
from tests.support.hostile import NAME, TEXTS, furnish, joined, soil, wrong
from tests.support.mail_server import html, plain
from tests.support.seed import seed
from tests.support.site import LINKS, Site, site_over
from tests.support.tour import Stop, stops

pytestmark = [pytest.mark.servers, pytest.mark.web]

LEAST = 30
"""Texts, by the checklist."""
NOTED = """
window.noted = [];
window.xss7q = () => window.noted.push('a script ran');
document.addEventListener('securitypolicyviolation', event => window.noted.push(
  'refused: ' + event.violatedDirective + ' ' + event.blockedURI + ' ' + event.sample));
"""
PLACED = """name => [...document.querySelectorAll('*')].filter(element =>
  element.localName.includes(name) || ['iframe', 'object', 'embed', 'base', 'math'].includes(element.localName) ||
  [...element.attributes].some(a => a.name.startsWith('on') || a.name.includes(name) || a.name === 'srcdoc') ||
  (element.id + ' ' + element.getAttribute('class')).includes(name) ||
  /^\\s*(javascript|vbscript|data:text)/i.test(element.getAttribute('href') || '')
).map(element => element.outerHTML.slice(0, 200))"""


@dataclass
class Soiled:
    """A Journal whose database has hostile texts in every column, its pages, and the columns that were reached."""

    site: Site
    pages: list[Stop]
    reached: list[str]
    cookies: dict[str, str]


@pytest.fixture(scope="module")
def soiled(postgres_server: str) -> Iterator[Soiled]:
    with ExitStack() as stack:
        url = stack.enter_context(servers.database(postgres_server, f"t{uuid.uuid4().hex}"))
        site = stack.enter_context(site_over(url, patience=10))
        site.journal.connectors.update(discover())  # type: ignore[attr-defined]
        ids = seed(site.conn, orders=12).ids
        client = site.browser("admin")
        pages = stops(create_app(site.journal), client, ids)
        furnish(site.conn, ids)
        yield Soiled(site, pages, soil(site.conn), dict(client.cookies))


def test_each_text_is_text_on_every_page_and_nothing_unseen_is_left(soiled: Soiled) -> None:
    assert len(TEXTS) >= LEAST
    missing = [name for name in EXPECTED if name not in soiled.reached]
    assert not missing, f"no hostile text stands in {missing}"
    client = soiled.site.browser("admin")
    client.cookies.update(soiled.cookies)
    broken, shown, seen = [], 0, ""
    for stop in soiled.pages:
        page = client.get(stop.path)
        if page.status_code >= 500:
            broken.append(f"{stop.path} answers {page.status_code}")
        found, times = wrong(page.text)
        broken += [f"{stop.path}: {one}" for one in found]
        shown += times > 0
        seen += page.text
    assert not broken, "\n".join(broken)
    assert shown > len(soiled.pages) / 2, "most pages show what others wrote"
    texts = unescape(seen)
    absent = [text for text in TEXTS if text not in texts and not UNSEEN.search(text)]
    assert not absent, "every one of them came through to a page as it is"
    assert '<mark class="unseen" title="U+202E Right-To-Left Override">U+202E</mark>' in seen


EXPECTED = [
    "articles.foreign_sku",
    "articles.name",
    "articles.sku",
    "attempts.detail",
    "audit.actor",
    "audit.reason",
    "audit.target",
    "bulk_runs.why",
    "causes.assignee",
    "causes.note",
    "events.key",
    "events.source",
    "free_days.name",
    "ignored.why",
    "incidents.problem",
    "interfaces.title",
    "mails.reply",
    "maintenance.note",
    "mappings.source",
    "mappings.target",
    "parts.reason",
    "payloads.body",
    "received_alerts.summary",
    "receipt_numbers.number",
    "recipients.address",
    "records.key",
    "records.marketplace_id",
    "records.reason",
    "records.remote",
    "rejections.content_type",
    "rejections.problems",
    "rejections.raw",
    "rejections.reason",
    "sessions.agent",
    "shipments.carrier",
    "shipments.tracking_number",
    "sides.settings",
    "subscriptions.name",
    "tokens.name",
    "transitions.actor",
    "transitions.reason",
    "troubles.problem",
    "users.name",
    "views.filter",
    "views.name",
]
"""Columns with what somebody else writes; the test also goes through all the others."""


def test_a_suggestion_shows_what_cannot_be_seen(soiled: Soiled) -> None:
    client = soiled.site.browser("admin")
    client.cookies.update(soiled.cookies)
    ask, conn = {"filter": "error:"}, soiled.site.conn
    ((record, before),) = conn.execute(
        "SELECT id, reason FROM records WHERE flow = 'order-import' AND state = 'failed' ORDER BY id LIMIT 1"
    ).fetchall()
    change = "UPDATE records SET reason = %s WHERE id = %s"
    conn.execute(change, (Jsonb([{"code": "exe\u202egnp"}]), record))
    try:
        labels = [item["label"] for item in client.get("/api/v1/orders/suggest", params=ask).json()["items"]]
    finally:
        conn.execute(change, (Jsonb(before), record))
    assert "error:exe[U+202E]gnp" in labels


def test_what_is_asked_for_in_an_address_is_text_as_well(soiled: Soiled) -> None:
    client, broken = soiled.site.browser("admin"), []
    for no, asked in enumerate(("/orders?filter={}", "/articles?filter={}&sort={}", "/audit?about={}&actor={}")):
        for text in (TEXTS[no], joined(no)):
            address = asked.replace("{}", quote(text))
            answer = client.get(address)
            broken += [f"{address}: {one}" for one in wrong(answer.text)[0]]
            assert answer.status_code < 500, address
    said = client.get("/login", params={"next": joined(0)}).text
    assert not broken + wrong(said)[0]


def test_a_real_browser_runs_nothing_and_refuses_nothing(soiled: Soiled, browser: Browser) -> None:
    context = browser.new_context(locale="de-DE", viewport={"width": 1280, "height": 900})
    context.add_init_script(NOTED)
    for name, value in soiled.cookies.items():
        context.add_cookies([{"name": name, "value": value, "url": soiled.site.url}])
    page = context.new_page()
    page.set_default_timeout(60_000)
    found: list[str] = []
    page.on("dialog", lambda dialog: (found.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.on(
        "request",
        lambda asked: found.append(f"asked for {asked.url}") if NAME in asked.url.partition("?")[0] else None,
    )
    for stop in soiled.pages:
        if stop.signed_in and stop.name in MAIN:
            _look(page, soiled.site.url + stop.path, stop.path, found)
    context.close()
    assert not found, "\n".join(found)


MAIN = frozenset(
    [
        "first",
        "orders",
        "exports",
        "articles",
        "order-done",
        "order-waiting",
        "orders-one",
        "exports-one",
        "articles-one",
        "groups",
        "groups-one",
        "rejections",
        "rejections-one",
        "users",
        "audit",
        "alarms",
        "alarms-one",
        "alarms-one-edit",
        "interfaces-one-mappings",
        "receipts-one",
        "orders-one-edit",
        "interfaces-one-settings",
        "runs-one",
        "maintenance",
        "me",
    ]
)


def _look(page: Page, address: str, path: str, found: list[str]) -> None:
    page.goto(address)
    # What lies folded is opened and what can be hovered is touched: scripts put texts into the page then.
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    found += [f"{path}: {one}" for one in page.evaluate("window.noted") + page.evaluate(PLACED, NAME)]


@pytest.mark.parametrize("kind", ["opened", "resolved", "digest", "test", "confirm"])
def test_a_mail_holds_them_as_text_and_shows_what_cannot_be_seen(soiled: Soiled, kind: str) -> None:
    conn = soiled.site.conn
    found = [] if kind in ("test", "confirm") else contents(conn, [row[0] for row in _incidents(soiled)])
    now = datetime.now(UTC)
    mail = letter(
        Taken(
            id=1, kind=kind, message_id="7.a.1", thread=None, tries=1, created_at=now, address="night@example.org",
            recipient=1, language="de", time_zone="Europe/Berlin", subscription=4, name=joined(0),
            frequency="hourly", interfaces=["otto-de"], filter="", incidents=[1], severity="error", at=now, until=None,
        ),
        found, Post("connect@example.org", "https://connect.example.org", LINKS.sign), now,
    )  # fmt: skip
    broken, times = wrong(html(mail).replace(' style="', ' data-style="'))
    assert not broken
    assert times >= len(TEXTS)
    for twin in (html(mail), plain(mail)):
        assert not UNSEEN.search(twin)
        assert "[U+202E]" in twin


def _incidents(soiled: Soiled) -> list[tuple[int]]:
    return soiled.site.conn.execute("SELECT id FROM incidents").fetchall()
