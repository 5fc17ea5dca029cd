"""What the stand-in of OTTO Market keeps: products and orders, in SQLite, so that a kill and a restart lose nothing."""

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
            order["lastModifiedDate"] = order["orderLifecycleInformation"]["lifecycleChangeDate"] = stamp()
            db.execute(
                "update orders set changed = ?, ordered = ?, buckets = ?, statuses = ?, body = ? where id = ?",
                (*_columns(order), order["salesOrderId"]),
            )
            return True

    def page(self, query: Mapping[str, Any]) -> list[tuple[int, str, str]]:
        """(seq, changed, body) of up to `limit` orders behind the position (`changed`, `seq`)."""
        with self._lock:
            return self._db.execute(_DESCENDING if query["descending"] else _ASCENDING, query).fetchall()

    def bodies(self) -> list[str]:
        """The JSON of every order, in the order of placing."""
        with self._lock:
            return [body for (body,) in self._db.execute("select body from orders order by seq")]

    def trim(self, keep: int) -> None:
        """Drop the oldest orders beyond `keep`."""
        with self.transaction() as db:
            db.execute("delete from orders where seq <= (select max(seq) from orders) - ?", (keep,))


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
