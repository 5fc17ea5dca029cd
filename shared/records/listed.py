"""Which interfaces list an article: those with a stock record for it, which a listing makes before any event comes."""

from __future__ import annotations

from collections.abc import Sequence

from shared.db.connect import Connection


def listing_interfaces(conn: Connection, skus: Sequence[str]) -> dict[str, list[str]]:
    """The interfaces of each SKU, in order; one that nobody lists is left out."""
    found: dict[str, list[str]] = {}
    for sku, slug in conn.execute(
        "SELECT w.sku, i.slug FROM unnest(%s::text[]) AS w(sku), interfaces i"
        " WHERE EXISTS (SELECT FROM records r WHERE r.interface = i.slug AND r.flow = 'stock' AND r.key = w.sku)"
        " ORDER BY w.sku, i.slug",
        (list(skus),),
    ):
        found.setdefault(sku, []).append(slug)
    return found
