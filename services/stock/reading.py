"""Reads what a marketplace shows of some articles, the cheaper way: those alone, or everything in pages."""

from __future__ import annotations

from collections.abc import Sequence

from shared.connectors.contract import ReadsInBatches, StockSink

FEW = 5
"""Of so many nobody counts what the pages would cost."""


def one_by_one(count: int, held: int, page: int) -> bool:
    """Whether so many single calls are fewer than the pages of all that the marketplace holds. Pure."""
    return count <= max(FEW, -(-held // page))


def shown(sink: StockSink, skus: Sequence[str], held: int) -> dict[str, int]:
    """The quantities of these, by the marketplace's numbers; those it does not show are left out.

    held: how many it has in all, as far as we know. Raises RemoteError.
    """
    wanted = set(skus)
    if isinstance(sink, ReadsInBatches) or one_by_one(len(wanted), held, sink.batch_size):
        return {sku: found.quantity for sku, found in sink.read_quantities(sorted(wanted)).items()}
    return {found.sku: found.quantity for page in sink.quantities() for found in page if found.sku in wanted}
