"""The part *status*: what the ERP's status means for the marketplace.

A marketplace knows no status of its own for most of them: parcels carry it. Only a cancellation is a call of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from services.exporter.staged import AGAIN, Export
from services.exporter.tracking import NOTHING_LEFT
from shared.connectors.contract import RemoteError, StatusSink, Unit
from shared.errors.problem import Problem
from shared.runtime.judge import from_remote_error
from shared.runtime.outcome import Done, Fail, Hold, Outcome, Retry, Skip

LOOK_SECONDS = 2.0  # until a cancellation that was taken is looked at
ASK_SECONDS = 30.0  # until one that has not come true is asked for again
AWAITED = "cancellation-awaited"


class Status:
    """Tells the status of orders to the marketplace of one interface."""

    def __init__(
        self, sink: StatusSink, system: str, lag: float, failpoint: Callable[[str], None], *, cancels: bool
    ) -> None:
        """cancels: the interface's switch."""
        self._sink = sink
        self._system = system
        self._lag = lag
        self._failpoint = failpoint
        self._cancels = cancels

    def outcome(self, one: Export, tracking: Outcome | None) -> Outcome:
        """What becomes of the status, given what became of the parcels."""
        status = one.data.status
        if status == "released":
            return Skip(Problem("status-not-told", values={"status": status}))
        if status == "cancelled":
            # Parcels first: what left is told, and the rest is cancelled.
            return tracking if isinstance(tracking, AGAIN) else self._cancelled(one)
        if tracking is not None:
            return tracking
        if any(unit.state in ("open", "announced") for unit in one.units):
            return Fail((Problem("shipments-missing", "shipments", {"status": status}),))
        return Skip(Problem(NOTHING_LEFT, values={"number": one.order.number}))

    def _cancelled(self, one: Export) -> Outcome:
        if not self._cancels:
            return Skip(Problem("cancellation-off"))
        if not any(unit.state == "open" for unit in one.units):
            return _ended(one, _refused(one, one.units))
        before = one.parts.get("status")
        asked = None if before is None or before.code != AWAITED else before.seconds
        if asked is not None and asked < ASK_SECONDS:
            return Hold(self._awaited(one), LOOK_SECONDS)
        try:
            answer = self._sink.cancel_units(one.order)
        except RemoteError as error:
            return from_remote_error(error, self._system, called=False)
        self._failpoint("export.cancelled")
        if not answer.asked:
            ours = _ours(one)
            return _ended(one, [problem for unit, problem in answer.refused.items() if unit not in ours])
        after = max(self._lag, LOOK_SECONDS)
        return Hold(self._awaited(one), after) if asked is None else Retry(self._awaited(one), after)

    def _awaited(self, one: Export) -> Problem:
        return Problem(AWAITED, values={"number": one.order.number, "system": self._system})


def _ended(one: Export, refused: list[Problem]) -> Outcome:
    """Nothing is open any more: cancelled, apart from what cannot be."""
    if refused:
        return Fail(tuple(problem for n, problem in enumerate(refused) if problem not in refused[:n]))
    return Done(note=Problem("cancelled-there", values={"number": one.order.number}))


def _refused(one: Export, units: Iterable[Unit]) -> list[Problem]:
    """What can no longer be cancelled; parcels that the ERP told of are no surprise if something else was cancelled."""
    ours = _ours(one)
    return [
        Problem("not-cancellable", "lines", {"sku": unit.sku})
        for unit in units
        if unit.state != "cancelled" and unit.id not in ours
    ]


def _ours(one: Export) -> set[str]:
    """Units of parcels that the ERP told of, unless there is nothing beside them."""
    told = {unit for each in one.told.values() for unit in each.units}
    return told if any(unit.id not in told for unit in one.units) else set()
