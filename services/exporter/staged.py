"""What is in hand while an order is exported: claim, change, order, ledger, and what the marketplace shows. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from shared.connectors.contract import Unit
from shared.errors.problem import Problem
from shared.events.envelope import CONTRACTS
from shared.events.orders import Order, OrderChanged
from shared.records.imported import Imported
from shared.records.parts import Part
from shared.records.shipments import Told
from shared.runtime.outcome import Done, Hold, Outcome, Parts, Retry, Wait, Warned
from shared.runtime.stage import Held

AGAIN = (Hold, Retry, Wait)
"""Outcomes after which the record is due again."""


@dataclass(frozen=True, slots=True)
class Change:
    """A claim with the change that it is about."""

    held: Held
    data: OrderChanged

    def both(self, said: Outcome) -> Parts:
        """The same outcome for every part that the change concerns."""
        return Parts(status=said, tracking=said if self.data.shipments else None, called=said.called)


@dataclass(frozen=True, slots=True)
class Export:
    """A change whose order is known.

    told: the order's shipments in the ledger; parts: what became of the earlier copies; units: what the marketplace
    shows.
    """

    change: Change
    order: Order
    erp_number: str | None
    told: Mapping[str, Told] = field(default_factory=dict)
    parts: Mapping[str, Part] = field(default_factory=dict)
    units: Sequence[Unit] = ()

    @property
    def held(self) -> Held:
        """The claim."""
        return self.change.held

    @property
    def data(self) -> OrderChanged:
        """The ERP's change."""
        return self.change.data

    @property
    def remark(self) -> Problem | None:
        """The ERP speaks of another of its orders than the one that was imported. Publishers may name an order by
        another of its numbers, so it is no reason to keep a parcel from the buyer."""
        said, known = self.data.erp_number, self.erp_number
        if said is None or known is None or said == known:
            return None
        return Problem("erp-number-differs", "erp_number", {"said": said, "known": known})


def staged_change(held: Held) -> Change:
    """Read the change out of a claim."""
    event = held.claim.event or CONTRACTS["order-changed.v1"].model_validate_json(held.claim.body)
    assert isinstance(event.data, OrderChanged)
    return Change(held, event.data)


def with_order(change: Change, imported: Imported) -> Export:
    """The change, with its order as it is staged in order-import."""
    event = CONTRACTS["order-imported.v1"].model_validate_json(imported.body)
    return Export(change, event.data.order, imported.remote)


def remarked(said: Outcome | None, remark: Problem | None) -> Outcome | None:
    """What is done, with a remark."""
    if remark is None:
        return said
    if isinstance(said, Done):
        return Warned((remark,), said.remote, said.sent, called=said.called, detail=said.detail)
    if isinstance(said, Warned):
        return replace(said, problems=(*said.problems, remark))
    return said
