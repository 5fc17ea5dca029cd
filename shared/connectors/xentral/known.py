"""A bounded, thread-safe memory of which Xentral product id belongs to a SKU. Unknown SKUs are never remembered."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping

KEPT_SECONDS = 600.0
KEPT_AT_MOST = 50_000


class KnownProducts:
    """SKU → product id, for about ten minutes: a product that was deleted is noticed by then, or by its refusal."""

    def __init__(self, seconds: float = KEPT_SECONDS, most: int = KEPT_AT_MOST) -> None:
        self._seconds = seconds
        self._most = most
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def ids(self, skus: Iterable[str]) -> dict[str, str]:
        """The ids of those that are known."""
        now = time.monotonic()
        found: dict[str, str] = {}
        with self._lock:
            for sku in skus:
                entry = self._entries.get(sku)
                if entry and entry[1] > now:
                    found[sku] = entry[0]
        return found

    def learn(self, ids: Mapping[str, str]) -> None:
        """Remember, and forget the oldest beyond the bound."""
        until = time.monotonic() + self._seconds
        with self._lock:
            for sku, product_id in ids.items():
                self._entries[sku] = (product_id, until)
                self._entries.move_to_end(sku)
            while len(self._entries) > self._most:
                self._entries.popitem(last=False)

    def forget(self, skus: Iterable[str]) -> None:
        """Xentral refused their ids."""
        with self._lock:
            for sku in skus:
                self._entries.pop(sku, None)
