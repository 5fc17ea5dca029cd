"""The manual sync: reads from the ERP now what a person asked for by SKU. A parent stands for its variants as well."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.stock.told import asked_parent, read_quantity
from shared.connectors.contract import StockSource
from shared.db.connect import Connection
from shared.records.articles import insist_on, kin, variants
from shared.records.interfaces import Interface
from shared.records.read_back import database_now
from shared.runtime.prepare import Arrival
from shared.runtime.receipts import Found

SOURCE = "/connect/sync"


@dataclass(frozen=True, slots=True)
class Look:
    """`runtime.receipts.Look` for the verb `sync`. open_source: the ERP of an interface, and how to close it."""

    open_source: Callable[[Interface], tuple[StockSource, Callable[[], None]]]

    def __call__(self, conn: Connection, interface: Interface, numbers: Sequence[str]) -> Found:
        """By SKU what to take in, its own first; what the ERP does not know is left out. Raises RemoteError."""
        slug = interface.slug
        known = kin(conn, slug, numbers)
        parents = [sku for sku in numbers if sku in known and known[sku].is_parent]
        below = variants(conn, slug, parents)
        parent_of = {sku: one.parent_sku for sku, one in known.items()} | {one.sku: one.parent_sku for one in below}
        at = database_now(conn)
        wanted = list(dict.fromkeys([*(sku for sku in numbers if sku not in parents), *(one.sku for one in below)]))
        source, close = self.open_source(interface)
        try:
            read = {found.sku: found.quantity for found in source.sellable(wanted)}
        finally:
            close()
        insist_on(conn, slug, list(read))

        def told(sku: str) -> Arrival:
            return read_quantity(slug, sku, read[sku], at, SOURCE, parent_of.get(sku), forced=True)

        found: dict[str, list[Arrival]] = {}
        for sku in numbers:
            if sku in parents:
                mine = [one.sku for one in below if one.parent_sku == sku and one.sku in read]
                found[sku] = [asked_parent(slug, sku, at, SOURCE), *map(told, mine)]
            elif sku in read:
                found[sku] = [told(sku)]
        return found
