"""How many of an article may be sold: Xentral's stock figures and the rules of the interface → a number. Pure.

    pseudo stock, where it is switched on and the article has one; else
    physical stock of the chosen warehouses
        − reservations − open orders + correction, each where it is switched on;
    never below nothing, and without the fraction: half a piece cannot be sold.

Reservations, open orders and correction exist per article only, not per warehouse: they are applied whole, however few
warehouses are chosen. Where Xentral reserves by itself for each order, an order is a reservation *and* an open order:
with both switched on it would be subtracted twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from shared.connectors.xentral.settings import XentralSettings

NOTHING = Decimal(0)
MOST = 10**9


@dataclass(frozen=True, slots=True)
class Levels:
    """The stock figures of one article. `total` is the physical stock of all warehouses, whether told apart or not."""

    total: Decimal = NOTHING
    warehouses: Mapping[str, Decimal] = field(default_factory=dict)
    reserved: Decimal = NOTHING
    open_orders: Decimal = NOTHING
    correction: Decimal = NOTHING
    pseudo: Decimal | None = None


def sellable(levels: Levels, rules: XentralSettings) -> int:
    """The number that a marketplace may show."""
    if rules.pseudo_stock and levels.pseudo is not None:
        quantity = levels.pseudo
    else:
        # A warehouse that was chosen and does not come holds nothing of this article.
        chosen = (levels.warehouses.get(each, NOTHING) for each in rules.warehouses)
        quantity = sum(chosen, NOTHING) if rules.warehouses else levels.total
        quantity -= levels.reserved if rules.reservations else 0
        quantity -= levels.open_orders if rules.open_orders else 0
        quantity += levels.correction if rules.correction else 0
    return int(min(max(quantity, NOTHING), Decimal(MOST)))


def levels_of(raw: Mapping[str, Any]) -> Levels:
    """The answer of `…/stocks`. ValueError where a figure is none: a wrong quantity is worse than an old one."""
    totals = raw.get("totals") or {}
    rows = raw.get("warehouses") or []
    warehouses = {str(row["id"]): _figure(row.get("physical")) for row in rows if row.get("id") is not None}
    physical = totals.get("physical")
    if physical is None and not rows:
        raise ValueError("there is no physical stock in it")
    pseudo = totals.get("pseudoStock")
    return Levels(
        total=_figure(physical) if physical is not None else sum(warehouses.values(), NOTHING),
        warehouses=warehouses,
        reserved=_figure(totals.get("reserved")),
        open_orders=_figure(totals.get("openSalesOrders")),
        correction=_figure(totals.get("stockAdjustment")),
        pseudo=None if pseudo is None else _figure(pseudo),
    )


def _figure(value: Any) -> Decimal:
    """Xentral writes figures as numbers or as texts; an absent one is nothing."""
    try:
        figure = Decimal(str(0 if value is None else value))
    except InvalidOperation:
        raise ValueError(f"{str(value)[:40]!r} is not a number") from None
    if isinstance(value, bool) or not figure.is_finite():
        raise ValueError(f"{str(value)[:40]!r} is not a number")
    return figure
