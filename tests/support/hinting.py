"""An interface whose ERP tells hints, the loops that look at them, and a broker that keeps what they publish."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from psycopg_pool import ConnectionPool

from shared.broker.delivery import Fate, Message, Publisher
from shared.connectors.contract import StockSource
from shared.connectors.open import open_stock_source, open_webhook_setup
from shared.connectors.registry import discover
from shared.db.connect import Connection, connect
from shared.failpoint import Planted
from shared.metrics import Metrics
from shared.records.interfaces import Interface, NewSide, add_interface, read
from shared.records.receive import NO_DATA
from shared.runtime.hinted import Desk, Hinted
from shared.runtime.hinted_orders import ORDER_KINDS, HintedOrders
from shared.runtime.hinted_stock import STOCK_KINDS, HintedStock
from shared.runtime.intake import Intake
from shared.runtime.look import OpenLook
from shared.runtime.prepare import Arrival
from shared.runtime.remotes import Remotes
from tests.connectors.conftest import opened
from tests.connectors.test_conformance import draft_of
from tests.support.creating import SEAL
from tests.support.sandbox import Stand
from tests.support.spine import SLUG, nothing
from tests.support.system import WEBHOOK_KEY

Run = Callable[[Callable[[], None], Callable[[], bool], Callable[[float], None]], None]


def add(conn: Connection, stand: Stand, *, calls: float = 1000.0, channel: str = "4", mode: str = "live") -> None:
    """The interface with a signature key and a listing that takes every article."""
    erp = {"base_url": stand.addresses["xentral"], "channel": channel}
    add_interface(
        conn, SEAL, slug=SLUG, title="OTTO Deutschland", marketplace="otto", erp="xentral", mode=mode,
        marketplace_side=NewSide(
            {"base_url": stand.addresses["otto"], "client_id": "demo"}, {"client_secret": "demo"}, 1000.0
        ),
        erp_side=NewSide(erp, {"token": "demo", "webhook_key": WEBHOOK_KEY}, calls),
    )  # fmt: skip
    conn.execute("INSERT INTO listings(interface) VALUES (%s)", (SLUG,))


def store_listed(conn: Connection, *skus: str, kind: str = "simple") -> None:
    """Articles that the interface lists, as grey as a listing makes them."""
    conn.execute(
        "WITH r AS (INSERT INTO records(interface, flow, key, stage, state, payload_no, changed_at, data_hash)"
        " SELECT %(slug)s, 'stock', sku, 'stock', 'never', 0, 'epoch', %(none)s FROM unnest(%(skus)s::text[]) AS w(sku)"
        " RETURNING id, key) INSERT INTO articles(record_id, interface, sku, name, kind, listed_at)"
        " SELECT id, %(slug)s, key, key, %(kind)s, now() FROM r",
        {"slug": SLUG, "none": NO_DATA, "skus": list(skus), "kind": kind},
    )


def product(stand: Stand, sku: str, **more: Any) -> str:
    """A product of the ERP; its id there."""
    stand.post("xentral", "products", [{"sku": sku, **more}])
    return next(str(each["id"]) for each in stand.state("xentral")["products"] if each["sku"] == sku)


def quantity(stand: Stand, sku: str, amount: int) -> None:
    """The ERP has so many."""
    stand.post("xentral", "stock", [{"sku": sku, "warehouses": {"1": amount, "2": 0}}])


def created(stand: Stand, number: str, sku: str = "ABC-1") -> str:
    """An order of ours in the ERP; its id there."""
    with opened(discover()["xentral"], stand) as side:
        return str(side.sink.create_order(draft_of(side, number, (sku,))).id)


def read_interface(conn: Connection, slug: str = SLUG) -> Interface | None:
    """The interface with its secrets opened."""
    return read(conn, SEAL, slug)


def register(remotes: Remotes, interface: Interface, url: str) -> None:
    """As `connect interfaces webhook` does."""
    setup, close = remotes.open(interface, "erp", open_webhook_setup)
    try:
        setup.register("Connect tests", url)
    finally:
        close()


class Broker:
    """Confirms or not, and keeps what was published."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.fate = Fate.CONFIRMED

    def publish(self, messages: Sequence[Message], deadline: float = 10.0) -> list[Fate]:
        self.messages += messages
        return [self.fate] * len(messages)

    def wake(self, stage: str, interfaces: Sequence[str]) -> None: ...

    def close(self) -> None: ...

    def events(self) -> list[dict[str, Any]]:
        """What was published since the last question."""
        found, self.messages = [json.loads(message.body) for message in self.messages], []
        return found


