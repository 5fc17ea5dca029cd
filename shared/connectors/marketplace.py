"""What a marketplace can take back: stock, shipments, cancellations. Part of the contract; import it from `contract`.

A *unit* is the smallest thing a marketplace ships or cancels: some sell by the piece, others by the order line. Its id
is one of the line's `marketplace_ids`, or the id of the line where there are none. Where pieces have no ids, the
connector numbers them (`Unit.line`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from shared.errors.problem import Problem
from shared.events.orders import Order, Shipment, ShipmentLine

if TYPE_CHECKING:
    from shared.connectors.contract import Mappings


@dataclass(frozen=True, slots=True)
class HeldQuantity:
    """What the marketplace shows for a SKU; `changed_at` is its own time of the last change, where it tells one."""

    sku: str
    quantity: int
    changed_at: datetime | None = None


class StockSink(Protocol):
    """A marketplace that quantities are sent to."""

    @property
    def batch_size(self) -> int:
        """How many SKUs one call of `send_quantities` takes at most."""
        ...

    def send_quantities(self, quantities: Mapping[str, int]) -> dict[str, Problem | None]:
        """Set the quantity (0 or more) of each SKU. For every SKU that was given: None for accepted, or its problem.

        Idempotent: quantities are absolute. A bad SKU fails alone (`sku-not-listed`, `quantity-refused`). RemoteError
        means that the call as a whole failed and says nothing of any SKU; where `reason.outcome_unknown`, any of them
        may have been set: read them back, or send the newest again. ValueError for more than `batch_size`. Accepted is
        not applied: only reading back tells what the marketplace shows.
        """
        ...

    def quantities(self) -> Iterator[list[HeldQuantity]]:
        """Everything the marketplace shows, in pages, for the drift check. A read; ends when there are no more."""
        ...

    def read_quantities(self, skus: Sequence[str]) -> dict[str, HeldQuantity]:
        """What it shows for these SKUs; SKUs it does not know, or never got a quantity for, are left out. A read."""
        ...

    def ping(self) -> None:
        """Raise RemoteError unless the system answers and accepts our credentials for stock."""
        ...


@runtime_checkable
class ReadsInBatches(Protocol):
    """A `StockSink` that shows many SKUs in one call: asking for some is cheaper than turning its pages."""

    @property
    def read_size(self) -> int:
        """How many SKUs one call of `read_quantities` covers."""
        ...


UnitState = Literal["announced", "open", "shipped", "returned", "cancelled"]


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit of an order as the marketplace shows it now. `open` may be shipped or cancelled.

    carrier is the marketplace's word; with tracking_number it is None until the unit is shipped, or not told.
    line: of a marketplace that counts pieces and gives them no names of their own, the order line. Pieces of one line
    are interchangeable: their ids only number them, and which of them a shipment took the caller keeps straight.
    """

    id: str
    sku: str
    state: UnitState
    carrier: str | None = None
    tracking_number: str | None = None
    line: str | None = None


@dataclass(frozen=True, slots=True)
class ReturnKey:
    """A return label's carrier and number, e.g. the next free one of the interface's number pool."""

    carrier: str
    tracking_number: str


@dataclass(frozen=True, slots=True)
class ShipmentDraft:
    """A shipment ready to be sent; keep it with the intent, before the call.

    carrier:    the marketplace's word, as `find_shipments` takes it too; units: the ids it ships
    spare_used: the return key of the pool is in it and must not be given to another shipment
    remarks:    make the record a `warning` once it is sent: the shipment holds more than the order has open
    """

    carrier: str
    tracking_number: str | None
    units: tuple[str, ...]
    document: dict[str, Any]
    spare_used: bool = False
    remarks: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class SentShipment:
    """A shipment as the marketplace holds it. `units` are the ids it shipped, of whatever order."""

    id: str
    carrier: str
    tracking_number: str | None
    units: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cancellation:
    """What became of a wish to cancel, unit by unit.

    cancelled: were cancelled already; asked: the marketplace took the wish, `read_units` shows later whether it came
    true; refused: cannot be cancelled, each with its problem
    """

    cancelled: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    refused: Mapping[str, Problem] = field(default_factory=dict)


class StatusSink(Protocol):
    """A marketplace that shipments and cancellations are sent to."""

    def read_units(self, order_ids: Sequence[str]) -> dict[str, list[Unit]]:
        """The units of orders by marketplace id (or number), keyed as asked; unknown orders are left out. A read."""
        ...

    def draft_shipment(
        self,
        order: Order,
        shipment: Shipment,
        units: Sequence[Unit],
        mappings: Mappings,
        *,
        taken: Collection[str] = (),
        spare: ReturnKey | None = None,
    ) -> ShipmentDraft | list[Problem]:
        """What to send for one parcel, or everything that stands against it. Makes no call.

        Each line of the shipment takes as many open units as it says: of the line with that `line_id`, else of that
        SKU. A shipment without lines takes all that are open. `units` is what `read_units` said, `taken` the ids that
        drafts of the order's other shipments took: their sending may not show yet. Nothing open: `nothing-left-to-ship`
        alone. The mapping `carrier` goes before the connector's own table. `spare` serves where the shipment names no
        return number and the marketplace demands one. Without `shipped_at` it counts as shipped now.
        """
        ...

    def send_shipment(self, draft: ShipmentDraft) -> SentShipment:
        """Send it. NOT idempotent: the same parcel may be taken twice, and the buyer is told twice.

        RemoteError: after `outcome_unknown`, look up with `find_shipments`; where there is no tracking number, with
        `read_units`. CONFLICT means "check, probably done": look up as well; the units tell who shipped them.
        """
        ...

    def find_shipments(self, carrier: str, tracking_number: str, order_id: str) -> list[SentShipment]:
        """Shipments with this carrier (the word of the draft) and number; empty where there is none. A read.

        order_id: the marketplace id of the order, for marketplaces that keep shipments below their order only.
        """
        ...

    def cancel_units(self, order: Order, lines: Sequence[ShipmentLine] = ()) -> Cancellation:
        """Cancel what of the order, or of these lines of it, still can be; everything in one answer.

        Idempotent: what is cancelled already counts first. Makes reads and at most one call that changes something;
        after `outcome_unknown` simply ask again. CONFLICT: the marketplace refused units that it shows as open.
        NOT_FOUND: it does not know the order.
        """
        ...

    def ping(self) -> None:
        """Raise RemoteError unless the system answers and accepts our credentials for shipments."""
        ...
