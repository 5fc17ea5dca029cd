"""Quantities to a Shopify shop, up to 250 a call, and back.

Shopify sets all items of a call or none, and names those that it refuses by their place in the list.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from shared.connectors.contract import HeldQuantity, Reason, RemoteError
from shared.connectors.http import Http
from shared.connectors.shopify.answer import SYSTEM, path_of, refused, user_errors
from shared.connectors.shopify.calls import ShopifyCalls, gid, quoted
from shared.connectors.shopify.items import KnownItems
from shared.connectors.shopify.settings import ShopifySettings
from shared.errors.problem import Problem

BATCH = 250
LOOKED_UP_AT_ONCE = 50
_WRONG_PLACE = ("INVALID_LOCATION", "LOCATION_NOT_FOUND")

Error = Mapping[str, Any]


class ShopifyStock(ShopifyCalls):
    """Available quantities at one location of one shop. Safe for many threads."""

    scopes = ("write_inventory", "read_locations")

    def __init__(self, settings: ShopifySettings, http: Http) -> None:
        super().__init__(settings, http)
        self._items = KnownItems()
        self._lock = threading.Lock()
        self._primary: str | None = None

    @property
    def batch_size(self) -> int:
        """The most SKUs of a call."""
        return BATCH

    @property
    def read_size(self) -> int:
        """The most SKUs of a look-up."""
        return LOOKED_UP_AT_ONCE

    def send_quantities(self, quantities: Mapping[str, int]) -> dict[str, Problem | None]:
        """Set them; per SKU None for accepted, or its problem."""
        if len(quantities) > BATCH:
            raise ValueError(f"{len(quantities)} SKUs, but a call takes {BATCH}")
        if not quantities:
            return {}
        location = self._location()
        remembered = set(self._items.ids(quantities))
        items = self._find_items(list(quantities))
        settled: dict[str, Problem | None] = {sku: _not_listed(sku) for sku in quantities if sku not in items}
        waiting = _calls([sku for sku in quantities if sku in items], items)
        while waiting:
            skus = waiting.pop()
            owners = [sku for sku in skus for _ in items[sku]]
            errors = self._set(location, [(id_, quantities[sku]) for sku in skus for id_ in items[sku]])
            if not errors:
                settled.update(dict.fromkeys(skus))
                continue
            # None of them was set. Who is named leaves alone; else halves find out who spoils it for the others.
            named = _named(errors, owners)
            if not named and len(skus) == 1:
                named = {skus[0]: errors[0]}
            gone = {sku for sku, error in named.items() if error.get("code") == "INVALID_INVENTORY_ITEM"}
            again = self._looked_up_again(gone & remembered)
            items |= again
            remembered -= gone
            waiting += _calls(list(again), items)
            settled.update({sku: self._refusal(sku, error) for sku, error in named.items() if sku not in again})
            rest = [sku for sku in skus if sku not in named]
            middle = len(rest) if named else len(rest) // 2
            waiting += [part for part in (rest[middle:], rest[:middle]) if part]
        return settled

    def quantities(self) -> Iterator[list[HeldQuantity]]:
        """Everything that is stocked at the location; of variants that share a SKU the first."""
        seen: set[str] = set()
        variables = {"location": self._location(), "first": self._settings.stock_page_size}
        for nodes in self._pages("list-quantities", variables, "location", "inventoryLevels"):
            page = []
            for node in nodes:
                sku = (node.get("item") or {}).get("sku")
                if sku and sku not in seen:
                    seen.add(sku)
                    page.append(_held(sku, node))
            if page:
                yield page

    def read_quantities(self, skus: Sequence[str]) -> dict[str, HeldQuantity]:
        """What Shopify shows for these at the location; what is not stocked there is left out."""
        found: dict[str, HeldQuantity] = {}
        location = self._location() if skus else ""
        for part in _parts(list(dict.fromkeys(skus))):
            for nodes in self._pages(
                "read-quantities", {"query": _search(part), "location": location}, "inventoryItems"
            ):
                for node in nodes:
                    sku, level = node.get("sku"), node.get("inventoryLevel")
                    if sku in part and sku not in found and level:
                        found[sku] = _held(sku, level)
        return found

    def ping(self) -> None:
        """Raise RemoteError unless Shopify accepts the credentials for stock, and has the location."""
        super().ping()
        location = gid("Location", self._settings.location_id) if self._settings.location_id else None
        if not self._ask("find-location", {"location": location}).get("location"):
            raise RemoteError(Reason.NOT_FOUND, "find-location: the shop has no such location", status=200)

    def _set(self, location: str, quantities: Sequence[tuple[str, int]]) -> list[Error]:
        entries = [
            # Null: set it whatever it was. The ERP's newest quantity counts, not what the shop made of an older one.
            {"inventoryItemId": id_, "locationId": location, "quantity": quantity, "changeFromQuantity": None}
            for id_, quantity in quantities
        ]
        fixed = {"name": "available", "reason": "correction", "referenceDocumentUri": "connect://stock"}
        # Each call its own key: 5, then 3, then 5 again must not pass for a repetition of the first. Quantities are
        # absolute, so a real repetition does no harm.
        variables = {"input": {**fixed, "quantities": entries}, "key": str(uuid.uuid4())}
        errors = user_errors(self._ask("send-quantities", variables).get("inventorySetQuantities"))
        if any(str(error.get("code")).startswith("IDEMPOTENCY") for error in errors):
            raise refused("send-quantities", errors, Reason.CONFLICT)
        return errors

    def _refusal(self, sku: str, error: Error) -> Problem:
        message = str(error.get("message") or "")[:300]
        if error.get("code") == "INVALID_INVENTORY_ITEM":
            return _not_listed(sku)
        if error.get("code") in _WRONG_PLACE:
            values = {"location": self._settings.location_id or "–", "system": SYSTEM, "setting": "location"}
            return Problem("location-unknown", "", values, "setting:location")
        return Problem("quantity-refused", "quantity", {"sku": sku, "detail": message, "system": SYSTEM})

    def _find_items(self, skus: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The inventory items of these SKUs, looked up only where they are not known yet."""
        known = self._items.ids(skus)
        found: dict[str, tuple[str, ...]] = {}
        for part in _parts([sku for sku in skus if sku not in known]):
            for nodes in self._pages("find-items", {"query": _search(part)}, "inventoryItems"):
                for node in nodes:
                    # The search finds similar SKUs as well.
                    if node.get("sku") in part:
                        found[node["sku"]] = (*found.get(node["sku"], ()), str(node["id"]))
        self._items.learn(found)
        return {**known, **found}

    def _looked_up_again(self, skus: Collection[str]) -> dict[str, tuple[str, ...]]:
        """What was remembered and is gone may have been made anew meanwhile, with another id."""
        self._items.forget(skus)
        return self._find_items(sorted(skus))

    def _location(self) -> str:
        """The location of the settings, else the shop's primary one."""
        if self._settings.location_id:
            return gid("Location", self._settings.location_id)
        with self._lock:
            known = self._primary
        if known is None:
            location = self._ask("find-location", {"location": None}).get("location")
            if not isinstance(location, Mapping):
                raise RemoteError(Reason.NOT_FOUND, "find-location: the shop has no location", status=200)
            known = str(location["id"])
            with self._lock:
                self._primary = known
        return known


