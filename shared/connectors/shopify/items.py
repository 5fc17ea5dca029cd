"""Remembers which inventory items a SKU has, so that the next quantity of it needs no look-up."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping


class KnownItems:
    """SKU → ids of its inventory items: several variants may share a SKU. Safe for many threads."""

    def __init__(self, seconds: float = 3600.0, most: int = 100_000) -> None:
        """seconds: how long an entry is believed; most: how many are kept, the oldest leave first."""
        self._seconds = seconds
        self._most = most
        self._lock = threading.Lock()
        self._held: OrderedDict[str, tuple[float, tuple[str, ...]]] = OrderedDict()

    def __repr__(self) -> str:
        return f"KnownItems({len(self._held)})"

    def ids(self, skus: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """What is known of these."""
        now = time.monotonic()
        with self._lock:
            entries = {sku: self._held.get(sku) for sku in skus}
        return {sku: entry[1] for sku, entry in entries.items() if entry and now - entry[0] < self._seconds}

    def learn(self, found: Mapping[str, tuple[str, ...]]) -> None:
        """Remember what a look-up found."""
        now = time.monotonic()
        with self._lock:
            for sku, ids in found.items():
                self._held.pop(sku, None)
                self._held[sku] = (now, ids)
            while len(self._held) > self._most:
                self._held.popitem(last=False)

    def forget(self, skus: Iterable[str]) -> None:
        """An item turned out to be gone: look again the next time."""
        with self._lock:
            for sku in skus:
                self._held.pop(sku, None)
