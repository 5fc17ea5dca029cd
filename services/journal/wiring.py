"""What the handlers work with, put together once in `__main__.py` (and by the tests) and handed to every router."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from psycopg_pool import ConnectionPool

from services.journal.provider import Provider
from services.journal.rates import Rates
from shared.alarms.signed import Links
from shared.broker.watched import WatchedBroker
from shared.connectors.contract import Connector
from shared.db.connect import Connection
from shared.failpoint import Failpoints
from shared.metrics import Metrics
from shared.networks import Networks
from shared.seal import Seal

PATIENCE = 3.0
"""Seconds a request waits for a free connection before it is turned away with 503."""

DOWNLOADS_AT_ONCE = 3
"""Each holds a connection as long as it is read."""

HASHES_AT_ONCE = 3  # each takes 64 MiB and 0.1 s of a core


@dataclass(frozen=True, slots=True)
class Journal:
    """What every handler may use.

    zone: of days and dates; titles: connector key → its name for people; secure: cookies over https only;
    connectors, seal: for webhooks, which are verified with the settings of an interface, and for tests of connections;
    networks: the private addresses that those may call; provider: by which people may log in; base_url: where they
    reach the Journal; links: of mails, by the key that signs them (a random one opens none); trusted: proxies whose
    word about addresses is believed; rates: how many requests one caller may make; broker: for the status page.
    """

    pool: ConnectionPool[Connection]
    zone: ZoneInfo
    metrics: Metrics
    titles: Mapping[str, str] = field(default_factory=dict)
    failpoint: Callable[[str], None] = field(default_factory=Failpoints)
    secure: bool = False
    patience: float = PATIENCE
    connectors: Mapping[str, Connector] = field(default_factory=dict)
    seal: Seal | None = None
    networks: Networks | None = None
    provider: Provider | None = None
    base_url: str = "http://127.0.0.1:8080"
    links: Links = field(default_factory=lambda: Links(secrets.token_urlsafe(32)))
    trusted: Networks | None = None
    rates: Rates = field(default_factory=Rates)
    broker: WatchedBroker = field(default_factory=lambda: WatchedBroker(None))
    hashing: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(HASHES_AT_ONCE))

    downloads: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(DOWNLOADS_AT_ONCE))

    @contextmanager
    def database(self) -> Iterator[Connection]:
        """A connection for one request. Raises psycopg_pool.PoolTimeout when all are in use for too long."""
        with self.pool.connection(timeout=self.patience) as conn:
            yield conn
