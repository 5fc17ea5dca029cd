"""The manual sync: reads from the ERP now what a person asked for by SKU. A parent stands for its variants as well."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.stock.told import asked_parent, read_quantity
from shared.connectors.contract import StockSource
from shared.db.connect import Connection
from shared.records.articles import insist_on, kin, variants
from shared.records.interfaces import Interface
from shared.records.read_back import database_now
from shared.runtime.prepare import Arrival
from shared.runtime.receipts import Found

SOURCE = "/connect/sync"
OpenSource = Callable[[Interface], tuple[StockSource, Callable[[], None]]]


@dataclass(frozen=True, slots=True)
class Read:
    """What the ERP said. at: when reading began; parent_of: by SKU; below: the variants of each parent asked for."""

    at: datetime
    read: Mapping[str, int]
    parent_of: Mapping[str, str | None]
    below: Mapping[str, Sequence[str]]

    def wanted(self, numbers: Sequence[str]) -> dict[str, list[str]]:
        """By number asked for, the SKUs whose quantities it stands for; what the ERP does not know is left out."""
        found: dict[str, list[str]] = {}
        for sku in numbers:
            if sku in self.below:
                found[sku] = [each for each in self.below[sku] if each in self.read]
            elif sku in self.read:
                found[sku] = [sku]
        return found


def read_now(conn: Connection, interface: Interface, numbers: Sequence[str], open_source: OpenSource) -> Read:
    """Read these from the ERP. Raises RemoteError."""
    slug = interface.slug
    known = kin(conn, slug, numbers)
    parents = [sku for sku in numbers if sku in known and known[sku].is_parent]
    below = variants(conn, slug, parents)
    parent_of = {sku: one.parent_sku for sku, one in known.items()} | {one.sku: one.parent_sku for one in below}
    at = database_now(conn)
    wanted = list(dict.fromkeys([*(sku for sku in numbers if sku not in parents), *(one.sku for one in below)]))
    source, close = open_source(interface)
    try:
        read = {found.sku: found.quantity for found in source.sellable(wanted)}
    finally:
        close()
    mine = {parent: [one.sku for one in below if one.parent_sku == parent] for parent in parents}
    return Read(at, read, parent_of, mine)


@dataclass(frozen=True, slots=True)
class Look:
    """`runtime.receipts.Look` for the verb `sync`. open_source: the ERP of an interface, and how to close it."""

    open_source: OpenSource

    def __call__(self, conn: Connection, interface: Interface, numbers: Sequence[str]) -> Found:
        """By SKU what to take in, its own first; what the ERP does not know is left out. Raises RemoteError."""
        slug = interface.slug
        look = read_now(conn, interface, numbers, self.open_source)
        insist_on(conn, slug, list(look.read))

        def told(sku: str) -> Arrival:
            return read_quantity(slug, sku, look.read[sku], look.at, SOURCE, look.parent_of.get(sku), forced=True)

        found: dict[str, list[Arrival]] = {}
        for sku, skus in look.wanted(numbers).items():
            own = [asked_parent(slug, sku, look.at, SOURCE)] if sku in look.below else []
            found[sku] = [*own, *map(told, skus)]
        return found
