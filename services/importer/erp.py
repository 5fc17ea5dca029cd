"""The stage *erp* of order-import: a staged order becomes a sales order, once.

    look up → is it there, by us, by somebody else? → read again what waited long → check all at once → create

An ERP may accept the same order twice, so nothing is created before a look-up, and an unknown outcome is looked up too.
The claim has committed the intent to create; whether an earlier claim had is what tells our order from somebody else's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

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
from shared.events.envelope import CONTRACTS, Event
from shared.events.erased import is_erased
from shared.events.orders import Order
from shared.records.by_hand import BY_HAND_NO
from shared.records.claim import Claim
from shared.records.interfaces import Interface
from shared.runtime.flows import ANNOUNCED_SECONDS
from shared.runtime.judge import from_remote_error
from shared.runtime.outcome import Done, Fail, Hold, Outcome, Retry, Skip, Wait, Warned
from shared.runtime.stage import Each, Held, LeaseTooShort, Say

SKU = "sku:"
AWAY_SECONDS = 60.0  # until a marketplace that did not answer is asked again


def staged_order(body: bytes, event: Event[Any] | None = None) -> Order:
    """The order in a stored event; event is the body as it was read already."""
    order = (event or CONTRACTS["order-imported.v1"].model_validate_json(body)).data.order
    assert isinstance(order, Order)
    return order


@dataclass(frozen=True, slots=True)
class Staged:
    """A claim with its order, what the ERP would be sent (or why it cannot), and remarks that were found on the way."""

    held: Held
    order: Order
    draft: Draft | list[Problem]
    remarks: tuple[Problem, ...] = ()

    @property
    def resent(self) -> bool:
        """Whether another copy of the order was sent before this one."""
        return self.held.claim.sent_no not in (None, self.held.claim.payload_no)


@dataclass(frozen=True, slots=True)
class Tools:
    """What the handler may do besides calling the two remote systems.

    guarded: hangs a check on this thread's next call; restage: takes a fresh copy in, True if a newer copy than the
    claimed one is staged now; lag: seconds until the ERP's look-up shows what was created; marketplace: its title.
    """

    lag: float
    marketplace: str
    guarded: Callable[[Callable[[], None]], AbstractContextManager[None]]
    failpoint: Callable[[str], None]
    restage: Callable[[Claim, SourceOrder], bool]
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
        visible = [self._staged(held) for held in batch if self._visible(held, say)]
        staged = [one for one in visible if not self._older(one, say)]
        absent, cancelled = self._absent(staged, say)
        due = self._read_again(self._announced(self._known_buyers(absent, say), say), say)
        drafts = self._checked(due, say)
        self._tools.failpoint("work.looked-up")
        ready = {one.held.claim.id: (one, draft) for one, draft in drafts}
        each([one.held for one, _ in drafts], lambda held: self._create(*ready[held.claim.id]))
        there = {one.held.claim.id: remote for one, remote in cancelled}
        each([one.held for one, _ in cancelled], lambda held: self._cancel(there[held.claim.id]))

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

    def _older(self, one: Staged, say: Say) -> bool:
        """Ordered before the from-date and never sent: left alone, unless a person wants it."""
        begin, claim = self._interface.from_date, one.held.claim
        if begin is None or one.order.ordered_at >= begin or claim.forced:
            return False
        if claim.intended or claim.remote is not None or claim.sent_no is not None:
            return False
        say(one.held, Skip(Problem("older-than-go-live")))
        return True

    # -- what the ERP has already ------------------------------------------------------------------------------------

    def _staged(self, held: Held) -> Staged:
        """Drafted before the look-up: from the mappings the ERP's connector learns which orders are of our channel."""
        order = staged_order(held.claim.body, held.claim.event)
        return Staged(held, order, self._sink.draft(order, self._mappings))

    def _visible(self, held: Held, say: Say) -> bool:
        """Whether a look-up would show what we sent last, however soon somebody wants the order to run again."""
        since = held.claim.called_seconds
        if since is None or since >= self.lag:
            return True
        say(held, Hold(Problem("read-back"), self.lag - since))
        return False

    def _absent(self, staged: Sequence[Staged], say: Say) -> tuple[list[Staged], list[tuple[Staged, str]]]:
        """Look all of them up. Those that the ERP knows, or that nobody wants any more, are settled here.

        Returns those that are not there, and those to be cancelled there with the ERP's id.
        """
        hits = self._sink.find_orders(sorted({one.order.number for one in staged})) if staged else {}
        absent: list[Staged] = []
        cancelled: list[tuple[Staged, str]] = []
        for one in staged:
            found = hits.get(one.order.number, [])
            mine = [hit for hit in found if hit.marketplace_id == one.order.marketplace_id]
            mine.sort(key=lambda hit: hit.cancelled)
            remote = mine[0].id if mine else one.held.claim.remote if one.resent else None
            if (conflict := _conflict(one, found, mine)) is not None:
                say(one.held, conflict)
            elif one.order.status == "cancelled":
                if remote is None:
                    say(one.held, Skip(Problem("cancelled-before-import")))
                elif mine and mine[0].cancelled:
                    say(one.held, Done(remote, note=_cancelled_note(remote)))
                else:
                    cancelled.append((one, remote))
            elif remote is not None:
                say(one.held, _there(one, remote))
            else:
                absent.append(one)
        return absent, cancelled

    # -- whether it may be created -----------------------------------------------------------------------------------

    def _known_buyers(self, absent: Sequence[Staged], say: Say) -> list[Staged]:
        """An order whose buyer was erased is created no more, and not read again either: that would bring them back."""
        for one in absent:
            if is_erased(one.order):
                say(one.held, Fail((Problem("personal-data-erased"),)))
        return [one for one in absent if not is_erased(one.order)]

    def _announced(self, absent: Sequence[Staged], say: Say) -> list[Staged]:
        """Marketplaces hide the address until payment: such an order is held, and read again every six hours."""
        announced = [one for one in absent if one.order.status == "announced"]
        try:
            fresh = self._source.read_orders([one.order.number for one in announced]) if announced else {}
            again = ANNOUNCED_SECONDS
        except RemoteError:
            fresh, again = {}, AWAY_SECONDS
        for one in announced:
            now = fresh.get(one.order.number)
            moved = now is not None and now.order.status != "announced" and self._restage(one, now)
            say(one.held, Hold(Problem("announced"), 0.0 if moved else again))
        return [one for one in absent if one.order.status != "announced"]

    def _read_again(self, due: Sequence[Staged], say: Say) -> list[Staged]:
        """An order staged long ago may be cancelled or changed by now: ask the marketplace before creating it."""
        old = [one for one in due if one.held.claim.staged_seconds > self._interface.reread_seconds]
        try:
            fresh = self._source.read_orders([one.order.number for one in old]) if old else {}
        except RemoteError as error:
            for one in old:
                say(one.held, self._marketplace_away(error))
            return [one for one in due if one not in old]
        result = []
        for one in due:
            now = fresh.get(one.order.number)
            if one not in old:
                result.append(one)
            elif now is None:
                result.append(replace(one, remarks=(Problem("order-gone"),)))
            elif now.order != one.order and self._restage(one, now):
                say(one.held, Hold(Problem("newer-version"), 0.0))
            elif now.order.status == "cancelled":
                say(one.held, Skip(Problem("cancelled-before-import")))
            else:
                result.append(one)
        return result

    def _marketplace_away(self, error: RemoteError) -> Outcome:
        """It says nothing about the ERP: only the orders that must be read again wait."""
        said = from_remote_error(error, self._tools.marketplace, called=False)
        if isinstance(said, Retry):
            key = f"marketplace:{self._interface.slug}"
            return Wait(said.problem, (key,), max(said.after, AWAY_SECONDS))
        return said

    def _restage(self, one: Staged, fresh: SourceOrder) -> bool:
        return self._tools.restage(one.held.claim, fresh)

    def _checked(self, due: Sequence[Staged], say: Say) -> list[tuple[Staged, Draft]]:
        """Every problem of an order at once, Connect's and the ERP's; those without any are ready."""
        skus = sorted({line.sku for one in due for line in one.order.lines})
        known = self._sink.find_products(skus) if skus else set()
        ready = []
        for one in due:
            drafted = one.draft
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

    def _cancel(self, order_id: str) -> Outcome:
        """The buyer cancelled what the ERP has. Harmless twice."""
        try:
            self._sink.cancel_order(order_id)
        except RemoteError as error:
            if error.reason is Reason.CONFLICT:
                return Fail((Problem("cancel-refused", values={"remote": order_id}),), order_id)
            return from_remote_error(error, self.system, called=False)
        return Done(order_id, note=_cancelled_note(order_id))


