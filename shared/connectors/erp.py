"""What an ERP tells: articles, sellable quantities, changes of orders, webhooks. Part of the contract; import it from
`contract`. Everything here only reads, so everything may be repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from shared.errors.problem import Problem
from shared.events.orders import OrderChanged, Shipment

ArticleKind = Literal["simple", "parent", "variant"]
ChangedStatus = Literal["released", "shipped", "partially_shipped", "cancelled", "completed"]


@dataclass(frozen=True, slots=True)
class ArticleFilter:
    """Which articles; the parts are ANDed, and what is left out does not filter. `name` is found anywhere in the name.

    foreign_skus are the numbers of the sales channel where they differ from the ERP's own.
    """

    skus: tuple[str, ...] = ()
    foreign_skus: tuple[str, ...] = ()
    name: str = ""
    kind: ArticleKind | None = None
    parent_sku: str = ""


@dataclass(frozen=True, slots=True)
class Article:
    """An article; id is the ERP's own. `foreign_sku` is told only where the filter asked for foreign SKUs."""

    id: str
    sku: str
    name: str = ""
    kind: ArticleKind = "simple"
    parent_sku: str | None = None
    foreign_sku: str | None = None


@dataclass(frozen=True, slots=True)
class Sellable:
    """How many of a SKU may be sold now by the rules of the interface's settings; never negative, never a fraction."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class OrderChange:
    """An order as the ERP shows it now: the data of `order-changed.v1`.

    erp_number is what `RemoteOrder.id` is, marketplace_id what the ERP stores as the external id: compare them, for two
    shops may both have a 4711. The same state gives the same value. `changed_at` is the ERP's own time; None where it
    tells none: then the event's time counts, which is when it was read.
    """

    number: str
    erp_number: str
    status: ChangedStatus
    marketplace_id: str | None = None
    changed_at: datetime | None = None
    shipments: tuple[Shipment, ...] = ()

    def data(self, interface: str) -> OrderChanged:
        """The content of the event for one interface."""
        return OrderChanged(
            interface=interface,
            order_number=self.number,
            erp_number=self.erp_number,
            status=self.status,
            changed_at=self.changed_at,
            shipments=self.shipments,
        )


@dataclass(frozen=True, slots=True)
class Hint:
    """Where to look, out of a webhook: something of this order, delivery or article changed. `id` is the ERP's own."""

    kind: Literal["order", "delivery", "article"]
    id: str


class StockSource(Protocol):
    """An ERP that knows articles and how many of them may be sold."""

    def articles(self, wanted: ArticleFilter) -> Iterator[list[Article]]:
        """Pages of the articles that fit, each once, in the order of their ids; ends when there are no more."""
        ...

    def articles_hinted(self, hints: Sequence[Hint]) -> list[Article]:
        """The articles behind the hints of kind `article`; other hints, and articles that are gone, are left out."""
        ...

    def sellable(self, skus: Sequence[str]) -> Iterator[Sellable]:
        """The quantities now, one by one as they are read; unknown SKUs are left out.

        An ERP may need a call per SKU. So a RemoteError ends the reading, and what came before it counts.
        """
        ...

    def ping(self) -> None:
        """Raise RemoteError unless the system answers and accepts our credentials for articles."""
        ...


class StatusSource(Protocol):
    """An ERP that tells what became of the orders of our sales channel."""

    def read_changes(self, numbers: Sequence[str]) -> dict[str, list[OrderChange]]:
        """The orders with these external numbers as they are now, by number; cancelled ones included.

        Left out: unknown numbers, and drafts nobody released. A shipment is told once it is handed over, with the lines
        it holds.
        """
        ...

    def changes_hinted(self, hints: Sequence[Hint]) -> list[OrderChange]:
        """The orders behind the hints of kind `order` and `delivery`; other hints and other channels are left out."""
        ...

    def changed_since(self, since: datetime) -> Iterator[list[OrderChange]]:
        """Pages of orders that changed at or after `since`, for the poll behind the webhooks; ends when there are no
        more. An order may come more than once."""
        ...

    def ping(self) -> None:
        """Raise RemoteError unless the system answers and accepts our credentials for orders."""
        ...


class Webhooks(Protocol):
    """An ERP that calls us. Makes no calls itself. What it says is a hint and never the truth: look, then believe."""

    def refusal(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Problem | None:
        """Why this request is not to be believed (`webhook-…`), or None. `body` is as it came, byte for byte; the case
        of header names does not matter. Compares in constant time; an old or future timestamp is refused: a replay."""
        ...

    def hints(self, body: bytes) -> list[Hint]:
        """What to look at. Empty for events that say nothing to us; ValueError for a body that is no event at all.
        Webhooks come late, twice and in any order, so the same hint twice is normal."""
        ...


class WebhookSetup(Protocol):
    """An ERP at which webhooks are registered by a call and not only by hand."""

    def register(self, name: str, url: str) -> None:
        """Have the ERP call `url`, signed with the key of the settings, when something changes that hints can name.

        Replaces what was registered under this name before, so it may be repeated. Raises ValueError where the settings
        do not suffice, RemoteError where the ERP does not do it.
        """
        ...
