"""Xentral's webhooks: whether to believe one, and what it is about. They carry ids, no quantities and no states."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

from shared.connectors.contract import Hint
from shared.connectors.xentral.settings import XentralSettings
from shared.errors.problem import Problem

SIGNATURE = "xentral-signature"
TIMESTAMP = "xentral-request-timestamp"
SYSTEM = "Xentral"


class XentralWebhooks:
    """Checks and reads webhooks with the signature key of one interface."""

    def __init__(self, settings: XentralSettings) -> None:
        self._key = settings.webhook_key
        self._window = settings.webhook_window

    def refusal(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Problem | None:
        """Why not to believe it, or None."""
        if self._key is None:
            return Problem("webhook-key-missing", "", {"system": SYSTEM})
        given = {name.lower(): value.strip() for name, value in headers.items()}
        timestamp = given.get(TIMESTAMP, "")
        expected = signature(self._key.get_secret_value(), body, timestamp)
        # As bytes, because the comparison refuses texts that are not ASCII, and a stranger may send any.
        told = given.get(SIGNATURE, "").lower().encode()
        if not hmac.compare_digest(expected.encode(), told) or not timestamp.isascii() or not timestamp.isdigit():
            return Problem("webhook-signature-wrong", "", {"system": SYSTEM})
        off = int(timestamp[:15]) - now.timestamp()
        if abs(off) > self._window:
            return Problem("webhook-too-old", "", {"system": SYSTEM, "seconds": str(round(abs(off)))})
        return None

    def hints(self, body: bytes) -> list[Hint]:
        """What to look at; each thing once."""
        return hints(body)


def signature(key: str, body: bytes, timestamp: str) -> str:
    """Hex HMAC-SHA256 over the raw body with the timestamp right behind it."""
    return hmac.new(key.encode(), body + timestamp.encode(), hashlib.sha256).hexdigest()


def hints(body: bytes) -> list[Hint]:
    """The things an event names. ValueError when the body is no event."""
    try:
        event = json.loads(body)
        kind, content = event["type"], event["body"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ValueError("not an event of Xentral") from None
    if not isinstance(kind, str) or not isinstance(content, Mapping):
        raise ValueError("not an event of Xentral")
    # com.xentral.salesOrder.released.v1
    subject = kind.removeprefix("com.xentral.").partition(".")[0]
    return list(dict.fromkeys(_named(subject, content)))


def _named(subject: str, content: Mapping[str, Any]) -> Iterator[Hint]:
    """Ids of orders, deliveries and articles, in the thin form of an event and in the fat one.

    `stock.synchronized` is left out: it reports what Xentral sent elsewhere and no change of stock.
    """
    if subject == "salesOrder":
        yield from _hint("order", content.get("salesOrderId", content.get("id")))
    elif subject == "salesOrderPosition":
        yield from _hint("order", _id_of(content.get("salesOrder")))
    elif subject == "autoshipment":
        ids = content.get("salesOrderIds")
        for each in ids if isinstance(ids, list) else ():
            yield from _hint("order", each)
    elif subject == "shipment":
        if content.get("salesOrderId") is not None:
            yield from _hint("order", content["salesOrderId"])
        else:
            yield from _hint("delivery", content.get("deliveryNoteId"))
    elif subject == "deliveryNote":
        yield from _hint("delivery", content.get("deliveryNoteId", content.get("id")))
    elif subject in ("storageItem", "reservation"):
        yield from _hint("article", content.get("productId"))
    elif subject == "product":
        yield from _hint("article", content.get("id"))


def _id_of(value: Any) -> Any:
    return value.get("id") if isinstance(value, Mapping) else None


def _hint(kind: Literal["order", "delivery", "article"], value: Any) -> Iterator[Hint]:
    """Ids are integers in events and texts in the interface."""
    if (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, str) and value.isdigit()):
        yield Hint(kind, str(value))