def _calls(skus: Sequence[str], items: Mapping[str, tuple[str, ...]]) -> list[list[str]]:
    """SKUs in groups whose items fit into a call, the first group last: they are taken from the end."""
    groups: list[list[str]] = []
    size = BATCH
    for sku in skus:
        if size + len(items[sku]) > BATCH:
            groups.append([])
            size = 0
        groups[-1].append(sku)
        size += len(items[sku])
    return groups[::-1]


def _parts(skus: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(skus), LOOKED_UP_AT_ONCE):
        yield skus[start : start + LOOKED_UP_AT_ONCE]


def _search(skus: Sequence[str]) -> str:
    return " OR ".join(f"sku:{quoted(sku)}" for sku in skus)


def _named(errors: Sequence[Error], owners: Sequence[str]) -> dict[str, Error]:
    """Which SKU each error is about: `input.quantities.3.quantity` is the fourth of the list."""
    found: dict[str, Error] = {}
    for error in errors:
        path = path_of(error)
        place = next((part for part in path if part.isdigit()), None)
        if place is not None and int(place) < len(owners):
            found.setdefault(owners[int(place)], error)
    return found


def _not_listed(sku: str) -> Problem:
    return Problem("sku-not-listed", "sku", {"sku": sku, "system": SYSTEM})


def _held(sku: str, level: Mapping[str, Any]) -> HeldQuantity:
    try:
        available = level["quantities"][0]
        moment = datetime.fromisoformat(str(available["updatedAt"])) if available.get("updatedAt") else None
        return HeldQuantity(
            sku, int(available["quantity"]), moment.astimezone(UTC) if moment and moment.tzinfo else None
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        raise RemoteError(Reason.BROKEN_ANSWER, "quantities: the answer holds no quantity", status=200) from None
