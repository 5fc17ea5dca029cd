"""What the stand-in of Xentral keeps, in SQLite: a kill and a restart lose nothing.

Products and orders are handled here, the other tables where their part of the interface is.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Raw = dict[str, Any]

_SCHEMA = """
create table if not exists products (id integer primary key autoincrement, sku text not null unique, body text not null,
                                     created real not null);
create table if not exists orders (
    id integer primary key autoincrement, number text collate nocase, external_id text, status text not null,
    created real not null, body text not null
);
create index if not exists orders_by_number on orders (number, id);
create index if not exists orders_by_status on orders (status, id);
create table if not exists touched (order_id integer primary key, changed real not null);
create index if not exists touched_by_change on touched (changed);
create table if not exists notes (id integer primary key autoincrement, order_id integer not null,
                                  changed real not null, body text not null);
create index if not exists notes_by_order on notes (order_id);
create table if not exists shipments (id integer primary key autoincrement, note_id integer not null,
                                      body text not null);
create table if not exists webhooks (id integer primary key autoincrement, body text not null);
"""

_PRODUCTS = {
    "number": "select id, sku, body from products where sku in (select value from json_each(?))",
    "id": "select id, sku, body from products where id in (select cast(value as integer) from json_each(?))",
}
_VISIBLE = "from orders where created <= :until"
_WANTED = "in (select value from json_each(:wanted))"
_ORDERS = {
    "": _VISIBLE,
    "externalOrderNumber": f"{_VISIBLE} and number {_WANTED}",
    "externalOrderId": f"{_VISIBLE} and external_id {_WANTED}",
    "status": f"{_VISIBLE} and status {_WANTED}",
}


class Store:
    """Safe for many threads: one connection behind one lock, which is fast enough for a stand-in."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._db = sqlite3.connect(folder / "xentral.sqlite3", check_same_thread=False, isolation_level=None)
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
        """Add products by `sku`, and mend those that exist unless told not to; search finds them at once."""
        with self.transaction() as db:
            for product in products:
                row = db.execute("select body from products where sku = ?", (product["sku"],)).fetchone()
                if row and not mend:
                    continue
                if product.get("parent"):
                    self._parent(db, product["parent"])
                body = json.dumps({**(json.loads(row[0]) if row else {}), **product})
                db.execute(
                    "insert into products (sku, body, created) values (?, ?, 0) "
                    "on conflict (sku) do update set body = excluded.body",
                    (product["sku"], body),
                )

    def _parent(self, db: sqlite3.Connection, sku: str) -> None:
        """A variant makes its parent known."""
        body = json.dumps({"sku": sku, "matrix": True})
        db.execute("insert or ignore into products (sku, body, created) values (?, ?, 0)", (sku, body))

    def products(self) -> list[Raw]:
        """Every product with its id."""
        with self._lock:
            rows = self._db.execute("select id, body from products order by id").fetchall()
        return [{"id": str(number), **json.loads(body)} for number, body in rows]

    def find_products(self, key: str, values: Sequence[str]) -> list[Raw]:
        """Those whose `number` (the SKU) or `id` is among the values."""
        with self._lock:
            rows = self._db.execute(_PRODUCTS[key], (json.dumps(list(values)),)).fetchall()
        return [
            {"id": str(number), "number": sku, "name": json.loads(body).get("name", sku)} for number, sku, body in rows
        ]

    def unknown_products(self, ids: Sequence[str]) -> set[str]:
        """Which of these product ids do not exist."""
        with self._lock:
            rows = self._db.execute(
                "select id from products where id in (select cast(value as integer) from json_each(?))",
                (json.dumps(list(ids)),),
            ).fetchall()
        return set(ids) - {str(number) for (number,) in rows}

    def add_order(self, document: Raw) -> str:
        """Store an order as released and return its id. The same external number is taken as often as it comes."""
        with self.transaction() as db:
            cursor = db.execute(
                "insert into orders (number, external_id, status, created, body) values (?, ?, 'released', ?, ?)",
                (
                    document.get("externalOrderNumber"),
                    document.get("externalOrderId"),
                    time.time(),
                    json.dumps(document),
                ),
            )
            touch(db, cursor.lastrowid)
            return str(cursor.lastrowid)

    def find_orders(self, key: str, values: Sequence[str], lag: float, page: int, size: int) -> tuple[list[Raw], int]:
        """A page of the orders that search shows already, and how many there are in all. No values means all."""
        given = {
            "until": time.time() - lag,
            "wanted": json.dumps(list(values)),
            "size": size,
            "skip": (page - 1) * size,
        }
        matching = _ORDERS[key if values else ""]
        with self._lock:
            (total,) = self._db.execute(f"select count(*) {matching}", given).fetchone()
            rows = self._db.execute(
                f"select id, status, body {matching} order by id limit :size offset :skip",
                given,
            ).fetchall()
        return [shown(*row) for row in rows], total

    def order(self, order_id: str) -> Raw | None:
        """One order, at once and whatever its age."""
        with self._lock:
            row = self._db.execute("select id, status, body from orders where id = ?", (order_id,)).fetchone()
        return shown(*row) if row else None

    def orders(self) -> list[Raw]:
        """Every order."""
        with self._lock:
            rows = self._db.execute("select id, status, body from orders order by id").fetchall()
        return [shown(*row) for row in rows]

    def ledger(self, after: int) -> list[Raw]:
        """Every create after this id, in the order of arrival."""
        with self._lock:
            rows = self._db.execute(
                "select id, status, created, body from orders where id > ? order by id", (after,)
            ).fetchall()
        return [{**shown(number, status, body), "created": created} for number, status, created, body in rows]

    def set_status(self, order_id: str, old: Sequence[str], new: str) -> bool:
        """Change the status if it is one of the old ones."""
        with self.transaction() as db:
            cursor = db.execute(
                "update orders set status = ? where id = ? and status in (select value from json_each(?))",
                (new, order_id, json.dumps(list(old))),
            )
            if cursor.rowcount:
                touch(db, order_id)
            return cursor.rowcount == 1

    def ids_of(self, number: str) -> list[str]:
        """The ids of all orders with this external number."""
        with self._lock:
            rows = self._db.execute("select id from orders where number = ? order by id", (number,)).fetchall()
        return [str(order_id) for (order_id,) in rows]

    def trim(self, keep: int) -> None:
        """Drop the oldest orders beyond `keep`."""
        with self.transaction() as db:
            db.execute("delete from orders where id <= (select max(id) from orders) - ?", (keep,))
            oldest = "(select coalesce(min(id), 0) from orders)"
            db.execute(f"delete from touched where order_id < {oldest}")  # noqa: S608 - our own words
            db.execute(f"delete from notes where order_id < {oldest}")  # noqa: S608 - our own words
            db.execute("delete from shipments where note_id < (select coalesce(min(id), 0) from notes)")

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """What a query answers."""
        with self._lock:
            return self._db.execute(query, values).fetchall()

    def notes(self) -> list[Raw]:
        """Every delivery note."""
        return [{"id": str(number), **json.loads(body)} for number, body in self.rows("select id, body from notes")]

    def shipments(self) -> list[Raw]:
        """Every shipment."""
        return [{"id": str(number), **json.loads(body)} for number, body in self.rows("select id, body from shipments")]


def touch(db: sqlite3.Connection, order_id: Any) -> None:
    """The order changed now."""
    db.execute("insert or replace into touched (order_id, changed) values (?, ?)", (order_id, time.time()))


def shown(order_id: int, status: str, body: str) -> Raw:
    """An order as its own page shows it."""
    return {"id": str(order_id), "documentNumber": f"{200000 + order_id}", "status": status, **json.loads(body)}
