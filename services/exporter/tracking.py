"""The part *tracking*: every parcel of an order is told to the marketplace once.

    in the ledger? ─ no ─▶ intent stored ─▶ sent ─▶ accepted ─▶ (a look after the lag) ─▶ confirmed
                   └ yes, not confirmed ─▶ shown? found? ─▶ confirmed, or a little patience, or sent again

A marketplace takes the same parcel twice, and tells the buyer twice. So the intent is in the ledger before the call,
and what may have been sent is looked up before it is sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from services.exporter.book import Book, Fenced
from services.exporter.shown import hit_of, sent_by_others, shows, units_of
from services.exporter.staged import Export
from services.exporter.together import together
from shared.connectors.contract import Mappings, Reason, RemoteError, ShipmentDraft, StatusSink
from shared.errors.problem import Problem
from shared.events.orders import Shipment
from shared.records.shipments import Told
from shared.runtime.judge import CONNECTION, from_remote_error
from shared.runtime.outcome import Done, Fail, Hold, Outcome, Retry, Skip, Wait, Warned
from shared.runtime.stage import LeaseTooShort

NOTHING_LEFT = "nothing-left-to-ship"
ANNOUNCED_SECONDS = 3600.0  # until an order that the marketplace has not released is looked at again
AWAY = frozenset(str(reason) for reason in CONNECTION)


@dataclass(frozen=True, slots=True)
class Sending:
    """How parcels are sent. guarded: hangs a check on this thread's next calls; lag: seconds until a look-up shows what
    was sent; patience: how long at least a parcel that was sent may stay out of sight before it is sent again."""

    sink: StatusSink
    system: str
    mappings: Mappings
    guarded: Callable[[Callable[[], None]], AbstractContextManager[None]]
    failpoint: Callable[[str], None]
    lag: float
    patience: float


class Tracking:
    """Tells parcels to the marketplace of one interface."""

    def __init__(self, sending: Sending, book: Book) -> None:
        self._s = sending
        self._book = book

    def outcome(self, one: Export) -> Outcome | None:
        """Settle each parcel of the copy; None where it has none. While the marketplace is away the rest must wait."""
        said: list[Outcome] = []
        drafted: dict[str, tuple[str, ...]] = {id_: told.units for id_, told in one.told.items()}
        for number, shipment in enumerate(one.data.shipments):
            taken = {unit for id_, units in drafted.items() if id_ != shipment.id for unit in units}
            try:
                outcome = self._parcel(one, shipment, taken, drafted)
            except RemoteError as error:  # a look-up; what concerns the sending is caught there
                outcome = from_remote_error(error, self._s.system, called=False)
            said.append(_placed(outcome, number))
            if isinstance(outcome, Retry) and outcome.problem.code in AWAY:
                break
        return together(said)

    def _parcel(
        self, one: Export, shipment: Shipment, taken: Collection[str], drafted: dict[str, tuple[str, ...]]
    ) -> Outcome:
        told = one.told.get(shipment.id)
        if told is None:
            return self._new(one, shipment, taken, drafted)
        if told.state == "confirmed":
            return self._known(one, shipment, told)
        return self._unsure(one, shipment, told, taken, drafted)

    # -- what is in the ledger ---------------------------------------------------------------------------------------

    def _known(self, one: Export, shipment: Shipment, told: Told) -> Outcome:
        """Confirmed before. Whoever asks for it once more hears that the marketplace has it, and sees if it has not."""
        said = (shipment.tracking_number or "").strip()
        if said and told.tracking_number and said != told.tracking_number:
            values = {"sent": told.tracking_number, "number": said}
            return Warned((*told.remarks, Problem("tracking-changed", "tracking_number", values)), told.remote)
        mine = units_of(told, one.units)
        if any(unit.state == "open" for unit in mine) and not self._found(one, told):
            values = {"number": told.tracking_number or "–", "system": self._s.system}
            return Warned((*told.remarks, Problem("shipment-vanished", values=values)), told.remote)
        if told.remarks:
            return Warned(told.remarks, told.remote)
        return Done(told.remote, note=_there(told.tracking_number, self._s.system))

    def _unsure(
        self,
        one: Export,
        shipment: Shipment,
        told: Told,
        taken: Collection[str],
        drafted: dict[str, tuple[str, ...]],
    ) -> Outcome:
        """Sent, or about to be when a worker died: the marketplace tells."""
        if shows(told, one.units):
            return self._confirmed(one, shipment, told, told.remote)
        rest = max(self._s.lag, self._s.patience) - _since(one, told)
        if rest > 0:
            return Hold(Problem("read-back"), rest)
        if (hit := self._found(one, told)) is not None:
            return self._confirmed(one, shipment, told, hit)
        self._s.failpoint("export.found")
        mine = units_of(told, one.units)
        if not mine or any(unit.state == "open" for unit in mine):
            return self._send(one, shipment, taken, drafted, again=told.state == "accepted")
        if all(unit.state == "cancelled" for unit in mine):
            return Fail((_cancelled(one, told.tracking_number),))
        values = {"number": told.tracking_number or "–", "other": _numbers(mine), "system": self._s.system}
        return Warned((Problem("shipped-otherwise", "tracking_number", values),), sent=False)

    def _found(self, one: Export, told: Told) -> str | None:
        """The marketplace's id of a parcel that a look-up finds; only one with a number can be found."""
        if told.tracking_number is None:
            return None
        hits = self._s.sink.find_shipments(told.carrier, told.tracking_number, one.order.marketplace_id)
        hit = hit_of(told, hits)
        return None if hit is None else hit.id

    def _confirmed(self, one: Export, shipment: Shipment, told: Told, remote: str | None) -> Outcome:
        self._book.confirm(one.held.claim, shipment, remote)
        self._s.failpoint("export.confirmed")
        return Warned(told.remarks, remote) if told.remarks else Done(remote)

    # -- what is not -------------------------------------------------------------------------------------------------

    def _new(
        self, one: Export, shipment: Shipment, taken: Collection[str], drafted: dict[str, tuple[str, ...]]
    ) -> Outcome:
        if theirs := sent_by_others(shipment, one.units, taken):
            self._book.adopt(one.held.claim, shipment, theirs)
            drafted[shipment.id] = tuple(unit.id for unit in theirs)
            return Done(note=_there(shipment.tracking_number, self._s.system))
        return self._send(one, shipment, taken, drafted, again=False)

    def _send(
        self,
        one: Export,
        shipment: Shipment,
        taken: Collection[str],
        drafted: dict[str, tuple[str, ...]],
        *,
        again: bool,
    ) -> Outcome:
        """Intent, call, acceptance. Then somebody looks, after the lag, what the marketplace shows.

        again: the marketplace accepted it before and did not show it, so that this must not go on for ever.
        """
        claim = one.held.claim
        try:
            draft = self._book.intend(
                claim,
                shipment,
                lambda spare: self._s.sink.draft_shipment(
                    one.order, shipment, one.units, self._s.mappings, taken=taken, spare=spare
                ),
            )
        except Fenced:
            return Hold(Problem("lease-too-short"), 0.0)
        if not isinstance(draft, ShipmentDraft):
            return self._undraftable(one, shipment, draft)
        drafted[shipment.id] = draft.units
        self._s.failpoint("export.intended")
        self._s.failpoint("export.before-call")
        try:
            with self._s.guarded(one.held.check):
                sent = self._s.sink.send_shipment(draft)
        except LeaseTooShort:
            self._book.withdraw(claim, shipment)
            drafted.pop(shipment.id, None)
            return Hold(Problem("lease-too-short"), 0.0)
        except RemoteError as error:
            return self._not_sent(one, shipment, error, drafted)
        self._s.failpoint("export.called")
        self._book.accept(claim, shipment, sent)
        self._s.failpoint("export.accepted")
        if again:
            values = {"number": draft.tracking_number or "–", "system": self._s.system}
            return Retry(Problem("shipment-not-shown", values=values), self._s.lag, called=True)
        return Hold(Problem("read-back"), self._s.lag, called=True)

    def _not_sent(
        self, one: Export, shipment: Shipment, error: RemoteError, drafted: dict[str, tuple[str, ...]]
    ) -> Outcome:
        if error.reason is Reason.CONFLICT:  # "check, probably done": the next claim looks what came of it
            values = {"system": self._s.system, "detail": error.detail}
            return Retry(Problem("shipment-conflict", values=values), self._s.lag, called=True)
        if not error.reason.outcome_unknown:
            self._book.withdraw(one.held.claim, shipment)
            drafted.pop(shipment.id, None)  # its units are free for the next parcel of this pass
        return from_remote_error(error, self._s.system, called=True, lag=self._s.lag)

    def _undraftable(self, one: Export, shipment: Shipment, problems: list[Problem]) -> Outcome:
        if [problem.code for problem in problems] != [NOTHING_LEFT]:
            return Fail(tuple(problems))
        states = {unit.state for unit in one.units}
        if states == {"cancelled"}:
            return Fail((_cancelled(one, shipment.tracking_number),))
        if "announced" in states:
            values = {"number": one.order.number, "system": self._s.system}
            return Wait(Problem("not-released-there", values=values), (), ANNOUNCED_SECONDS)
        return Skip(problems[0])


def _since(one: Export, told: Told) -> float:
    """Seconds since the parcel may have been sent last."""
    called = one.held.claim.called_seconds
    return told.seconds if called is None else min(told.seconds, called)


def _placed(said: Outcome, number: int) -> Outcome:
    """Problems say which shipment they concern."""
    if not isinstance(said, Fail | Warned):
        return said
    placed = tuple(
        problem
        if problem.field.startswith("shipments.")
        else replace(problem, field=f"shipments.{number}.{problem.field}".rstrip("."))
        for problem in said.problems
    )
    return replace(said, problems=placed)


def _there(number: str | None, system: str) -> Problem:
    return Problem("already-there", values={"number": number or "–", "system": system})


def _cancelled(one: Export, number: str | None) -> Problem:
    return Problem("shipment-for-cancelled", values={"number": number or "–", "order": one.order.number})


def _numbers(units: Collection[object]) -> str:
    found = sorted({str(number) for unit in units if (number := getattr(unit, "tracking_number", None))})
    return ", ".join(found) or "–"
