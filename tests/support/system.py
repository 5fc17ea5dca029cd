"""A running Connect for a test: importer processes against a database, a broker and the stand-ins, killed at will.

Knows the contract only: settings, the events exchange, HTTP of the stand-ins. From Postgres it reads the books.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared.broker.apply import apply
from shared.broker.delivery import Fate, Message
from shared.broker.open import open_publisher
from shared.db.connect import connect
from shared.db.migrate import migrate
from shared.networks import LOOPBACK
from shared.records.actions import request
from shared.records.books import accounting
from shared.records.interfaces import NewSide, add_interface, save_mapping
from shared.seal import Seal
from tests.support import nursery
from tests.support.nursery import Process
from tests.support.sandbox import PROJECT, Stand
from tests.support.waiting import until

SECRET = "a-secret-key-of-the-tests"
INTERFACE = "otto-de"
WEBHOOK_KEY = "a-signature-key-of-the-tests"
SHIP_FROM = {"ship_from_city": "Hamburg", "ship_from_zip": "22179", "scope": "orders shipments availability"}
MAPPINGS = (
    ("payment", "INVOICE_SINGLE", "2"),
    ("shipping", "DELIVERY_FEE_STANDARD", "3"),
    ("tax", "19.0", "normal"),
    ("setting", "customer", "1"),
    ("setting", "project", "1"),
    ("setting", "channel", "4"),
    ("setting", "shipping-article", "9001"),
    ("setting", "discount-article", "9002"),
)


def order_event(number: str, **order: Any) -> dict[str, Any]:
    """A good `order-imported.v1` for an article that both stand-ins know."""
    address = {"name": "Erika Muster", "street": "Teststr.", "house_number": "1a", "zip_code": "22179",
               "city": "Hamburg", "country": "DE"}  # fmt: skip
    whole: dict[str, Any] = {
        "number": number, "marketplace_id": str(uuid.uuid5(uuid.NAMESPACE_URL, number)), "version": 1,
        "ordered_at": "2026-11-23T09:58:00Z", "currency": "EUR",
        "customer": {"email": "e@example.org", "first_name": "Erika", "last_name": "Muster"},
        "billing_address": address, "shipping_address": address,
        "lines": [{"id": "1", "sku": "ABC-1", "title": "Shirt", "quantity": 2, "unit_price": "19.99",
                   "tax_rate": "19.0"}],
        "shipping": {"method": "DELIVERY_FEE_STANDARD", "price": "4.90", "tax_rate": "19.0"},
        "payment": {"method": "INVOICE_SINGLE"}, "total": "44.88",
    }  # fmt: skip
    return {
        "specversion": "1.0", "id": f"event-{number}-{order.get('version', 1)}", "source": "/tests",
        "type": "order-imported.v1", "time": datetime.now(UTC).isoformat(),
        "data": {"interface": INTERFACE, "order": whole | order},
    }  # fmt: skip


@dataclass
class System:
    """Processes come and go; database, broker and stand-ins stay.

    published: events so far; planted: processes that were started with a fault; forked: see `tests.support.nursery`.
    """

    folder: Path
    database_url: str
    broker_url: str
    stand: Stand
    processes: dict[str, Process] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    published: int = 0
    planted: int = 0
    forked: bool = True

    def prepare(
        self,
        *,
        calls_per_second: float = 1000.0,
        calls_at_once: int = 8,
        poll_seconds: int = 900,
        sends_at_once: int = 8,
    ) -> None:
        """Schema, topology, and one live interface with all its mappings.

        calls_at_once: of the ERP; sends_at_once: of the marketplace.
        """
        migrate(self.database_url)
        apply(self.broker_url)
        self.add(
            INTERFACE, calls_per_second=calls_per_second, calls_at_once=calls_at_once, poll_seconds=poll_seconds,
            sends_at_once=sends_at_once,
        )  # fmt: skip

    def add(
        self,
        slug: str,
        *,
        calls_per_second: float = 1000.0,
        calls_at_once: int = 8,
        poll_seconds: int = 900,
        sends_at_once: int = 8,
    ) -> None:
        """A live interface with all its mappings, between the stand-ins; several share them."""
        with connect(self.database_url, "tests") as conn:
            add_interface(
                conn, Seal(SECRET), slug=slug, title="OTTO Deutschland", marketplace="otto", erp="xentral", mode="live",
                marketplace_side=NewSide(
                    {"base_url": self.stand.addresses["otto"], "client_id": "demo", **SHIP_FROM},
                    {"client_secret": "demo"}, 1000.0, sends_at_once,
                ),
                erp_side=NewSide(
                    {"base_url": self.stand.addresses["xentral"]}, {"token": "demo", "webhook_key": WEBHOOK_KEY},
                    calls_per_second, calls_at_once,
                ),
                poll_seconds=poll_seconds,
            )  # fmt: skip
            for kind, source, target in MAPPINGS:
                save_mapping(conn, slug, kind, source, target)

    def start(
        self,
        name: str = "importer",
        service: str = "importer",
        *,
        module: Sequence[str] = (),
        cwd: Path = PROJECT,
        **settings: str,
    ) -> Process:
        """Start a process; settings are `CONNECT_…` in lower case, e.g. `fault="work.called:kill"`.

        module: another module to run in place of the service, with its arguments; cwd: another release's folder.
        """
        environment = {name_: value for name_, value in os.environ.items() if not name_.startswith("CONNECT_")} | {
            "CONNECT_DATABASE_URL": self.database_url,
            "CONNECT_AMQP_URL": self.broker_url,
            "CONNECT_SECRET_KEY": SECRET,
            "CONNECT_ALLOWED_NETWORKS": LOOPBACK,
            "CONNECT_METRICS_PORT": "0",
            "CONNECT_PORT": "0",
            "CONNECT_LOG_FORMAT": "json",
            "CONNECT_LEASE_SECONDS": "2",
            "CONNECT_CALL_SECONDS": "2",
            "CONNECT_PROBE_MINUTES": "0",  # tests count the calls of the ERP
            **self.environment,
            **{f"CONNECT_{key.upper()}": value for key, value in settings.items()},
        }
        self.planted += bool(settings.get("fault"))
        run = module or (f"services.{service}",)
        with (self.folder / f"{name}.log").open("ab") as log:
            if cwd == PROJECT and self.forked:
                self.processes[name] = nursery.start(run, cwd, environment, log)
            else:
                extra = {} if cwd == PROJECT else {"PYTHONPATH": str(cwd)}
                command = [sys.executable, "-m", *run]
                self.processes[name] = subprocess.Popen(
                    command, cwd=cwd, env=environment | extra, stdout=log, stderr=log
                )
        return self.processes[name]

    def end(self, name: str = "importer", number: int = signal.SIGTERM, seconds: float = 60.0) -> int:
        """Send a signal and wait; returns the exit code."""
        process = self.processes.pop(name)
        process.send_signal(number)
        return process.wait(seconds)

    def log(self, name: str = "importer") -> list[dict[str, Any]]:
        """The log of a process, parsed; what is no JSON is a failure of its own."""
        return [json.loads(line) for line in self.log_text(name).splitlines() if line[:1] == "{"]

    def log_text(self, name: str = "importer") -> str:
        """The log of a process as it is."""
        return (self.folder / f"{name}.log").read_text()

    def publish(
        self, events: Sequence[Mapping[str, Any] | bytes], kind: str = "order-imported", interface: str = INTERFACE
    ) -> None:
        """Publish to the exchange, confirmed; what the broker does not confirm is published again."""
        left = [
            event if isinstance(event, bytes) else json.dumps(event, ensure_ascii=False).encode() for event in events
        ]
        self.published += len(left)
        publisher = open_publisher(self.broker_url, name="tests")
        try:
            for _ in range(30):
                messages = [Message(body, f"{kind}.v1.{interface}") for body in left]
                fates = publisher.publish(messages)
                left = [body for body, fate in zip(left, fates, strict=True) if fate is not Fate.CONFIRMED]
                if not left:
                    return
        finally:
            publisher.close()
        raise AssertionError(f"{len(left)} events were not confirmed")

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows of the database."""
        with connect(self.database_url, "tests") as conn:
            return conn.execute(statement, values).fetchall()

    def change(self, statement: str, *values: Any) -> None:
        """Change the database, as time or a person would."""
        with connect(self.database_url, "tests") as conn:
            conn.execute(statement, values)

    def request(self, verb: str, numbers: Sequence[str]) -> str:
        """Ask for something by number: `import`, `export`, `sync`; returns the receipt's id."""
        with connect(self.database_url, "tests") as conn:
            return str(request(conn, verb, INTERFACE, numbers, "tests"))

    def receipt_complete(self) -> bool:
        """Whether no number is waiting for an answer."""
        return self.query("SELECT count(*) FROM receipt_numbers WHERE result = 'queued'") == [(0,)]

    def states(self, flow: str = "order-import") -> Counter[str]:
        """How many records are in each state."""
        found = self.query("SELECT state, count(*) FROM records WHERE flow = %s GROUP BY state", flow)
        return Counter(dict(found))

    def until_settled(self, count: int, seconds: float = 60.0) -> Counter[str]:
        """Wait until so many records exist and none is on its way any more."""

        def settled() -> Counter[str] | None:
            states = self.states()
            busy = states["pending"] + states["running"] + states["waiting"]
            return states if states.total() >= count and busy == 0 else None

        return until(settled, f"{count} records are settled, but: {self.states()}", seconds)

    def ledger(self) -> Counter[str]:
        """What the ERP has: how often each order number."""
        return Counter(order["externalOrderNumber"] for order in self.stand.state("xentral")["salesOrders"])

    def assert_books_balance(self) -> None:
        """Both sides of the books agree, with no remainder."""
        with connect(self.database_url, "tests") as conn:
            for day in conn.execute("SELECT DISTINCT received_at::date FROM arrivals").fetchall():
                books = accounting(conn, None, day[0])
                assert books["balanced"], json.dumps(books, default=str, indent=1)

    def assert_history_has_no_gaps(self) -> None:
        """Every record's transitions are numbered without a gap and chained from state to state, as are its parts'."""
        gaps = self.query(
            "SELECT record_id FROM transitions GROUP BY record_id HAVING max(seq) <> count(*) OR min(seq) <> 1"
        )
        assert not gaps, gaps
        broken = self.query(
            "SELECT record_id, seq FROM (SELECT record_id, seq, from_state,"
            " lag(to_state) OVER w AS before, row_number() OVER w AS place FROM transitions WHERE seq >= 2 WINDOW w AS"
            " (PARTITION BY record_id, CASE WHEN stage IN ('status', 'tracking') THEN stage END ORDER BY seq)) t"
            " WHERE place > 1 AND from_state IS DISTINCT FROM before"
        )
        assert not broken, broken


@contextmanager
def running(system: System) -> Iterator[System]:
    """Whatever a test started ends with it."""
    try:
        yield system
    finally:
        for process in system.processes.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait(10)
