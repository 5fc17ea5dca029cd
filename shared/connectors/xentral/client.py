"""Calls of the Xentral API that Connect needs for orders: look up products and orders, import, cancel.

Xentral has no idempotency key and takes the same external number twice, so the caller looks up before it creates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from shared.connectors.contract import Draft, Mappings, Reason, RemoteError, RemoteOrder
from shared.connectors.http import Http
from shared.connectors.xentral.calls import XentralCalls, batches
from shared.connectors.xentral.mapping import draft
from shared.connectors.xentral.page import order_page
from shared.connectors.xentral.refusal import complaints
from shared.connectors.xentral.settings import XentralSettings
from shared.errors.problem import Problem
from shared.events.orders import Order


class XentralOrders(XentralCalls):
    """Orders and products of one Xentral instance. Safe for many threads."""

    def __init__(self, settings: XentralSettings, http: Http) -> None:
        super().__init__(settings, http)
        self._channel = settings.channel

    def draft(self, order: Order, mappings: Mappings) -> Draft | list[Problem]:
        """The document to import, or every problem of the order at once."""
        # An interface has one channel, but it is told as a mapping: remembered for the look-ups.
        self._channel = self._settings.channel or mappings.get("setting", "channel") or self._channel
        return draft(order, mappings, self._settings.max_difference, self._settings.channel)

    def find_products(self, skus: Sequence[str]) -> set[str]:
        """Which of these SKUs Xentral knows; their ids are remembered for `create_order`."""
        return set(self._product_ids(skus))

    def find_orders(self, numbers: Sequence[str]) -> dict[str, list[RemoteOrder]]:
        """Orders of our sales channel with these external numbers, cancelled ones included."""
        wanted = set(numbers)
        found: dict[str, list[RemoteOrder]] = {}
        for batch in batches(wanted):
            for raw in self._list("find-orders", "/api/v1/salesOrders", "externalOrderNumber", batch):
                number = raw.get("externalOrderNumber")
                # The database behind Xentral compares without regard to case and accents.
                if number in wanted and self._is_ours(raw):
                    found.setdefault(number, []).append(self._remote_order(raw))
        return found

    def create_order(self, draft: Draft) -> RemoteOrder:
        """Import the order. Not idempotent. Unknown SKUs are named by a RemoteError(INVALID)."""
        answer = self._call(
            "create-order",
            "POST",
            "/api/v1/salesOrders/actions/import",
            json=self.completed(draft),
            expect=(201,),
            explain=lambda _status, body: self._refusal(body, draft),
        )
        # The id is only in the Location header; the body is empty.
        order_id = answer.headers.get("location", "").rstrip("/").rpartition("/")[2]
        if not order_id:
            raise RemoteError(Reason.BROKEN_ANSWER, "create-order: the answer names no order", status=answer.status)
        return RemoteOrder(order_id, draft.number, draft.marketplace_id, False, self._url(order_id))

    def completed(self, draft: Draft) -> dict[str, Any]:
        """The body of the import: with product ids in place of SKUs."""
        return {**draft.document, "positions": list(_positions(draft, self._product_ids(draft.skus)))}

    def cancel_order(self, order_id: str) -> None:
        """Cancel it; harmless when it is cancelled already."""
        path = f"/api/v1/salesOrders/{quote(order_id, safe='')}"
        try:
            self._call("cancel-order", "POST", f"{path}/actions/cancel", expect=(200, 204))
        except RemoteError as error:
            if error.reason is Reason.CONFLICT and self._read(order_id).get("status") == "canceled":
                return
            raise

    def ping(self) -> None:
        """Raise RemoteError unless Xentral answers and accepts the token for sales orders."""
        self._call("ping", "GET", "/api/v1/salesOrders", params=[("page[number]", "1"), ("page[size]", "10")])

    def _refusal(self, body: Any, draft: Draft) -> list[Problem]:
        problems = complaints(body, draft.document)
        self._products.forget(problem.values["sku"] for problem in problems if problem.code == "sku-unknown")
        return problems

    def _is_ours(self, raw: Mapping[str, Any]) -> bool:
        """Two shops may both have an order 4711. The list does not name the channel, so the order itself is read."""
        if not self._channel:
            return True
        channel = raw.get("salesChannel") or self._read(str(raw["id"])).get("salesChannel")
        return isinstance(channel, Mapping) and str(channel.get("id")) == self._channel

    def _remote_order(self, raw: Mapping[str, Any]) -> RemoteOrder:
        order_id = str(raw["id"])
        return RemoteOrder(
            id=order_id,
            number=str(raw["externalOrderNumber"]),
            marketplace_id=raw.get("externalOrderId") or None,
            cancelled=raw.get("status") == "canceled",
            url=self._url(order_id),
        )

    def _url(self, order_id: str) -> str:
        return order_page({"base_url": self._settings.base_url}, order_id)


def _positions(draft: Draft, ids: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """The positions with product ids in place of SKUs; raises when one is unknown, naming all that are."""
    unknown = [
        Problem("sku-unknown", f"lines.{number}.sku", {"sku": sku}, f"sku:{sku}")
        for number, position in enumerate(draft.document["positions"])
        if (sku := position["product"]["sku"]) not in ids
    ]
    if unknown:
        raise RemoteError(Reason.INVALID, "create-order: unknown products", problems=unknown)
    for position in draft.document["positions"]:
        yield {**position, "product": {"id": ids[position["product"]["sku"]]}}
