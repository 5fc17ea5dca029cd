"""How the stand-in reads: computed fields, paths over relations, domains, and records in the form of the wire."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from shared.connectors.tryton.sandbox_store import Raw, Store
from shared.connectors.tryton.wire import decimal, moment

RELATED = {
    ("product.product", "template"): "product.template",
    ("product.product", "identifiers"): "product.identifier",
    ("sale.sale", "shipments"): "stock.shipment.out",
    ("sale.line", "product"): "product.product",
    ("stock.shipment.out", "carrier"): "carrier",
    ("carrier", "party"): "party.party",
    ("stock.shipment.out", "packages"): "stock.package",
    ("stock.move", "product"): "product.product",
}
RATES = {1: Decimal("0.19"), 2: Decimal("0.07"), 3: Decimal(0)}
"""The taxes there are, by id."""


class Reader:
    """Reads records as Tryton shows them. ValueError for a domain it does not understand."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._computed: Mapping[tuple[str, str], Callable[[Raw, Raw], Any]] = {
            ("product.template", "products"): lambda raw, _: self._pointing("product.product", "template", raw),
            ("product.product", "identifiers"): lambda raw, _: self._pointing("product.identifier", "product", raw),
            ("product.product", "forecast_quantity"): self._forecast,
            ("sale.sale", "shipments"): lambda raw, _: self._pointing("stock.shipment.out", "sale", raw),
            ("sale.sale", "lines"): lambda raw, _: self._pointing("sale.line", "sale", raw),
            ("sale.sale", "total_amount"): lambda raw, _: decimal(self.total(raw)),
            ("stock.shipment.out", "packages"): lambda raw, _: self._pointing("stock.package", "shipment", raw),
            ("stock.shipment.out", "outgoing_moves"): lambda raw, _: self._pointing("stock.move", "shipment", raw),
        }

    def search(self, model: str, domain: Sequence[Any], context: Raw) -> list[Raw]:
        """The records that fit, in the order of their ids."""
        return [raw for raw in self._store.records(model) if self._fits(model, raw, ["AND", *domain], context)]

    def shown(self, model: str, raw: Raw, fields: Sequence[str], context: Raw) -> Raw:
        """The fields of a record; `carrier.party` comes as `{"carrier.": {"id": …, "party": …}}`."""
        row: Raw = {"id": raw["id"]}
        for field in fields:
            name, _, rest = field.partition(".")
            value = self.value(model, raw, name, context)
            if not rest:
                row[name] = value
            elif (found := self._store.get(RELATED[model, name], value)) is None:
                row[f"{name}."] = None
            else:
                row.setdefault(f"{name}.", {}).update(self.shown(RELATED[model, name], found, [rest], context))
        return row

    def value(self, model: str, raw: Raw, name: str, context: Raw) -> Any:
        """One field of a record."""
        if (model, name) in self._computed:
            return self._computed[model, name](raw, context)
        if name in ("write_date", "create_date"):
            seconds = raw["changed" if name == "write_date" else "created"]
            return None if seconds is None else moment(datetime.fromtimestamp(seconds, UTC))
        return raw.get(name)

    def total(self, sale: Raw) -> Decimal:
        """Lines rounded one by one, taxes added up before they are rounded, those below zero apart."""
        untaxed, taxes = Decimal(0), {(tax, below): Decimal(0) for tax in RATES for below in (True, False)}
        for line in self._store.records("sale.line"):
            if line["sale"] == sale["id"]:
                amount = Decimal(line["unit_price"]["decimal"]) * Decimal(str(line["quantity"]))
                untaxed += amount.quantize(Decimal("0.01"), ROUND_HALF_EVEN)
                for tax in line["taxes"]:
                    taxes[tax, amount < 0] += amount * RATES[tax]
        return untaxed + sum(tax.quantize(Decimal("0.01"), ROUND_HALF_EVEN) for tax in taxes.values())

    def _forecast(self, product: Raw, context: Raw) -> float | None:
        """Without locations Tryton computes nothing."""
        if not context.get("locations") or not context.get("stock_date_end"):
            return None
        held = sum(product["stock"].get(str(each), 0) for each in context["locations"])
        return float(held - product["reserved"])

    def _pointing(self, model: str, field: str, raw: Raw) -> list[int]:
        return [each["id"] for each in self._store.records(model) if each.get(field) == raw["id"]]

    def _fits(self, model: str, raw: Raw, clause: Any, context: Raw) -> bool:
        if clause and clause[0] in ("AND", "OR"):
            found = (self._fits(model, raw, each, context) for each in clause[1:])
            return all(found) if clause[0] == "AND" else any(found)
        if clause and isinstance(clause[0], list):
            return all(self._fits(model, raw, each, context) for each in clause)
        path, operator, wanted = clause
        values = self._values(model, raw, path.split("."), context)
        return any(_compared(value, operator, wanted) for value in values)

    def _values(self, model: str, raw: Raw, path: Sequence[str], context: Raw) -> list[Any]:
        value = self.value(model, raw, path[0], context)
        if len(path) == 1:
            return value if isinstance(value, list) else [value]
        other = RELATED[model, path[0]]
        numbers = value if isinstance(value, list) else [value]
        found = [record for number in numbers if (record := self._store.get(other, number)) is not None]
        return [each for record in found for each in self._values(other, record, path[1:], context)]


def _compared(value: Any, operator: str, wanted: Any) -> bool:
    if operator in ("=", "!="):
        return bool(value == wanted) is (operator == "=")
    if operator == "in":
        return value in wanted
    if operator == "ilike":
        return str(wanted).strip("%").replace("\\", "").casefold() in str(value or "").casefold()
    if operator in (">", ">="):
        if value is None:
            return False
        left, right = _sortable(value), _sortable(wanted)
        return bool(left > right or (operator == ">=" and left == right))
    raise ValueError(f"unknown operator {operator!r}")


def _sortable(value: Any) -> Any:
    names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    return tuple(value[name] for name in names) if isinstance(value, dict) else value
