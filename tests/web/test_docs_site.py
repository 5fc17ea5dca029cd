"""The site of the documents, built and opened: nothing overflows, is dead or asks outside, and all can be read."""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from markdown_it import MarkdownIt
from playwright.sync_api import Browser, Page

from tests.support.axe import NoAxe, axe_script

pytestmark = [pytest.mark.web, pytest.mark.timeout(900)]
ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PHONE = {"width": 390, "height": 844}
KINDS = ("index.html", "tutorial.html", "de/kurzanleitung.html", "reference/api.html", "runbooks/BrokerDown.html")
LISTED = "adr/README.md"
"""The site adds the list of decisions to it."""

WIDE = """() => document.documentElement.scrollWidth <= innerWidth ? [] :
  [...document.querySelectorAll('.md-content *')].filter(one => one.getBoundingClientRect().right > innerWidth + 1
    && !one.closest('.md-typeset__scrollwrap, pre, .diagram'))
    .slice(0, 3).map(one => one.outerHTML.slice(0, 120)).concat(document.documentElement.scrollWidth + ' px')"""
MISSING = "() => [...document.images].filter(one => !one.naturalWidth).map(one => one.src)"
CUT = """() => [...document.querySelectorAll('.md-typeset table td:first-child code')]
  .filter(one => one.getClientRects().length > 1).map(one => one.textContent)"""
