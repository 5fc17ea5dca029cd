"""Registers our address at Xentral, for the events that say something about orders, parcels and stock."""

from __future__ import annotations

from shared.connectors.xentral.calls import XentralCalls

PATH = "/api/v1/webhooks"
WANTED = (
    "salesOrder.updated", "salesOrder.released", "salesOrder.dispatched", "salesOrder.sent", "deliveryNote.created",
    "deliveryNote.sent", "deliveryNote.updated", "deliveryNote.canceled", "shipment.created", "autoshipment.dispatched",
    "storageItem.movement", "reservation.changed", "product.pseudoStockUpdated", "product.updated", "product.created",
)  # fmt: skip
"""`salesOrder.imported` is left out: that was us, and each look costs some calls of the hundred a minute."""


class XentralWebhookSetup(XentralCalls):
    """The webhooks of one instance."""

    def register(self, name: str, url: str) -> None:
        """First the new one, then away with the old ones: what is told twice meanwhile is harmless, a gap is not."""
        key = self._settings.webhook_key
        if key is None or len(key.get_secret_value()) < 20:
            raise ValueError("webhook_key must be set, with at least 20 characters")
        before = [hook for hook in self._hooks() if hook.get("name") == name]
        wish = {"name": name, "url": url, "signatureKey": key.get_secret_value(), "events": self._events()}
        self._call("create-webhook", "POST", PATH, json=wish, expect=(201,))
        for hook in before:
            self._call("delete-webhook", "DELETE", f"{PATH}/{hook['id']}", expect=(204, 404))

    def _hooks(self) -> list[dict[str, str]]:
        body = self._call("list-webhooks", "GET", PATH).body
        found = body.get("data") if isinstance(body, dict) else None
        return [hook for hook in found if isinstance(hook, dict) and hook.get("id")] if isinstance(found, list) else []

    def _events(self) -> list[dict[str, str]]:
        """Those of ours that this version of Xentral offers."""
        body = self._call("list-webhook-types", "GET", "/api/v1/webhookEventTypes").body
        found = body.get("data") if isinstance(body, dict) else None
        offered = {str(each.get("id")) for each in found or () if isinstance(each, dict)}
        return [{"id": name} for name in (f"com.xentral.{each}.v1" for each in WANTED) if name in offered]
