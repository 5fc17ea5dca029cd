"""A real Journal: uvicorn on a free port over a migrated database, a client per role. For tests and for pictures."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import httpx2
import uvicorn
from fastapi import FastAPI

from services.journal.app import create_app
from services.journal.wiring import Journal
from shared.alarms.signed import Links
from shared.db.connect import Connection, connect, open_pool
from shared.metrics import Metrics
from shared.people.tokens import create_token
from shared.people.users import add_user
from tests.support.stored import store_interface

PASSWORD = "correct-horse-battery"
CONNECTIONS = 4
LINKS = Links("a-key-that-signs-links-in-tests")


@dataclass
class Site:
    """A running Journal. `conn` looks into its database; `journal.pool` is what it works with itself."""

    url: str
    conn: Connection
    journal: Journal
    _tokens: dict[str, str] = field(default_factory=dict)
    _clients: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def token(self, role: str, interfaces: list[str] | None = None) -> str:
        """A token of this role, made when first asked for."""
        name = f"{role}-{'-'.join(interfaces or [])}"
        if name not in self._tokens:
            self._tokens[name] = create_token(self.conn, name, role, interfaces)
        return self._tokens[name]

    def api(self, role: str | None, interfaces: list[str] | None = None) -> httpx2.Client:
        """A program with a token of this role; None for somebody unknown."""
        headers = {} if role is None else {"Authorization": f"Bearer {self.token(role, interfaces)}"}
        return self._clients.enter_context(httpx2.Client(base_url=self.url, headers=headers, timeout=30))

    def browser(self, role: str | None, **user: Any) -> httpx2.Client:
        """A browser, logged in as a new user of this role; None: not logged in. It says that it is the same site."""
        headers = {"Sec-Fetch-Site": "same-origin"}
        client = self._clients.enter_context(httpx2.Client(base_url=self.url, headers=headers, timeout=30))
        if role is not None:
            name = f"{role}-{self.conn.execute('SELECT count(*) FROM users').fetchone()[0]}"  # type: ignore[index]
            add_user(self.conn, name, PASSWORD, role, **user)
            answer = client.post("/login", data={"user": name, "password": PASSWORD})
            assert answer.status_code == 303, answer.text
        return client


@contextlib.contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """Serve an app on a free port; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)


@contextlib.contextmanager
def site_over(database_url: str, **journal: Any) -> Iterator[Site]:
    """A Journal with the interfaces otto-de and otto-at and nothing else. `journal`: more of what it is made of."""
    with contextlib.ExitStack() as stack:
        conn = stack.enter_context(connect(database_url, "tests"))
        store_interface(conn, "otto-de")
        store_interface(conn, "otto-at")
        pool = open_pool(database_url, "connect-journal", CONNECTIONS)
        stack.callback(pool.close)
        titles = {"otto": "OTTO Market", "xentral": "Xentral"}
        wired = Journal(
            pool,
            ZoneInfo("Europe/Berlin"),
            Metrics("journal", "0"),
            titles,
            **{"patience": 0.3, "links": LINKS, **journal},
        )
        clients = contextlib.ExitStack()
        url = stack.enter_context(served(create_app(wired)))
        stack.enter_context(clients)
        yield Site(url, conn, wired, _clients=clients)
