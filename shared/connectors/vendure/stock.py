"""Quantities to one stock location of Vendure, and back.

Vendure keeps what is on hand and what of it is allocated to orders that have not left; it sells the difference. The
quantity that Connect sends is what may be sold, without the orders that the ERP knows. So what is allocated comes on
top: otherwise an order would count twice, and the last piece, once sold, could not be shipped (insufficient stock).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from shared.connectors.contract import HeldQuantity, Reason, RemoteError
from shared.connectors.http import Http
from shared.connectors.vendure.calls import SYSTEM, VendureCalls
from shared.connectors.vendure.documents import LIST_STOCK, PING_STOCK, SEND_QUANTITIES, STOCK_LOCATIONS
from shared.connectors.vendure.settings import VendureSettings
from shared.errors.problem import Problem

BATCH = 100
MOST = 2**31 - 1
"""GraphQL's whole numbers have 32 bits."""

_CONTENT = frozenset((Reason.INVALID, Reason.NOT_FOUND))

Raw = Mapping[str, Any]


class VendureStock(VendureCalls):
    """Stock of one channel. Safe for many threads."""

    def __init__(self, settings: VendureSettings, http: Http) -> None:
        super().__init__(settings, http)
        self._lock = threading.Lock()
        self._location: str | None = None

    @property
    def batch_size(self) -> int:
        """The most SKUs of a call."""
        return BATCH

    def send_quantities(self, quantities: Mapping[str, int]) -> dict[str, Problem | None]:
        """Set them; per SKU None for accepted, or its problem.

        The variants are read first, for what is allocated; their ids come with it and need not be remembered.
        """
        if len(quantities) > BATCH:
            raise ValueError(f"{len(quantities)} SKUs, but a call takes {BATCH}")
        if not quantities:
            return {}
        location = self._ours()
        variants = self._variants(list(quantities))
        settled: dict[str, Problem | None] = {}
        wishes: dict[str, Raw] = {}  # what to send, by SKU
        for sku, quantity in quantities.items():
            held = variants.get(sku, [])
            allocated = _count(_level(held[0], location), "stockAllocated") if held else 0
            problem = _obstacle(sku, quantity, held, MOST - allocated)
            if problem is not None:
                settled[sku] = problem
                continue
            level = {"stockLocationId": location, "stockOnHand": quantity + allocated}
            wishes[sku] = {"id": held[0].get("id"), "stockLevels": [level]}
        waiting = [list(wishes)] if wishes else []
        while waiting:
            skus = waiting.pop()
            try:
                self._ask("send-quantities", SEND_QUANTITIES, {"input": [wishes[sku] for sku in skus]})
            except RemoteError as error:
                if error.reason not in _CONTENT or not error.problems:
                    raise
                # All or nothing: halves find out who spoils it for the others.
                if len(skus) == 1:
                    settled[skus[0]] = _refusal(skus[0], error)
                middle = len(skus) // 2
                waiting += [part for part in (skus[middle:], skus[:middle]) if part and len(skus) > 1]
            else:
                settled.update(dict.fromkeys(skus))
        return settled

    def quantities(self) -> Iterator[list[HeldQuantity]]:
        """Everything that has a stock level at our location, in pages."""
        location = self._ours()
        seen: set[str] = set()
        skip = 0
        while True:
            items = self._listed({"take": BATCH, "skip": skip, "sort": {"id": "ASC"}})
            new = [item for item in items if str(item.get("id")) not in seen]
            if items and not new:
                raise RemoteError(Reason.BROKEN_ANSWER, "list-quantities: the pages repeat themselves")
            seen.update(str(item.get("id")) for item in new)
            if page := [held for item in new if (held := _held(item, location))]:
                yield page
            if len(items) < BATCH:
                return
            skip += BATCH

    def read_quantities(self, skus: Sequence[str]) -> dict[str, HeldQuantity]:
        """What the shop would sell of these; those without a stock level at our location are left out."""
        found = {}
        wanted = list(dict.fromkeys(skus))
        location = self._ours() if wanted else ""
        for start in range(0, len(wanted), BATCH):
            for sku, held in self._variants(wanted[start : start + BATCH]).items():
                if len(held) == 1 and (quantity := _held(held[0], location)):
                    found[sku] = quantity
        return found

    def ping(self) -> None:
        """Raise RemoteError unless the shop answers, the key may read its stock, and our location is there."""
        self._ping(PING_STOCK)
        self._ours()

    def _ours(self) -> str:
        """The id of our location. Learned once: locations are not renamed behind an interface's back every day."""
        with self._lock:
            known = self._location
        if known is not None:
            return known
        items = self._items("list-locations", self._ask("list-locations", STOCK_LOCATIONS), "stockLocations")
        wanted = self._settings.stock_location
        fitting = [each for each in items if not wanted or wanted in (str(each.get("id")), each.get("name"))]
        if not fitting:
            message = f"there is no stock location {wanted!r}"
            values = {"message": message, "detail": message, "system": SYSTEM}
            problem = Problem("remote-refused", "stock_location", values)
            # Not a matter of any SKU: no half of a batch would fare better.
            raise RemoteError(Reason.FORBIDDEN, f"list-locations: {message}", problems=[problem])
        with self._lock:
            self._location = str(fitting[0].get("id"))
            return self._location

    def _variants(self, skus: Sequence[str]) -> dict[str, list[Raw]]:
        """The variants with these SKUs. Vendure lets two variants have the same."""
        found: dict[str, list[Raw]] = {}
        items = self._listed({"take": 2 * BATCH, "filter": {"sku": {"in": list(skus)}}})
        for item in items:
            found.setdefault(str(item.get("sku")), []).append(item)
        return found

    def _listed(self, options: Mapping[str, Any]) -> list[Raw]:
        operation = "list-quantities" if "skip" in options else "read-quantities"
        return self._items(operation, self._ask(operation, LIST_STOCK, {"options": options}), "productVariants")


