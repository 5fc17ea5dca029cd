"""Looks at both systems of an interface for its rehearsal: only reads, a bounded look back, and stores what it found.

    both answer? → the shop's recent orders: which kinds there are, what is not mapped → a few quantities of both sides

What it found is the proof of the checklist in `records.rehearsal`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from shared.connectors.contract import Draft, Mappings, OrderSink, OrderSource, RemoteError, SourceOrder
from shared.connectors.open import open_stock_sink, open_stock_source
from shared.db.connect import Connection
from shared.events.orders import Order
from shared.records.interfaces import Interface
from shared.records.masked import read_masked
from shared.records.rehearsal import kinds_of, rate, side_mark, store_proof
from shared.runtime.clock import DatabaseClock
from shared.runtime.gaps import gaps as gaps_of
from shared.runtime.remotes import Remotes

LOOK_BACK = timedelta(days=30)
MOST_ORDERS = 500
MOST_SECONDS = 60.0
MOST_SKUS = 10
Progress = Callable[[int], None]
"""Told how many orders so far; raises what ends the look."""


class Rehearsal:
    """One look at one interface. Raises nothing for what a remote system does: that is what it is about."""

    def __init__(self, conn: Connection, interface: Interface, remotes: Remotes, progress: Progress) -> None:
        self._conn = conn
        self._interface = interface
        self._remotes = remotes
        self._progress = progress
        self._skus: dict[str, None] = {}

    def look(self) -> dict[str, Any]:
        """All of it; returns what there was to see, for the errand. Raises ValueError where settings do not fit."""
        interface = self._interface
        source, close_source = self._remotes.marketplace(interface)
        try:
            sink, close_sink = self._remotes.erp(interface, self._remotes.calls(interface, "erp"))
            try:
                marketplace = self._ping("marketplace", source.ping)
                erp = self._ping("erp", sink.ping)
                orders = self._history(source, sink) if marketplace else 0
            finally:
                close_sink()
        finally:
            close_source()
        skus = self._stock() if erp else 0
        return {"marketplace": marketplace, "erp": erp, "orders": orders, "skus": skus}

    def _ping(self, side: str, ask: Callable[[], None]) -> bool:
        code = None
        mark = side_mark(self._conn, self._interface.slug, side)
        try:
            ask()
        except RemoteError as error:
            code = str(error.reason)
        title = self._remotes.title(self._interface, side)
        detail = {"system": title, "code": code, "mark": mark}
        store_proof(self._conn, self._interface.slug, f"connection:{side}", code is None, detail)
        return code is None

    # -- the shop's history ------------------------------------------------------------------------------------------

    def _history(self, source: OrderSource, sink: OrderSink) -> int:
        since = DatabaseClock().now(self._conn) - LOOK_BACK
        seen: list[SourceOrder] = []
        complete, until = True, time.monotonic() + MOST_SECONDS
        try:
            for page in source.orders_changed(since):
                seen += page
                self._progress(len(seen))
                if len(seen) >= MOST_ORDERS or time.monotonic() > until:
                    complete = False
                    break
        except RemoteError as error:
            store_proof(self._conn, self._interface.slug, "history", False, {"code": str(error.reason)})
            return len(seen)
        # An order that changed while the pages were read comes twice: the later copy counts.
        orders = list({found.order.number: found for found in seen}.values())
        store_proof(self._conn, self._interface.slug, "history", True, self._found(orders, sink, since, complete))
        return len(orders)

    def _found(
        self, orders: Sequence[SourceOrder], sink: OrderSink, since: datetime, complete: bool
    ) -> Mapping[str, Any]:
        mappings = Mappings(self._interface.mappings)
        kinds: dict[str, dict[str, dict[str, Any]]] = {}
        gaps: dict[str, dict[str, Any]] = {}
        masked = read_masked(self._conn, self._interface.slug)
        for gap in () if masked is None else gaps_of(self._conn, masked, self._remotes.connectors):
            if gap.always and gap.kind in self._mapped and gap.source:
                gaps[f"{gap.kind}:{gap.source}"] = {"code": "", "example": None}
        for found in orders:
            order = found.order
            if not _takeable(order):
                continue  # intake would refuse it and name the value; it says nothing about what to map
            self._skus |= dict.fromkeys(line.sku for line in order.lines)
            for kind, value in sorted(kinds_of(order.model_dump(mode="json"))):
                seen = kinds.setdefault(kind, {}).setdefault(value, {"count": 0, "example": order.number})
                seen["count"] += 1
            drafted = sink.draft(order, mappings)
            for problem in () if isinstance(drafted, Draft) else drafted:
                if problem.key is not None and problem.key.partition(":")[0] in self._mapped:
                    kind, _, source = problem.key.partition(":")
                    key = f"tax:{rate(source)}" if kind == "tax" else problem.key
                    gaps.setdefault(key, {"code": problem.code, "example": order.number})
        return {"orders": len(orders), "since": since.isoformat(), "complete": complete, "kinds": kinds, "gaps": gaps}

    _mapped = frozenset({"payment", "shipping", "tax", "setting"})

    # -- a sample of stock -------------------------------------------------------------------------------------------

    def _stock(self) -> int:
        slug, interface = self._interface.slug, self._interface
        try:
            source, close_source = self._remotes.open(interface, "erp", open_stock_source)
        except ValueError:
            store_proof(self._conn, slug, "stock-sample", True, {"none": True})
            return 0
        try:
            sink, close_sink = self._remotes.open(interface, "marketplace", open_stock_sink)
        except ValueError:
            close_source()
            store_proof(self._conn, slug, "stock-sample", True, {"none": True})
            return 0
        try:
            theirs = self._sample()
            read = {one.sku: one.quantity for one in source.sellable(list(theirs))} if theirs else {}
            shown = sink.read_quantities([theirs[sku] for sku in read]) if read else {}
        except RemoteError as error:
            store_proof(self._conn, slug, "stock-sample", False, {"code": str(error.reason)})
            return 0
        finally:
            close_sink()
            close_source()
        there = {sku: shown[theirs[sku]].quantity for sku in read if theirs[sku] in shown}
        detail = {
            "read": len(read),
            "compared": len(there),
            "equal": sum(quantity == read[sku] for sku, quantity in there.items()),
            "missing": sorted(set(theirs) - set(read)),
            "articles": [{"sku": sku, "erp": read[sku], "shown": there.get(sku)} for sku in sorted(read)],
        }
        store_proof(self._conn, slug, "stock-sample", bool(read), detail)
        return len(read)

    def _sample(self) -> dict[str, str]:
        """Some SKUs with the marketplace's number of each: those that it sold lately, then what is listed."""
        rows = self._conn.execute(
            "SELECT sku, coalesce(foreign_sku, sku) FROM articles WHERE interface = %s AND kind <> 'parent'"
            " ORDER BY sku = ANY(%s) DESC, sku LIMIT %s",
            (self._interface.slug, list(self._skus), MOST_SKUS),
        ).fetchall()
        theirs = {their: sku for sku, their in rows}
        sold = {theirs.get(sku, sku): sku for sku in self._skus}
        return dict([*sold.items(), *rows][:MOST_SKUS])


def _takeable(order: Order) -> bool:
    """Whether the order keeps the contract: a connector hands an odd value on as it came, unchecked."""
    try:
        Order.model_validate(order.model_dump(warnings=False))
    except ValidationError:
        return False
    return True
