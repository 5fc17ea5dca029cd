"""What the stand-in of Shopify keeps, in SQLite, so that a kill and a restart lose nothing: products with what is
available of them, orders with their parcels, and cancellations that have not come true yet.
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
create table if not exists products (
    id integer primary key autoincrement, sku text not null unique, body text not null,
    available integer not null default 0, changed text
);
create table if not exists orders (
    seq integer primary key autoincrement, id text not null unique, name text not null unique,
    updated text not null, body text not null
);
create index if not exists orders_by_change on orders (updated, seq);
create table if not exists cancellations (seq integer primary key autoincrement, id text not null, due real not null);
"""


class Store:
    """Safe for many threads: one connection behind one lock, which is fast enough for a stand-in."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(folder / "shopify.sqlite3", check_same_thread=False, isolation_level=None)
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

    # -- products ----------------------------------------------------------------------------------------------------

    def save_products(self, products: Sequence[Mapping[str, Any]], mend: bool = True) -> None:
        """Add products by `sku`, and mend those that exist unless told not to."""
        with self.transaction() as db:
            for product in products:
                row = db.execute("select body from products where sku = ?", (product["sku"],)).fetchone()
                if row and not mend:
                    continue
                body = json.dumps({**(json.loads(row[0]) if row else {}), **product})
                db.execute(
                    "insert into products (sku, body) values (?, ?)"
                    " on conflict (sku) do update set body = excluded.body",
                    (product["sku"], body),
                )

    def products(self) -> list[Raw]:
        """Everything the shop lists, with the number of its inventory item, what is available, and since when."""
        with self._lock:
            rows = self._db.execute("select id, body, available, changed from products order by id").fetchall()
        return [{**json.loads(body), "id": id_, "available": count, "changed": at} for id_, body, count, at in rows]

    def set_available(self, quantities: Sequence[tuple[int, int]]) -> None:
        """(inventory item, quantity)."""
        now = stamp()
        with self.transaction() as db:
            rows = [(quantity, now, item) for item, quantity in quantities]
            db.executemany("update products set available = ?, changed = ? where id = ?", rows)

    # -- orders ------------------------------------------------------------------------------------------------------

    def add_orders(self, count: int, make: Callable[[int, int], Raw]) -> list[Raw]:
        """Store new orders; `make(index, number)` invents one. ValueError when a name exists."""
        with self.transaction() as db:
            (last,) = db.execute("select coalesce(max(seq), 0) from orders").fetchone()
            orders = [make(index, last + 1 + index) for index in range(count)]
            try:
                db.executemany(
                    "insert into orders (id, name, updated, body) values (?, ?, ?, ?)",
                    [(each["id"], each["name"], each["updatedAt"], json.dumps(each)) for each in orders],
                )
            except sqlite3.IntegrityError:
                raise ValueError("an order with this number exists") from None
        return orders

    def order(self, key: str) -> Raw | None:
        """The order with this global id or name."""
        with self._lock:
            row = self._db.execute("select body from orders where id = ? or name = ?", (key, key)).fetchone()
        return dict(json.loads(row[0])) if row else None

    def change(self, key: str, mend: Callable[[Raw], bool]) -> bool | None:
        """Let `mend` alter an order; it says whether it did. None where there is no such order."""
        with self.transaction() as db:
            order = self.order(key)
            if order is None:
                return None
            if not mend(order):
                return False
            order["updatedAt"] = stamp()
            row = (order["updatedAt"], json.dumps(order), order["id"])
            db.execute("update orders set updated = ?, body = ? where id = ?", row)
            return True

    def page(self, since: str, after: tuple[str, int], limit: int) -> list[tuple[int, str, Raw]]:
        """(seq, time of the change, order) of up to `limit` orders behind the position `after`, oldest change first."""
        query = """select seq, updated, body from orders
                    where updated >= ? and (updated, seq) > (?, ?) order by updated, seq limit ?"""
        with self._lock:
            rows = self._db.execute(query, (since, *after, limit)).fetchall()
        return [(seq, updated, json.loads(body)) for seq, updated, body in rows]

    def orders(self) -> list[Raw]:
        """Every order, in the order of placing."""
        with self._lock:
            return [json.loads(body) for (body,) in self._db.execute("select body from orders order by seq")]

    def trim(self, keep: int) -> None:
        """Drop the oldest orders beyond `keep`."""
        with self.transaction() as db:
            db.execute("delete from orders where seq <= (select max(seq) from orders) - ?", (keep,))

    def wish_to_cancel(self, order_id: str, due: float) -> None:
        """Cancel this order at that time (seconds since 1970)."""
        with self.transaction() as db:
            db.execute("insert into cancellations (id, due) values (?, ?)", (order_id, due))

    def due_cancellations(self, now: float) -> list[str]:
        """The orders whose time has come; they are forgotten with that."""
        with self.transaction() as db:
            rows = db.execute("delete from cancellations where due <= ? returning id", (now,)).fetchall()
        return [order_id for (order_id,) in rows]


def stamp(ago: float = 0.0) -> str:
    """Now, or so many seconds ago, as Shopify writes times: whole seconds."""
    return (datetime.now(UTC) - timedelta(seconds=ago)).isoformat(timespec="seconds").replace("+00:00", "Z")
