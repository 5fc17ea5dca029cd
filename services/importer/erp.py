"""The stage *erp* of order-import: a staged order becomes a sales order, once.

    look up → is it there, by us, by somebody else? → read again what waited long → check all at once → create

An ERP may accept the same order twice, so nothing is created before a look-up, and an unknown outcome is looked up too.
The claim has committed the intent to create; whether an earlier claim had is what tells our order from somebody else's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime

from services.importer.differences import changed_fields
from shared.connectors.contract import (
    Draft,
    Mappings,
    OrderSink,
    OrderSource,
    Reason,
    RemoteError,
    RemoteOrder,
    SourceOrder,
)
from shared.errors.problem import Problem
from shared.events.envelope import CONTRACTS
from shared.events.orders import Order
from shared.records.interfaces import Interface
from shared.runtime.flows import ANNOUNCED_SECONDS
from shared.runtime.judge import from_remote_error
from shared.runtime.outcome import Done, Fail, Hold, Outcome, Skip, Warned
from shared.runtime.stage import Each, Held, LeaseTooShort, Say

SKU = "sku:"


def staged_order(body: bytes) -> Order:
    """The order in a stored event."""
    order = CONTRACTS["order-imported.v1"].model_validate_json(body).data.order
    assert isinstance(order, Order)
    return order


@dataclass(frozen=True, slots=True)
class Staged:
    """A claim with its order, and remarks that were found on the way."""

    held: Held
    order: Order
    remarks: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Tools:
    """What the handler may do besides calling the two remote systems.

    guarded: hangs a check on this thread's next call; restage: takes a fresh copy in, True if it is the staged one now;
    lag: seconds until the ERP's look-up shows what was created.
    """

    lag: float
    guarded: Callable[[Callable[[], None]], AbstractContextManager[None]]
    failpoint: Callable[[str], None]
    restage: Callable[[str, SourceOrder], bool]
    close: Callable[[], None]


class OrderCreation:
    """Handles claims of one interface."""

    def __init__(self, interface: Interface, system: str, sink: OrderSink, source: OrderSource, tools: Tools) -> None:
        self.lag = tools.lag
        self.system = system
        self._interface = interface
        self._sink = sink
        self._source = source
        self._mappings = Mappings(interface.mappings)
        self._tools = tools

    def handle(self, batch: Sequence[Held], say: Say, each: Each) -> None:
        """Report an outcome for every claim. What can be asked for many orders at once is asked once."""
        staged = [Staged(held, staged_order(held.claim.body)) for held in batch]
        new = [one for one in staged if one.held.claim.sent_no in (None, one.held.claim.payload_no)]
        cancelled = self._changed(staged, new, say)
        absent = self._absent(new, say)
        due = self._read_again(self._announced(absent, say), say)
        drafts = self._checked(due, say)
        self._tools.failpoint("work.looked-up")
        ready = {one.held.claim.id: (one, draft) for one, draft in drafts}
        each([one.held for one, _ in drafts], lambda held: self._create(*ready[held.claim.id]))
        each([one.held for one in cancelled], self._cancel_sent)

    def probe(self, keys: Sequence[str]) -> set[str]:
        """Which `sku:…` the ERP knows by now."""
        skus = [key.removeprefix(SKU) for key in keys if key.startswith(SKU)]
        return {SKU + sku for sku in self._sink.find_products(skus)} if skus else set()

    def ping(self) -> None:
        """Raise RemoteError unless the ERP answers."""
        self._sink.ping()

    def close(self) -> None:
        """Close both sides."""
        self._tools.close()

    # -- what the ERP has already ------------------------------------------------------------------------------------

    def _changed(self, staged: Sequence[Staged], new: Sequence[Staged], say: Say) -> list[Staged]:
        """Orders that the ERP has and the shop changed since: named, not sent. Returns those to be cancelled."""
        cancelled = []
        for one in staged:
            if one in new:
                continue
            if one.order.status == "cancelled":
                cancelled.append(one)
            else:
                say(one.held, _changed_afterwards(one))
        return cancelled

    def _absent(self, new: Sequence[Staged], say: Say) -> list[Staged]:
        """Look all of them up; those that the ERP knows, or that nobody wants any more, are settled here."""
        hits = self._sink.find_orders(sorted({one.order.number for one in new})) if new else {}
        absent = []
        for one in new:
            outcome = self._found(one, hits.get(one.order.number, []))
            if outcome is not None:
                say(one.held, outcome)
            elif one.order.status == "cancelled":
                say(one.held, Skip(Problem("cancelled-before-import")))
            else:
                absent.append(one)
        return absent

    def _found(self, one: Staged, found: list[RemoteOrder]) -> Outcome | None:
        number, intended = one.order.number, one.held.claim.intended
        mine = [hit for hit in found if hit.marketplace_id == one.order.marketplace_id]
        if len([hit for hit in mine if not hit.cancelled]) > 1:
            values = {"ids": ", ".join(hit.id for hit in mine), "number": number}
            return Fail((Problem("double-order", values=values),), mine[0].id)
        if mine and not intended:
            return Skip(Problem("already-in-erp", values={"remote": mine[0].id}), mine[0].id)
        if mine and one.order.status == "cancelled":
            return Done(mine[0].id, note=_cancelled_note(mine[0].id)) if mine[0].cancelled else self._cancel(mine[0].id)
        if mine:
            return Done(mine[0].id, detail={"remote": mine[0].id, "looked_up": True})
        if found:
            values = {"number": number, "remote": found[0].id, "other": found[0].marketplace_id or "–"}
            return Fail((Problem("number-taken", "number", values),))
        return None

    # -- whether it may be created -----------------------------------------------------------------------------------

    def _announced(self, absent: Sequence[Staged], say: Say) -> list[Staged]:
        """Marketplaces hide the address until payment: such an order is held, and read again every six hours."""
        announced = [one for one in absent if one.order.status == "announced"]
        fresh = self._source.read_orders([one.order.number for one in announced]) if announced else {}
        for one in announced:
            now = fresh.get(one.order.number)
            moved = now is not None and now.order.status != "announced" and self._restage(one, now)
            say(one.held, Hold(Problem("announced"), 0.0 if moved else ANNOUNCED_SECONDS))
        return [one for one in absent if one.order.status != "announced"]

    def _read_again(self, due: Sequence[Staged], say: Say) -> list[Staged]:
        """An order staged long ago may be cancelled or changed by now: ask the marketplace before creating it."""
        old = [one for one in due if one.held.claim.staged_seconds > self._interface.reread_seconds]
        fresh = self._source.read_orders([one.order.number for one in old]) if old else {}
        result = []
        for one in due:
            now = fresh.get(one.order.number)
            if one not in old:
                result.append(one)
            elif now is None:
                result.append(Staged(one.held, one.order, (Problem("order-gone"),)))
            elif now.order != one.order and self._restage(one, now):
                say(one.held, Hold(Problem("newer-version"), 0.0))
            elif now.order.status == "cancelled":
                say(one.held, Skip(Problem("cancelled-before-import")))
            else:
                result.append(one)
        return result

    def _restage(self, one: Staged, fresh: SourceOrder) -> bool:
        return self._tools.restage(one.held.claim.interface, fresh)

    def _checked(self, due: Sequence[Staged], say: Say) -> list[tuple[Staged, Draft]]:
        """Every problem of an order at once, Connect's and the ERP's; those without any are ready."""
        skus = sorted({line.sku for one in due for line in one.order.lines})
        known = self._sink.find_products(skus) if skus else set()
        ready = []
        for one in due:
            drafted = self._sink.draft(one.order, self._mappings)
            problems = [] if isinstance(drafted, Draft) else list(drafted)
            problems += [
                Problem("sku-unknown", f"lines.{n}.sku", {"sku": line.sku}, key=SKU + line.sku)
                for n, line in enumerate(one.order.lines)
                if line.sku not in known
            ]
            if isinstance(drafted, Draft) and not problems:
                ready.append((one, drafted))
            else:
                say(one.held, Fail(tuple(problems)))
        return ready

    # -- the calls ---------------------------------------------------------------------------------------------------

    def _create(self, one: Staged, draft: Draft) -> Outcome:
        began = datetime.now(UTC)
        self._tools.failpoint("work.before-call")
        try:
            with self._tools.guarded(one.held.check):
                created = self._sink.create_order(draft)
        except LeaseTooShort:
            return Hold(Problem("lease-too-short"), 0.0)
        except RemoteError as error:
            return from_remote_error(error, self.system, called=True, lag=self.lag)
        self._tools.failpoint("work.called")
        seconds = round((datetime.now(UTC) - began).total_seconds(), 3)
        detail: dict[str, object] = {"remote": created.id, "looked_up": False, "call_seconds": seconds}
        remarks = (*draft.remarks, *one.remarks)
        if remarks:
            return Warned(remarks, created.id, called=True, detail=detail)
        return Done(created.id, called=True, detail=detail)

    def _cancel_sent(self, held: Held) -> Outcome:
        """The buyer cancelled what the ERP has. Harmless twice, so no look-up is needed."""
        assert held.claim.remote is not None
        return self._cancel(held.claim.remote)

    def _cancel(self, order_id: str) -> Outcome:
        try:
            self._sink.cancel_order(order_id)
        except RemoteError as error:
            if error.reason is Reason.CONFLICT:
                return Fail((Problem("cancel-refused", values={"remote": order_id}),), order_id)
            return from_remote_error(error, self.system, called=False)
        return Done(order_id, note=_cancelled_note(order_id))


def _cancelled_note(order_id: str) -> Problem:
    return Problem("cancelled-in-erp", values={"remote": order_id})


def _changed_afterwards(one: Staged) -> Outcome:
    """The shop changed an order that the ERP has: nothing is sent, but somebody should know which fields."""
    before = staged_order(one.held.claim.sent_body or one.held.claim.body)
    fields = changed_fields(before, one.order)
    if not fields:
        return Done(one.held.claim.remote)
    return Warned((Problem("changed-after-import", values={"fields": ", ".join(fields)}),), one.held.claim.remote)
