"""Refreshes what an interface lists: the ERP's articles that fit its filter, page by page.

New articles become grey records. What has left the ERP or the filter keeps its row, and `listed_at` tells since when.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shared.connectors.contract import Article, ArticleFilter, StockSource
from shared.db.connect import Connection
from shared.records.articles import Listed, count_rows, store_listed
from shared.records.listings import note_refreshed, read_filter
from shared.records.read_back import database_now

Progress = Callable[[int], None]
"""Told how many articles so far; raises what ends the errand."""


def article_filter(values: dict[str, Any]) -> ArticleFilter:
    """A stored filter as the connector takes it; words that nobody knows any more are left out. Pure."""
    return ArticleFilter(
        skus=tuple(values.get("skus") or ()),
        foreign_skus=tuple(values.get("foreign_skus") or ()),
        name=str(values.get("name") or ""),
        kind=values.get("kind") or None,
        parent_sku=str(values.get("parent_sku") or ""),
    )


def listed(article: Article) -> Listed:
    """An article of the ERP as it is kept. Pure."""
    foreign = article.foreign_sku if article.foreign_sku != article.sku else None
    return Listed(article.sku, foreign, article.name or None, article.kind, article.parent_sku)


def refresh(
    conn: Connection, interface: str, source: StockSource, progress: Progress, failpoint: Callable[[str], None]
) -> dict[str, Any]:
    """Read all pages and store each. Raises RemoteError; what came before it is stored. Harmless to repeat."""
    wanted = article_filter(read_filter(conn, interface))
    began = database_now(conn)
    seen = 0
    for page in source.articles(wanted):
        seen += store_listed(conn, interface, [listed(each) for each in page], began)
        failpoint("stock.listed")
        progress(seen)
    count_rows(conn)
    note_refreshed(conn, interface, seen)
    return {"articles": seen}
