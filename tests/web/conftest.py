"""The fixtures `site`, a real Journal over a fresh database (`tests/support/site.py`), and `browser`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Browser, sync_playwright

from shared.db.migrate import migrate
from tests.support.browser import NoBrowser, chromium, playwright_libraries
from tests.support.site import PASSWORD, Site, served, site_over

__all__ = ["PASSWORD", "Site", "count", "served", "site"]


@pytest.fixture
def site(database_url: str) -> Iterator[Site]:
    """A Journal with the interfaces otto-de and otto-at and nothing else."""
    migrate(database_url)
    with site_over(database_url) as running:
        yield running


@pytest.fixture(scope="module")
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    """The browser of a file's tests. The first one on a machine without any is downloaded."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with ExitStack() as stack:
        try:
            # Whoever waits for a download sees how far it is.
            with capture.global_and_fixture_disabled():
                program = chromium()
                stack.enter_context(playwright_libraries())
        except NoBrowser as error:
            pytest.fail(str(error), pytrace=False)
        playwright = stack.enter_context(sync_playwright())
        # Without its sandbox, which refuses to run as root; it opens our own pages only.
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()


def count(conn: psycopg.Connection[Any], table: str) -> int:
    """How many rows a table has."""
    row = conn.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(row[0]) if row else 0
