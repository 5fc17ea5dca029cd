"""The stand-in's inventory: what is available of each product, at its one location. All of a call is set, or none."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable

from shared.connectors.shopify.sandbox_orders import HOME
from shared.connectors.shopify.sandbox_store import Raw, Store

MOST = 1_000_000_000
BATCH = 250
KEYS_KEPT = 10_000
ITEM = "gid://shopify/InventoryItem/"


class Inventory:
    """Knows the shop's products, so that unknown items are refused."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.sent: deque[Raw] = deque(maxlen=100_000)
        self._answers: dict[str, tuple[str, Raw]] = {}

    def set(self, given: Raw, key: str, *, applied: bool) -> Raw:
        """`inventorySetQuantities`; the same key again gives the first answer again, and changes nothing."""
        same = json.dumps(given, sort_keys=True)
        if not key:
            raise ValueError("The @idempotent directive is required for this mutation but was not provided.")
        if key in self._answers:
            before, answer = self._answers[key]
            return (
                answer
                if before == same
                else _refused([_error([], "IDEMPOTENCY_KEY_PARAMETER_MISMATCH", "Key reused.")])
            )
        answer = self._set(given, applied)
        self._answers[key] = (same, answer)
        while len(self._answers) > KEYS_KEPT:
            del self._answers[next(iter(self._answers))]
        return answer

    def _set(self, given: Raw, applied: bool) -> Raw:
        quantities = given["quantities"]
        if len(quantities) > BATCH:
            raise ValueError(
                f"The input array size of {len(quantities)} is greater than the maximum allowed of {BATCH}."
            )
        items = {f"{ITEM}{product['id']}": product for product in self._store.products()}
        errors = [error for place, each in enumerate(quantities) if (error := _complaint(place, each, items))]
        if errors:
            return _refused(errors)
        if applied:
            found = [(items[each["inventoryItemId"]], each["quantity"]) for each in quantities]
            self._store.set_available([(int(product["id"]), quantity) for product, quantity in found])
            self.sent += [{"sku": product["sku"], "quantity": quantity} for product, quantity in found]
        return {"inventoryAdjustmentGroup": {"id": "gid://shopify/InventoryAdjustmentGroup/1"}, "userErrors": []}

    def find(self, wanted: Callable[[str], bool]) -> list[Raw]:
        """The inventory items whose SKU is looked for."""
        return [_item(product) for product in self._store.products() if wanted(str(product["sku"]))]

    def location(self, location_id: str | None) -> Raw | None:
        """A location with what is stocked there; without an id the primary one."""
        if location_id not in (None, HOME):
            return None
        levels = [_level(product) for product in self._store.products() if product.get("stocked", True)]
        return {"id": HOME, "inventoryLevels": levels}


def _item(product: Raw) -> Raw:
    def level(locationId: str) -> Raw | None:  # Shopify's name
        return _level(product) if locationId == HOME and product.get("stocked", True) else None

    return {"id": f"{ITEM}{product['id']}", "sku": product["sku"], "inventoryLevel": level}


def _level(product: Raw) -> Raw:
    def quantities(names: list[str]) -> list[Raw]:
        return [{"name": name, "quantity": product["available"], "updatedAt": product["changed"]} for name in names]

    return {"item": {"sku": product["sku"]}, "quantities": quantities}


def _complaint(place: int, each: Raw, items: dict[str, Raw]) -> Raw | None:
    """What Shopify has against an entry; it is named by its place."""
    path = ["input", "quantities", str(place)]
    if "changeFromQuantity" not in each:
        raise ValueError("changeFromQuantity (Expected value to be provided)")
    product = items.get(each["inventoryItemId"])
    if each["locationId"] != HOME:
        return _error([*path, "locationId"], "INVALID_LOCATION", "The specified location could not be found.")
    if product is None:
        text = "The specified inventory item could not be found."
        return _error([*path, "inventoryItemId"], "INVALID_INVENTORY_ITEM", text)
    if not product.get("stocked", True):
        text = "The specified inventory item is not stocked at the location."
        return _error([*path, "locationId"], "ITEM_NOT_STOCKED_AT_LOCATION", text)
    if each["quantity"] < 0:
        return _error([*path, "quantity"], "INVALID_QUANTITY_NEGATIVE", "The quantity can't be negative.")
    if each["quantity"] > MOST:
        return _error([*path, "quantity"], "INVALID_QUANTITY_TOO_HIGH", "The quantity can't be higher than a billion.")
    if each["changeFromQuantity"] not in (None, product["available"]):
        text = "The quantity has changed since it was read."
        return _error([*path, "changeFromQuantity"], "CHANGE_FROM_QUANTITY_STALE", text)
    return None


def _refused(errors: list[Raw]) -> Raw:
    return {"inventoryAdjustmentGroup": None, "userErrors": errors}


def _error(field: list[str], code: str, message: str) -> Raw:
    return {"field": field, "code": code, "message": message}
