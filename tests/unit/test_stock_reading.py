"""How quantities are read back: those alone, or everything in pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from services.stock.reading import shown
from shared.connectors.contract import HeldQuantity


class Shelf:
    """A marketplace that notes how it is read."""

    batch_size = 200

    def __init__(self) -> None:
        self.read: list[str] = []

    def read_quantities(self, skus: Sequence[str]) -> dict[str, HeldQuantity]:
        self.read.append("some")
        return {sku: HeldQuantity(sku, 1) for sku in skus}

    def quantities(self) -> Iterator[list[HeldQuantity]]:
        self.read.append("all")
        yield [HeldQuantity(f"S-{number}", 1) for number in range(1000)]


class WideShelf(Shelf):
    """One that shows many in one call."""

    read_size = 50


@pytest.mark.parametrize(
    ("shelf", "count", "read"), [(Shelf(), 5, "some"), (Shelf(), 100, "all"), (WideShelf(), 100, "some")]
)
def test_the_cheaper_way_is_taken(shelf: Any, count: int, read: str) -> None:
    skus = [f"S-{number}" for number in range(count)]
    assert shown(shelf, skus, 1000) == dict.fromkeys(skus, 1)
    assert shelf.read == [read]
