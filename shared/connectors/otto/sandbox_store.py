"""What the stand-in of OTTO Market keeps, in SQLite, so that a kill and a restart lose nothing: products, orders,
quantities, shipments, and wishes to cancel that have not come true yet.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

Raw = dict[str, Any]

_SCHEMA = """
create table if not exists products (sku text primary key, body text not null);
create table if not exists orders (
    seq integer primary key autoincrement, id text not null unique, number text not null unique,
    changed text not null, ordered text not null, buckets text not null, statuses text not null, body text not null
);
create index if not exists orders_by_change on orders (changed, seq);
create table if not exists quantities (
    seq integer primary key autoincrement, sku text not null unique, quantity integer not null, modified text not null
);
create table if not exists shipments (
    seq integer primary key autoincrement, id text not null unique, carrier text not null, number text,
    created text not null, body text not null
);
create index if not exists shipments_by_number on shipments (carrier, number);
create table if not exists cancellations (seq integer primary key autoincrement, id text not null, items text not null,
                                          due real not null);
"""

# A filter in which every part can be left open; statuses come as a JSON list of "|STATUS|".
_WHERE = """
select seq, changed, body from orders
 where changed >= :since and ordered >= :ordered_since and ordered <= :ordered_until
   and (:statuses = '[]' or exists (
        select 1 from json_each(:statuses)
         where instr(case :mode when 'BUCKET' then buckets else statuses end, value) > 0))