class Failpoint:
    """Raises where the test wants it, once."""

    def __init__(self) -> None:
        self.at = ""

    def __call__(self, name: str) -> None:
        if name == self.at:
            self.at = ""
            raise Planted(name)


class Hinting:
    """Both loops of one interface, turned by hand."""

    def __init__(self, url: str, pool: ConnectionPool[Connection], conn: Connection) -> None:
        self.url, self.conn = url, conn
        self.broker, self.failpoint = Broker(), Failpoint()
        self.fatal: list[BaseException] = []
        self.remotes = Remotes(discover(), pool, Metrics("tests", "0"), 5.0)
        self.open_publisher: Callable[[], Publisher] = lambda: self.broker
        self.orders, self.articles = self.loop_orders(), self.loop_articles()

    def stock(self, interface: Interface) -> tuple[StockSource, Callable[[], None]]:
        """The ERP's quantities."""
        return self.remotes.open(interface, "erp", open_stock_source)

    def loop_orders(self) -> Hinted:
        """As the exporter wires it."""
        return self.loop(ORDER_KINDS, self._open_orders)

    def loop_articles(self) -> Hinted:
        """As stock wires it."""
        return self.loop(STOCK_KINDS, self._open_articles)

    def loop(self, kinds: Sequence[str], open_look: OpenLook) -> Hinted:
        """A loop as a service wires it."""
        return Hinted(
            kinds, open_look, connect=lambda: connect(self.url, "hints"), read=read_interface,
            open_publisher=lambda: self.open_publisher(), failpoint=lambda name: self.failpoint(name),
            fatal=self.fatal.append,
        )  # fmt: skip

    def _open_orders(self, interface: Interface) -> tuple[HintedOrders, Callable[[], None]]:
        source, close = self.remotes.changes(interface)
        return HintedOrders(source), close

    def _open_articles(self, interface: Interface) -> tuple[HintedStock, Callable[[], None]]:
        source, close = self.stock(interface)
        return HintedStock(source), close

    def once(self, loop: Hinted) -> list[dict[str, Any]]:
        """Whatever is due is looked at, batch by batch; what was published."""
        self.turn(loop)
        return self.broker.events()

    def turn(self, loop: Hinted) -> None:
        """The same; the broker keeps what was published."""
        desk = Desk(loop.open_look, self.broker)
        try:
            while loop.once(self.conn, SLUG, desk):
                pass
        finally:
            desk.close()

    def take_in(self) -> list[str]:
        """What was published comes in; the outcomes."""
        arrivals = []
        for message in self.broker.messages:
            event = message.routing_key.partition(".")[0]
            arrivals.append(Arrival(message.body, event, "tests", event, message.routing_key))
        self.broker.messages = []
        return [str(one.outcome) for one in Intake(nothing).take_in(self.conn, arrivals)]

    def due(self) -> None:
        """Time passes."""
        self.conn.execute("UPDATE hints SET due_at = now()")

    def hints(self) -> list[tuple[Any, ...]]:
        """What nobody has answered: kind, id, how often it was seen, failures, code."""
        return self.conn.execute("SELECT kind, id, no, tries, code FROM hints ORDER BY kind, id").fetchall()


@contextmanager
def looping(run: Run, every: float = 0.02) -> Iterator[None]:
    """A loop on a thread of its own."""
    stop = threading.Event()

    def pause(seconds: float) -> None:
        stop.wait(min(seconds, every))

    thread = threading.Thread(target=run, args=(nothing, stop.is_set, pause))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()
