"""Takes a picture of every page in both languages, both themes, on a desktop and on a phone: `make screenshots`.

Leaves them in build/screenshots with an index.html. They are for looking at; nothing compares them.
"""

from __future__ import annotations

import argparse
import html
import logging
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path

import structlog
from playwright.sync_api import BrowserContext, sync_playwright
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from services.journal.app import create_app
from tests.support import servers
from tests.support.browser import NoBrowser, chromium, playwright_libraries
from tests.support.seed import STATES, seed
from tests.support.site import Site, site_over
from tests.support.tour import Stop, stops

SIZES = {"desktop": (1440, 900), "phone": (390, 844)}
LANGUAGES = {"de": "de-DE", "en": "en-GB"}
THEMES = ("light", "dark")
TALLEST = 4000
PATIENCE = 30_000
"""Milliseconds for one page."""


def main() -> int:
    """0 when all pictures are there, 1 with a plain sentence otherwise."""
    parser = argparse.ArgumentParser(prog="make screenshots", description=__doc__)
    parser.add_argument("--into", type=Path, default=Path("build/screenshots"), help="the folder (build/screenshots)")
    parser.add_argument("--only", default="", help="pages whose name holds this, e.g. orders")
    parser.add_argument("--quick", action="store_true", help="German, light, desktop and phone only")
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    try:
        with ExitStack() as stack:
            program = chromium()
            stack.enter_context(playwright_libraries())
            take(program, asked.into, asked.only, asked.quick)
    except NoBrowser as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stderr.write(f"Look at {asked.into / 'index.html'}\n")
    return 0


def take(program: Path, into: Path, only: str = "", quick: bool = False) -> None:
    """Start a seeded Journal and take the pictures."""
    kinds = [kind for kind in product(LANGUAGES, THEMES, SIZES) if not quick or kind[:2] == ("de", "light")]
    with ExitStack() as stack:
        show = stack.enter_context(_bar())
        server = stack.enter_context(servers.postgres())
        site = stack.enter_context(site_over(stack.enter_context(servers.database(server, "screenshots")), patience=10))
        storing = show.add_task("Storing a day", total=sum(STATES.values()))
        seeded = seed(site.conn, say=lambda stored: show.update(storing, completed=stored))
        show.update(storing, completed=sum(STATES.values()))
        client = site.browser("admin")
        cookies = dict(client.cookies)
        pages = [stop for stop in stops(create_app(site.journal), client, seeded.ids) if only in stop.name]
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir(parents=True)
        taking = show.add_task("Taking pictures", total=len(pages) * len(kinds))
        browser = stack.enter_context(sync_playwright()).chromium.launch(
            executable_path=program, args=["--no-sandbox", "--hide-scrollbars"]
        )
        for language, theme, size in kinds:
            width, height = SIZES[size]
            context = browser.new_context(
                locale=LANGUAGES[language], color_scheme=theme, viewport={"width": width, "height": height},
                timezone_id="Europe/Berlin", reduced_motion="reduce",
            )  # fmt: skip
            for stop in pages:
                _picture(context, site, cookies, stop, into / f"{stop.name}-{language}-{theme}-{size}.png")
                show.advance(taking)
            context.close()
        browser.close()
        (into / "index.html").write_text(_index(pages, kinds), encoding="utf-8")


def _picture(context: BrowserContext, site: Site, cookies: Mapping[str, str], stop: Stop, file: Path) -> None:
    context.clear_cookies()
    if stop.signed_in:
        context.add_cookies([{"name": name, "value": value, "url": site.url} for name, value in cookies.items()])
    page = context.new_page()
    page.goto(site.url + stop.path, wait_until="load", timeout=PATIENCE)
    width = page.viewport_size["width"] if page.viewport_size else 0
    tall = min(int(page.evaluate("document.documentElement.scrollHeight")), TALLEST)
    if page.viewport_size and tall > page.viewport_size["height"]:
        page.set_viewport_size({"width": width, "height": tall})
    page.screenshot(path=file, timeout=PATIENCE)
    page.close()


@contextmanager
def _bar() -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield progress


def _index(pages: list[Stop], kinds: list[tuple[str, str, str]]) -> str:
    rows = []
    for stop in pages:
        shots = "".join(
            f'<figure><a href="{name}.png"><img src="{name}.png" loading="lazy" alt="{name}"></a>'
            f"<figcaption>{language} {theme} {size}</figcaption></figure>"
            for language, theme, size in kinds
            for name in [f"{stop.name}-{language}-{theme}-{size}"]
        )
        rows.append(f"<h2>{html.escape(stop.name)} <code>{html.escape(stop.path)}</code></h2><div>{shots}</div>")
    style = (
        "body{font:14px system-ui;margin:24px}div{display:flex;gap:12px;overflow-x:auto;align-items:start}"
        "figure{margin:0}img{height:420px;border:1px solid #ccc}code{font-weight:400}"
    )
    return f"<!doctype html><meta charset=utf-8><title>Connect</title><style>{style}</style>{''.join(rows)}\n"


if __name__ == "__main__":
    sys.exit(main())