def _cancelled_note(order_id: str) -> Problem:
    return Problem("cancelled-in-erp", values={"remote": order_id})


def _conflict(one: Staged, found: Sequence[RemoteOrder], mine: Sequence[RemoteOrder]) -> Outcome | None:
    """What speaks against touching the ERP: two of ours, one of somebody else, our number for another order."""
    number = one.order.number
    if len([hit for hit in mine if not hit.cancelled]) > 1:
        values = {"ids": ", ".join(hit.id for hit in mine), "number": number}
        return Fail((Problem("double-order", values=values),), mine[0].id)
    if mine and not one.held.claim.intended:
        return Skip(Problem("already-in-erp", values={"remote": mine[0].id}), mine[0].id)
    if found and not mine:
        values = {"number": number, "remote": found[0].id, "other": found[0].marketplace_id or "–"}
        return Fail((Problem("number-taken", "number", values),))
    return None


def _there(one: Staged, remote: str) -> Outcome:
    """The ERP has it from us. What the shop changed since is not sent, but somebody should know which fields."""
    if one.held.claim.sent_no == BY_HAND_NO:
        return Done(remote, sent=False)  # from a person, so there is no copy of ours to compare with
    if one.resent:
        fields = changed_fields(staged_order(one.held.claim.sent_body or one.held.claim.body), one.order)
        if fields:  # not sent: the ERP has the earlier copy, and the next look must see that it differs
            return Warned((Problem("changed-after-import", values={"fields": ", ".join(fields)}),), remote, sent=False)
        return Done(remote)
    detail: dict[str, object] = {"remote": remote, "looked_up": True}
    if isinstance(one.draft, Draft) and one.draft.remarks:
        return Warned(one.draft.remarks, remote, detail=detail)
    return Done(remote, detail=detail)