def _obstacle(sku: str, quantity: int, held: Sequence[Raw], most: int) -> Problem | None:
    if not held:
        return Problem("sku-not-listed", "sku", {"sku": sku, "system": SYSTEM})
    if not 0 <= quantity <= most:
        detail = f"a quantity is between 0 and {most}"
    elif len(held) > 1:
        detail = f"{len(held)} variants have this SKU"
    elif held[0].get("trackInventory") == "FALSE":
        detail = "the variant does not track its stock"
    else:
        return None
    return Problem("quantity-refused", "quantity", {"sku": sku, "detail": detail, "system": SYSTEM})


def _refusal(sku: str, error: RemoteError) -> Problem:
    if error.reason is Reason.NOT_FOUND:
        return Problem("sku-not-listed", "sku", {"sku": sku, "system": SYSTEM})
    detail = str(error.problems[0].values.get("message", ""))
    return Problem("quantity-refused", "quantity", {"sku": sku, "detail": detail, "system": SYSTEM})


def _level(variant: Raw, location: str) -> Raw | None:
    levels = variant.get("stockLevels")
    for level in levels if isinstance(levels, list) else ():
        if isinstance(level, Mapping) and str(level.get("stockLocationId")) == location:
            return level
    return None


def _held(variant: Raw, location: str) -> HeldQuantity | None:
    level = _level(variant, location)
    if level is None:
        return None
    moment = str(level.get("updatedAt") or "")
    try:
        changed_at = datetime.fromisoformat(moment).astimezone(UTC) if moment else None
    except ValueError:
        changed_at = None
    on_hand, allocated = _count(level, "stockOnHand"), _count(level, "stockAllocated")
    return HeldQuantity(str(variant.get("sku")), max(on_hand - allocated, 0), changed_at)


def _count(level: Raw | None, name: str) -> int:
    if level is None:
        return 0
    value = level.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise RemoteError(Reason.BROKEN_ANSWER, f"quantities: {name} is no number")
    return max(value, 0)
