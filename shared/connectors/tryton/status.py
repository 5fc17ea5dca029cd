"""What became of our sales in Tryton: state, shipments, packages, read now or since a moment. Many at a call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from shared.connectors.contract import Hint, OrderChange
from shared.connectors.tryton.calls import PAGE, Domain, Raw, TrytonCalls, batches
from shared.connectors.tryton.change import Delivery, order_change
from shared.connectors.tryton.wire import moment

DATES = ("write_date", "create_date")
SALE = ("reference", "web_id", "state", "shipments", *DATES)
LINE = ("sale", "type", "product", "product.type", "quantity", "note")
SHIPMENT = ("state", "carrier.party.name", "effective_date", "outgoing_moves", "packages", *DATES)
MOVE = ("product", "product.code", "quantity", "state", "origin", "package")
PACKAGE = ("shipping_reference", "shipping_tracking_url", *DATES)


class TrytonStatus(TrytonCalls):
    """Sales of one web shop as they are now. Safe for many threads."""

    def read_changes(self, numbers: Sequence[str]) -> dict[str, list[OrderChange]]:
        """The sales of our web shop with these numbers."""
        wanted = set(numbers)
        found: dict[str, list[OrderChange]] = {}
        for batch in batches(sorted(wanted)):
            for changes in self._changes([["reference", "in", batch]]):
                for change in changes:
                    if change.number in wanted:
                        found.setdefault(change.number, []).append(change)
        return found

    def changes_hinted(self, hints: Sequence[Hint]) -> list[OrderChange]:
        """The sales behind hints; what is gone is left out."""
        found: list[OrderChange] = []
        for kind, field in (("order", "id"), ("delivery", "shipments")):
            ids = [int(hint.id) for hint in hints if hint.kind == kind and hint.id.isdecimal()]
            for batch in batches(list(dict.fromkeys(ids))):
                found += [change for page in self._changes([[field, "in", batch]]) for change in page]
        return list({change.erp_number: change for change in found}.values())

    def changed_since(self, since: datetime) -> Iterator[list[OrderChange]]:
        """Pages of sales that changed, be it by themselves or by a shipment or a package of theirs."""
        after = moment(since)
        own = [[field, ">=", after] for field in DATES]
        deliveries = [[f"shipments.{field}", ">=", after] for field in DATES]
        packages = [[f"shipments.packages.{field}", ">=", after] for field in DATES]
        yield from self._changes([["OR", *own, *deliveries, *packages]])

    def ping(self) -> None:
        """Raise RemoteError unless Tryton answers, accepts the user, and shows shipments."""
        self._call("ping", "model.stock.shipment.out.search_read", [], 0, 1, None, ["state"])

    def _changes(self, domain: Domain) -> Iterator[list[OrderChange]]:
        ours: Domain = [["web_shop", "=", self._settings.web_shop], *domain]
        for sales in self._pages("list-changes", "sale.sale", ours, SALE, size=PAGE):
            if page := self._page([sale for sale in sales if sale.get("reference")]):
                yield page

    def _page(self, sales: Sequence[Raw]) -> list[OrderChange]:
        """Sales → changes, with four more calls for all of them together."""
        lines = self._by("read-lines", "sale.line", "sale", [sale["id"] for sale in sales], LINE)
        shipments = self._those("read-shipments", "stock.shipment.out", sales, "shipments", SHIPMENT)
        moves = self._those("read-moves", "stock.move", list(shipments.values()), "outgoing_moves", MOVE)
        packages = self._those("read-packages", "stock.package", list(shipments.values()), "packages", PACKAGE)
        changes = []
        for sale in sales:
            deliveries = [
                Delivery(
                    row,
                    [moves[each] for each in row.get("outgoing_moves") or () if each in moves],
                    [packages[each] for each in row.get("packages") or () if each in packages],
                )
                for each in sorted(sale.get("shipments") or ())
                if (row := shipments.get(each)) is not None
            ]
            change = order_change(self._settings.web_shop, sale, lines.get(sale["id"], []), deliveries)
            if change is not None:
                changes.append(change)
        return changes

    def _by(
        self, operation: str, model: str, field: str, ids: Sequence[int], fields: Sequence[str]
    ) -> dict[int, list[Raw]]:
        """Records that point to these ids, by them."""
        found: dict[int, list[Raw]] = {}
        if ids:
            for raw in self._all(operation, model, [[field, "in", list(ids)]], fields):
                found.setdefault(raw[field], []).append(raw)
        return found

    def _those(
        self, operation: str, model: str, holders: Sequence[Raw], field: str, fields: Sequence[str]
    ) -> dict[int, Raw]:
        """Records that the holders name, by id."""
        ids = list(dict.fromkeys(each for holder in holders for each in holder.get(field) or ()))
        found: dict[int, Raw] = {}
        for batch in batches(ids, 500):
            for raw in self._all(operation, model, [["id", "in", batch]], fields):
                found[raw["id"]] = raw
        return found