CONTRAST = """() => axe.run('.md-content', {runOnly: {type: 'rule', values: ['color-contrast', 'image-alt']}})
  .then(found => found.violations.flatMap(one => one.nodes.slice(0, 3).map(node => node.target.join(' ') + ': ' +
    (node.any.concat(node.all, node.none)[0] || {}).message)))"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` makes it."""
    into = tmp_path_factory.mktemp("site")
    mkdocs = Path(sys.executable).parent / "mkdocs"
    if not mkdocs.exists():
        pytest.fail("The site cannot be built without mkdocs: run `make docs` once, which installs it.", pytrace=False)
    done = subprocess.run(
        [mkdocs, "build", "--strict", "--quiet", "--site-dir", into], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return into


@pytest.fixture(scope="module")
def address(built: Path) -> Iterator[str]:
    """Where it is served."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(built))) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def pages(built: Path) -> list[str]:
    found = sorted(path.relative_to(built).as_posix() for path in built.rglob("*.html"))
    assert len(found) > 80
    return [name for name in found if name != "404.html"]


def listening(page: Page, address: str) -> list[str]:
    """What goes wrong on a page from now on, in words."""
    heard: list[str] = []
    page.on("console", lambda said: heard.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on(
        "request",
        lambda asked: None if asked.url.startswith((address, "data:", "blob:")) else heard.append(f"asks {asked.url}"),
    )
    page.on("response", lambda told: heard.append(f"{told.status} {told.url}") if told.status >= 400 else None)
    return heard


def test_no_page_overflows_a_phone_complains_or_asks_outside(browser: Browser, address: str, built: Path) -> None:
    page = browser.new_page(viewport=PHONE, reduced_motion="reduce")  # type: ignore[arg-type]
    page.set_default_timeout(120_000)
    heard = listening(page, address)
    # The search reads its index on every page, for seconds; another test searches.
    whole = json.loads((built / "search" / "search_index.json").read_text(encoding="utf-8"))
    short = whole | {"docs": whole["docs"][:2]}
    page.route("**/search_index.json", lambda route: route.fulfill(json=short))
    wrong: dict[str, list[str]] = {}
    for name in pages(built):
        heard.clear()
        page.goto(address + name, wait_until="load")
        if found := [*heard, *page.evaluate(WIDE), *page.evaluate(MISSING), *page.evaluate(CUT)]:
            wrong[name] = found
    page.close()
    assert wrong == {}


def test_a_page_that_is_wrong_is_noticed(browser: Browser, address: str) -> None:
    page = browser.new_page(viewport=PHONE)  # type: ignore[arg-type]
    page.set_default_timeout(120_000)
    heard = listening(page, address)
    page.goto(f"{address}release.html")
    page.evaluate(
        """() => {
          const place = document.querySelector('.md-content');
          place.insertAdjacentHTML('beforeend', '<div style="width: 2000px">wide</div><img src="gone.png">');
          console.error('wrong');
        }"""
    )
    page.wait_for_function("() => [...document.images].every(one => one.complete)")
    assert any("width: 2000px" in found for found in page.evaluate(WIDE))
    assert [source.rpartition("/")[2] for source in page.evaluate(MISSING)] == ["gone.png"]
    assert "wrong" in heard
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_in_the_light_and_in_the_dark(browser: Browser, address: str, scheme: str) -> None:
    try:
        script = axe_script()
    except NoAxe as error:
        pytest.fail(str(error), pytrace=False)
    page = browser.new_page(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    page.set_default_timeout(120_000)
    wrong = {}
    for name in KINDS:
        page.goto(address + name, wait_until="load")
        page.evaluate(script)
        if found := page.evaluate(CONTRAST):
            wrong[name] = found
    page.close()
    assert wrong == {}


@pytest.mark.parametrize(("words", "leads_to"), [("restore", "operations.html"), ("Zuordnungen", "kurzanleitung.html")])
def test_the_search_finds_english_and_german(browser: Browser, address: str, words: str, leads_to: str) -> None:
    page = browser.new_page()
    page.set_default_timeout(120_000)
    heard = listening(page, address)
    page.goto(f"{address}index.html")
    page.click(".md-search__input")
    page.keyboard.type(words)
    page.wait_for_selector(f'.md-search-result__link[href*="{leads_to}"]', state="attached")
    assert heard == []
    page.close()


class Reader(HTMLParser):
    """Where a page leads to, what can be led to in it, how many lists and tables it has, and its language."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.anchors: set[str] = set()
        self.counts: dict[str, int] = {}
        self.language = ""
        self._inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.anchors |= {value for key in ("id", "name") if (value := given.get(key))}
        self.targets += [value for key in ("href", "src") if (value := given.get(key))]
        self.language = given.get("lang") or "" if tag == "html" else self.language
        self._inside |= tag == "article"
        if self._inside:
            self.counts[tag] = self.counts.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        self._inside &= tag != "article"


@pytest.fixture(scope="module")
def read(built: Path) -> dict[str, Reader]:
    return {name: Reader((built / name).read_text(encoding="utf-8")) for name in pages(built)}


def test_every_link_leads_somewhere(built: Path, read: dict[str, Reader]) -> None:
    dead = []
    for name, page in read.items():
        for target in page.targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            path = (built / name).parent / unquote(parts.path) if parts.path else built / name
            where = path.resolve().relative_to(built.resolve()).as_posix()
            if where == ".":
                where = "index.html"
            anchors = read[where].anchors if where in read else None
            if not (built / where).is_file() or (parts.fragment and anchors and unquote(parts.fragment) not in anchors):
                dead.append(f"{name}: {target}")
    assert dead == []


def test_the_site_shows_lists_and_tables_as_the_repository_does(read: dict[str, Reader]) -> None:
    """The site's Markdown wants more indentation than the repository's, and quietly begins a list anew."""
    markdown = MarkdownIt("commonmark").enable("table")
    names = {"ordered_list_open": "ol", "bullet_list_open": "ul", "list_item_open": "li", "tr_open": "tr",
             "fence": "pre", "code_block": "pre"}  # fmt: skip
    wrong = {}
    for document in sorted(DOCS.rglob("*.md")):
        name = document.relative_to(DOCS).as_posix()
        if name in (LISTED, "adr/template.md"):
            continue
        counted = dict.fromkeys(names.values(), 0)
        for token in markdown.parse(document.read_text(encoding="utf-8")):
            if token.type in names:
                counted[names[token.type]] += 1
        shown = read[re.sub(r"README\.md$", "index.md", name).removesuffix(".md") + ".html"]
        found = {tag: shown.counts.get(tag, 0) for tag in counted}
        if found != counted:
            wrong[name] = (counted, found)
    assert wrong == {}


def test_each_page_says_its_language_and_the_decisions_are_listed(read: dict[str, Reader]) -> None:
    assert {name for name, page in read.items() if page.language == "de"} == {"de/kurzanleitung.html"}
    assert {page.language for page in read.values()} == {"de", "en"}
    decisions = {path.with_suffix(".html").name for path in (DOCS / "adr").glob("0*.md")}
    assert decisions <= set(read["adr/index.html"].targets)


def test_only_pages_with_a_diagram_load_what_draws(built: Path) -> None:
    for name in pages(built):
        text = (built / name).read_text(encoding="utf-8")
        assert ("mermaid.min.js" in text) == ('class="mermaid"' in text), name
