"""A claim of the stock stage with what its event wants and what is known of its article. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.events.envelope import CONTRACTS, Event
from shared.events.stock import StockChanged
from shared.records.articles import Article, Named
from shared.records.claim import Claim
from shared.records.read_back import MOST_UNAPPLIED
from shared.runtime.stage import Held


def staged_event(claim: Claim) -> Event[StockChanged]:
    """The event that is staged for a claim."""
    return claim.event or CONTRACTS["stock-changed.v1"].model_validate_json(claim.body)


def named(claim: Claim, change: StockChanged) -> Named:
    """What the event says of the article itself."""
    return Named(claim.id, claim.interface, change.sku, change.name, change.kind, change.parent_sku)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A held claim, its article, and the quantity that the marketplace shall show; asked_at: as of when."""

    held: Held
    article: Article
    quantity: int
    asked_at: datetime

    @classmethod
    def of(cls, held: Held, article: Article, event: Event[StockChanged]) -> Wanted:
        """The quantity is never below nothing, whatever the event says."""
        return cls(held, article, max(0, event.data.quantity), event.data.changed_at or event.time)

    @property
    def is_parent(self) -> bool:
        """It has no quantity of its own at the marketplace: its variants have."""
        return self.article.kind == "parent" or self.article.has_variants

    @property
    def unknown(self) -> bool:
        """An earlier call for it may have been carried out or not."""
        return self.held.claim.intended

    @property
    def unchanged(self) -> bool:
        """The marketplace has accepted just this before, and nobody wants it sent all the same."""
        return not self.unknown and not self.article.insist and self.article.sent == self.quantity

    @property
    def never_applied(self) -> bool:
        """Accepted so often without showing that once more would not help."""
        return self.unchanged and self.article.unapplied >= MOST_UNAPPLIED


def batches(items: Sequence[Wanted], size: int) -> list[list[Wanted]]:
    """Parts of at most `size`, in which no number of the marketplace occurs twice: a call has one quantity for each."""
    parts: list[dict[str, Wanted]] = []
    for one in items:
        sku = one.article.their_sku
        part = next((part for part in parts if len(part) < size and sku not in part), None)
        if part is None:
            parts.append(part := {})
        part[sku] = one
    return [list(part.values()) for part in parts]
