"""Looks at articles that an ERP hinted at: what may be sold of them becomes `stock-changed`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from shared.connectors.contract import Article, Hint, RemoteError, Sellable, StockSource
from shared.db.connect import Connection
from shared.records.hints import Mark
from shared.records.rolling import listed_among, listing_filter
from shared.runtime.clock import DatabaseClock
from shared.runtime.erp_events import parent_changed, stock_changed
from shared.runtime.look import Seen

STOCK_KINDS = ("article",)


class HintedStock:
    """Articles behind hints of the kind `article`; those that the interface does not list are nobody's business."""

    def __init__(self, source: StockSource) -> None:
        self._source = source
        self._clock = DatabaseClock()

    def look(self, conn: Connection, slug: str, marks: Sequence[Mark]) -> Seen:
        """One reading for each SKU. Where the ERP stops answering, what was read before counts."""
        at = self._clock.now(conn)
        articles = self._source.articles_hinted([Hint("article", mark.id) for mark in marks])
        wanted = {article.sku: article for article in articles if article.sku}
        listed = listed_among(conn, slug, list(wanted))
        rule = listing_filter(conn, slug)
        wanted = {sku: one for sku, one in wanted.items() if sku in listed or joins(one, rule)}
        parents = [one for one in wanted.values() if one.kind == "parent"]
        seen = Seen(marks, [parent_changed(slug, one, at) for one in parents])
        unread = {sku: one for sku, one in wanted.items() if one.kind != "parent"}
        try:
            for each, begun in timed_sellable(self._source, list(unread), self._clock, conn):
                one = unread.pop(each.sku, None)
                if one is None:
                    continue
                # The name serves an article that joins; later it would make the same quantity another content.
                name = None if one.sku in listed else one.name or None
                seen.events.append(
                    stock_changed(
                        slug, one.sku, each.quantity, begun, kind=one.kind, parent_sku=one.parent_sku, name=name
                    )
                )
        except RemoteError as error:
            left = {one.id for one in unread.values()}
            seen.looked = [mark for mark in marks if mark.id not in left]
            seen.error = error
        return seen


def timed_sellable(
    source: StockSource, skus: Sequence[str], clock: DatabaseClock, conn: Connection
) -> Iterator[tuple[Sellable, datetime]]:
    """Each quantity with the time when its reading began.

    That time, not the one when the answer came, makes the newest win: what is read after a change began later than
    everything that could still have seen the old quantity, however long an answer takes.
    """
    reading = iter(source.sellable(skus)) if skus else iter(())
    while True:
        begun = clock.now(conn)
        each = next(reading, None)
        if each is None:
            return
        yield each, begun


def joins(article: Article, rule: dict[str, Any] | None) -> bool:
    """Whether an article that is not listed yet belongs to the listing. What only the ERP can tell waits for the next
    listing: which foreign numbers an article has."""
    if rule is None or rule.get("foreign_skus"):
        return False
    skus, name = rule.get("skus") or (), str(rule.get("name") or "")
    return (
        (not skus or article.sku in skus)
        and name.casefold() in article.name.casefold()
        and rule.get("kind") in (None, "", article.kind)
        and rule.get("parent_sku") in (None, "", article.parent_sku)
    )
