"""What the stand-in of Vendure keeps: in memory to be searched, in SQLite so that a kill and a restart lose nothing."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

Raw = dict[str, Any]
LOCATIONS: tuple[Raw, ...] = (
    {"id": "1", "name": "Default Stock Location", "createdAt": "2026-01-01T00:00:00.000Z"},
    {"id": "2", "name": "Outlet", "createdAt": "2026-01-02T00:00:00.000Z"},
)
"""The first one is ours: nothing lies there until a quantity was sent. The shop's own goods lie in the second."""

OUTLET_STOCK = 100_000

_SCHEMA = """
create table if not exists things (kind text, id integer, body text not null, primary key (kind, id));
"""


class Store:
    """Safe for many threads: everything happens behind one lock, which is fast enough for a stand-in."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.lock = threading.RLock()
        self._db = sqlite3.connect(folder / "vendure.sqlite3", check_same_thread=False, isolation_level=None)
        # A commit in the write-ahead log survives the death of the process, though not of the machine.
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = normal")
        self._db.executescript(_SCHEMA)
        self.orders: dict[str, Raw] = self._read("order")
        self.variants: dict[str, Raw] = self._read("variant")
        self.fulfilments: dict[str, Raw] = self._read("fulfilment")

    def _read(self, kind: str) -> dict[str, Raw]:
        rows = self._db.execute("select id, body from things where kind = ? order by id", (kind,))
        return {str(number): json.loads(body) for number, body in rows}

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Changes made inside are kept: those of the things that `touched` names."""
        with self.lock:
            self._touched: set[tuple[str, str]] = set()
            yield
            self._db.execute("begin immediate")
            for kind, number in self._touched:
                body = self._held(kind)[number]
                self._db.execute(
                    "insert or replace into things values (?, ?, ?)", (kind, int(number), json.dumps(body))
                )
            self._db.execute("commit")

    def touched(self, kind: str, number: str) -> None:
        """An order, a variant or a fulfilment was changed."""
        self._touched.add((kind, number))

    def add(self, kind: str, thing: Raw) -> Raw:
        """Keep a new one under the next id."""
        held = self._held(kind)
        thing["id"] = str(1 + max(map(int, held), default=0))
        held[thing["id"]] = thing
        self.touched(kind, thing["id"])
        return thing

    def _held(self, kind: str) -> dict[str, Raw]:
        return {"order": self.orders, "variant": self.variants, "fulfilment": self.fulfilments}[kind]

    def order(self, key: str) -> Raw | None:
        """The order with this code, or with this id as `id:17`."""
        with self.lock:
            if key.startswith("id:"):
                return self.orders.get(key.removeprefix("id:"))
            return next((order for order in self.orders.values() if order["code"] == key), None)

    def variant(self, sku: str) -> Raw | None:
        """The variant with this SKU."""
        with self.lock:
            return next((each for each in self.variants.values() if each["sku"] == sku), None)

    def save_products(self, products: Sequence[Mapping[str, Any]], mend: bool = True) -> None:
        """Add variants by `sku`, and mend those that exist unless told not to."""
        with self.keeping():
            for product in products:
                held = self.variant(product["sku"])
                if held is None:
                    now = stamp()
                    outlet = {
                        "stockLocationId": "2",
                        "stockOnHand": OUTLET_STOCK,
                        "stockAllocated": 0,
                        "updatedAt": now,
                    }
                    held = self.add(
                        "variant",
                        {
                            "sku": product["sku"],
                            "name": str(product.get("name", product["sku"])),
                            "price": str(product.get("price", "19.99")),
                            "trackInventory": "TRUE",
                            "stockLevels": [outlet],
                        },
                    )
                elif mend:
                    held.update({name: value for name, value in product.items() if name in held and name != "id"})
                    self.touched("variant", held["id"])

    def level(self, variant: Raw, location: str | None = None) -> Raw | None:
        """The stock level at a location; without one where the shop takes from: ours, as soon as there is one."""
        levels: list[Raw] = sorted(variant["stockLevels"], key=lambda each: str(each["stockLocationId"]))
        if location is None:
            return levels[0]
        return next((each for each in levels if each["stockLocationId"] == location), None)

    def quantities(self) -> dict[str, int]:
        """What may be sold of the stock at our location, by SKU."""
        told = {}
        for variant in self.variants.values():
            level = self.level(variant, "1")
            if level is not None:
                told[variant["sku"]] = max(level["stockOnHand"] - level["stockAllocated"], 0)
        return told

    def trim(self, keep: int) -> None:
        """Drop the oldest orders and fulfilments beyond `keep`."""
        with self.lock:
            for kind, held in (("order", self.orders), ("fulfilment", self.fulfilments)):
                for number in list(held)[: max(len(held) - keep, 0)]:
                    del held[number]
                    self._db.execute("delete from things where kind = ? and id = ?", (kind, int(number)))


def stamp(ago: float = 0.0) -> str:
    """Now, or so many seconds ago, as Vendure writes times."""
    moment = datetime.now(UTC) - timedelta(seconds=ago)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