"""
_ASCENDING = _WHERE + " and (changed, seq) > (:changed, :seq) order by changed, seq limit :limit"
_DESCENDING = _WHERE + " and (changed, seq) < (:changed, :seq) order by changed desc, seq desc limit :limit"


class Store:
    """Safe for many threads: one connection behind one lock, which is fast enough for a stand-in."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(folder / "otto.sqlite3", check_same_thread=False, isolation_level=None)
        # A commit in the write-ahead log survives the death of the process, though not of the machine.
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = normal")
        self._db.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, one at a time."""
        with self._lock:
            self._db.execute("begin immediate")
            try:
                yield self._db
            except BaseException:
                self._db.execute("rollback")
                raise
            self._db.execute("commit")

    def save_products(self, products: Sequence[Mapping[str, Any]], mend: bool = True) -> None:
        """Add products by `sku`, and mend those that exist unless told not to."""
        with self.transaction() as db:
            for product in products:
                row = db.execute("select body from products where sku = ?", (product["sku"],)).fetchone()
                if row and not mend:
                    continue
                body = {**(json.loads(row[0]) if row else {}), **product}
                db.execute("insert or replace into products values (?, ?)", (product["sku"], json.dumps(body)))

    def products(self) -> list[Raw]:
        """Everything the marketplace lists."""
        with self._lock:
            return [json.loads(body) for (body,) in self._db.execute("select body from products order by rowid")]

    def add_orders(self, orders: Sequence[Raw]) -> None:
        """Store new orders. Raises ValueError when a number or id exists: a marketplace never gives one twice."""
        with self.transaction() as db:
            try:
                db.executemany(
                    "insert into orders (id, number, changed, ordered, buckets, statuses, body) values (?,?,?,?,?,?,?)",
                    [(order["salesOrderId"], order["orderNumber"], *_columns(order)) for order in orders],
                )
            except sqlite3.IntegrityError:
                raise ValueError("an order with this number exists") from None

    def order(self, key: str) -> str | None:
        """The JSON of the order with this id or number."""
        with self._lock:
            row = self._db.execute("select body from orders where number = ? or id = ?", (key, key)).fetchone()
        return row[0] if row else None

    def change(self, key: str, mend: Callable[[Raw], bool]) -> bool | None:
        """Let `mend` alter an order; it says whether it did. None where there is no such order."""
        with self.transaction() as db:
            body = self.order(key)
            if body is None:
                return None
            order = json.loads(body)
            if not mend(order):
                return False
            self._keep(db, order)
            return True

    def _keep(self, db: sqlite3.Connection, order: Raw) -> None:
        order["lastModifiedDate"] = order["orderLifecycleInformation"]["lifecycleChangeDate"] = stamp()
        db.execute(
            "update orders set changed = ?, ordered = ?, buckets = ?, statuses = ?, body = ? where id = ?",
            (*_columns(order), order["salesOrderId"]),
        )

    def page(self, query: Mapping[str, Any]) -> list[tuple[int, str, str]]:
        """(seq, changed, body) of up to `limit` orders behind the position (`changed`, `seq`)."""
        with self._lock:
            return self._db.execute(_DESCENDING if query["descending"] else _ASCENDING, query).fetchall()

    def bodies(self) -> list[str]:
        """The JSON of every order, in the order of placing."""
        with self._lock:
            return [body for (body,) in self._db.execute("select body from orders order by seq")]

    def trim(self, keep: int) -> None:
        """Drop the oldest orders and shipments beyond `keep`."""
        with self.transaction() as db:
            db.execute("delete from orders where seq <= (select max(seq) from orders) - ?", (keep,))
            db.execute("delete from shipments where seq <= (select max(seq) from shipments) - ?", (keep,))

    def skus(self) -> set[str]:
        """What the marketplace lists."""
        with self._lock:
            return {sku for (sku,) in self._db.execute("select sku from products")}

    def save_quantities(self, quantities: Sequence[tuple[str, int, str]]) -> None:
        """(sku, quantity, time of the change); the newest stands."""
        with self.transaction() as db:
            db.executemany(
                "insert into quantities (sku, quantity, modified) values (?, ?, ?) "
                "on conflict (sku) do update set quantity = excluded.quantity, modified = excluded.modified",
                quantities,
            )

    def quantities(self, after: int, limit: int) -> list[tuple[int, str, int, str]]:
        """A page of (seq, sku, quantity, time of the change)."""
        with self._lock:
            query = "select seq, sku, quantity, modified from quantities where seq > ? order by seq limit ?"
            return self._db.execute(query, (after, limit)).fetchall()

    def quantity(self, sku: str) -> tuple[str, int, str] | None:
        """(sku, quantity, time of the change), None before a first one was sent."""
        with self._lock:
            row = self._db.execute("select sku, quantity, modified from quantities where sku = ?", (sku,)).fetchone()
        return (row[0], row[1], row[2]) if row else None

    def ship(self, shipment: Raw, apply: bool) -> tuple[list[str], list[str]]:
        """Ship its position items, all or none: (items that do not exist, items that cannot be shipped)."""
        key = shipment["trackingKey"]
        tracking = {"carrier": key["carrier"], "trackingNumber": key.get("trackingNumber", "")}
        missing: list[str] = []
        busy: list[str] = []
        with self.transaction() as db:
            orders: dict[str, Raw] = {}
            for wanted in shipment["positionItems"]:
                order_id, item_id = wanted["salesOrderId"], wanted["positionItemId"]
                if order_id not in orders:
                    orders[order_id] = json.loads(self.order(order_id) or '{"positionItems": []}')
                items = [each for each in orders[order_id]["positionItems"] if each["positionItemId"] == item_id]
                if not items:
                    missing.append(item_id)
                elif items[0]["fulfillmentStatus"] != "PROCESSABLE":
                    busy.append(item_id)
                else:
                    items[0].update(fulfillmentStatus="SENT", sentDate=shipment["creationDate"], trackingInfo=tracking)
            if missing or busy or not apply:
                return missing, busy
            for order in orders.values():
                self._keep(db, order)
            db.execute(
                "insert into shipments (id, carrier, number, created, body) values (?, ?, ?, ?, ?)",
                (
                    shipment["shipmentId"],
                    key["carrier"],
                    key.get("trackingNumber"),
                    shipment["creationDate"],
                    json.dumps(shipment),
                ),
            )
        return [], []

    def shipments(self, after: int = 0, limit: int = -1, since: str = "") -> list[tuple[int, Raw]]:
        """(seq, shipment) of those created since then, in the order of sending."""
        query = "select seq, body from shipments where seq > ? and created >= ? order by seq limit ?"
        with self._lock:
            return [(seq, json.loads(body)) for seq, body in self._db.execute(query, (after, since, limit))]

    def shipment(self, shipment_id: str) -> Raw | None:
        """One shipment."""
        return self._one_shipment("id = ?", (shipment_id,))

    def shipment_by_number(self, carrier: str, number: str) -> Raw | None:
        """The first shipment with this carrier and number; the real one shows a single one as well."""
        return self._one_shipment("carrier = ? and number = ?", (carrier, number))

    def _one_shipment(self, where: str, values: tuple[str, ...]) -> Raw | None:
        query = f"select body from shipments where {where} order by seq limit 1"  # noqa: S608 - our own words
        with self._lock:
            row = self._db.execute(query, values).fetchone()
        return dict(json.loads(row[0])) if row else None

    def wish_to_cancel(self, key: str, items: Sequence[str], due: float) -> None:
        """Cancel these items at that time (seconds since 1970)."""
        with self.transaction() as db:
            db.execute("insert into cancellations (id, items, due) values (?, ?, ?)", (key, json.dumps(items), due))

    def due_cancellations(self, now: float) -> list[tuple[str, list[str]]]:
        """(order, items) of the wishes whose time has come; they are forgotten with that."""
        with self.transaction() as db:
            query = "delete from cancellations where due <= ? returning id, items"
            return [(key, json.loads(items)) for key, items in db.execute(query, (now,)).fetchall()]


def stamp(ago: float = 0.0) -> str:
    """Now, or so many seconds ago, as OTTO writes times."""
    return (datetime.now(UTC) - timedelta(seconds=ago)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _columns(order: Raw) -> tuple[str, str, str, str, str]:
    """What the list is filtered by. Buckets are OTTO's: open items keep an order out of the later ones."""
    statuses = {item["fulfillmentStatus"] for item in order["positionItems"]}
    buckets = {status for status in statuses if status.startswith("CANCELLED")}
    for status in ("ANNOUNCED", "PROCESSABLE", "SENT", "RETURNED"):
        if status in statuses:
            buckets.add(status)
            break
    changed = order["orderLifecycleInformation"]["lifecycleChangeDate"]
    return changed, order["orderDate"], _marks(buckets), _marks(statuses), json.dumps(order)


def _marks(statuses: set[str]) -> str:
    return "".join(f"|{status}|" for status in sorted(statuses))
