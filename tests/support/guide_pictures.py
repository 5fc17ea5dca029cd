"""The pictures of the German quick guide: `make guide-pictures` writes them into docs/de/bilder, from a seeded Journal.

They are committed, so that the guide can be read without a build; small, since a reader looks and does not measure.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import structlog
from playwright.sync_api import Browser, sync_playwright

from tests.support import servers
from tests.support.browser import NoBrowser, chromium, playwright_libraries
from tests.support.guide_mail import example
from tests.support.seed import seed
from tests.support.site import Site, site_over

INTO = Path(__file__).parents[2] / "docs/de/bilder"
WIDTH, HEIGHT = 1180, 720
QUALITY = 72
PATIENCE = 120_000
"""Milliseconds for one page."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture. path: with names of what was seeded; role: who looks."""

    name: str
    path: str
    role: str = "operator"
    height: int = HEIGHT


MAIL = "mail"
"""A mail of the alert service; it lies in no Journal."""

SHOTS = (
    Shot("systemstatus", "/"),
    Shot("auftraege", "/orders"),
    Shot("fehlerhafte", "/orders?filter=state:failed"),
    Shot("fehler", "/orders/{failed}"),
    Shot("verlauf", "/orders/{done}#record-history"),
    Shot("wiederholen", "/orders/retry?filter=state:failed"),
    Shot("import", "/orders/import"),
    Shot("ablehnung", "/rejections/{rejection}"),
    Shot("alarm", "/alarms/new"),
    Shot("benutzer", "/users", role="admin"),
)


def main() -> int:
    """0 when all are written, or those that are named."""
    asked = argparse.ArgumentParser(prog="make guide-pictures", description=__doc__)
    asked.add_argument("names", nargs="*", help="these alone, e.g. auftraege")
    names = asked.parse_args().names
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    try:
        with ExitStack() as stack:
            program = chromium()
            stack.enter_context(playwright_libraries())
            take(program, INTO, names)
    except NoBrowser as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def take(program: Path, into: Path, names: Sequence[str] = ()) -> None:
    """Start a seeded Journal and write every picture, or those with these names, as JPEG."""
    with ExitStack() as stack:
        server = stack.enter_context(servers.postgres())
        site = stack.enter_context(site_over(stack.enter_context(servers.database(server, "guide")), patience=60))
        ids = seed(site.conn, say=lambda _: None).ids
        browser = stack.enter_context(sync_playwright()).chromium.launch(
            executable_path=program, args=["--no-sandbox", "--hide-scrollbars"]
        )
        into.mkdir(parents=True, exist_ok=True)
        for shot in SHOTS:
            if names and shot.name not in names:
                continue
            _picture(browser, site, shot, shot.path.format(**ids), into / f"{shot.name}.jpg")
        if not names or MAIL in names:
            _letter(browser, into / f"{MAIL}.jpg")
        browser.close()


def _letter(browser: Browser, file: Path) -> None:
    page = browser.new_page(locale="de-DE", color_scheme="light", viewport={"width": 760, "height": HEIGHT})
    page.set_content(example(), wait_until="load", timeout=PATIENCE)
    page.screenshot(path=file, type="jpeg", quality=QUALITY, timeout=PATIENCE)
    page.close()


def _picture(browser: Browser, site: Site, shot: Shot, path: str, file: Path) -> None:
    context = browser.new_context(
        locale="de-DE", color_scheme="light", viewport={"width": WIDTH, "height": shot.height},
        timezone_id="Europe/Berlin", reduced_motion="reduce",
    )  # fmt: skip
    cookies = dict(site.browser(shot.role).cookies)
    context.add_cookies([{"name": name, "value": value, "url": site.url} for name, value in cookies.items()])
    page = context.new_page()
    page.goto(site.url + path, wait_until="load", timeout=PATIENCE)
    page.screenshot(path=file, type="jpeg", quality=QUALITY, timeout=PATIENCE)
    context.close()


if __name__ == "__main__":
    sys.exit(main())
