"""The drift check: pages through all that a marketplace shows and compares it with what it has accepted.

What differs is found by the filter afterwards (`drift:yes`), and a sync of that selection repairs it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.stock.listing import Progress
from shared.connectors.contract import StockSink
from shared.db.connect import Connection
from shared.records.read_back import count_drift, database_now, store_shown_skus, store_unseen


def compare(
    conn: Connection, interface: str, sink: StockSink, progress: Progress, failpoint: Callable[[str], None]
) -> dict[str, Any]:
    """Store what it shows, page by page. Raises RemoteError; what came before it is stored. Harmless to repeat.

    seen: quantities that the marketplace shows; unlisted: those of articles that we do not know; unseen: articles that
    it accepted a quantity for and shows none of; differ: all whose quantity is another one.
    """
    began = at = database_now(conn)
    seen = ours = 0
    for page in sink.quantities():
        seen += len(page)
        ours += store_shown_skus(conn, interface, {each.sku: each.quantity for each in page}, at)
        failpoint("stock.compared")
        progress(seen)
        at = database_now(conn)  # the next page is read from here on
    unseen = store_unseen(conn, interface, began)
    return {"seen": seen, "unlisted": seen - ours, "unseen": unseen, "differ": count_drift(conn, interface)}
