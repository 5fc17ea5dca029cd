"""Orders in Tryton: look up, create, cancel.

An order takes three transactions in Tryton: a draft, its quotation, its confirmation. A crash between them leaves
something of ours that is no order yet. So only what is confirmed counts as an order in `find_orders`, and
`create_order` finishes what it finds begun: Tryton takes each web id once, so a second draft of the same order is
refused, and that refusal leads to the first one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from shared.connectors.contract import Draft, Mappings, Reason, RemoteError, RemoteOrder
from shared.connectors.tryton.calls import Domain, Raw, TrytonCalls, batches
from shared.connectors.tryton.mapping import draft, marketplace_id
from shared.connectors.tryton.page import order_page
from shared.connectors.tryton.refusal import SYSTEM
from shared.connectors.tryton.wire import read_decimal
from shared.errors.problem import Problem
from shared.events.orders import Order

SALE = "model.sale.sale"
SHIPMENT = "model.stock.shipment.out"
FOUND = ("reference", "web_id", "state", "shipment_state", "shipments")
LOOSE = ("draft", "waiting", "assigned")
"""States of a shipment that nobody has packed yet."""

Document = Mapping[str, Any]


class TrytonOrders(TrytonCalls):
    """Sales of one web shop. Safe for many threads."""

    def draft(self, order: Order, mappings: Mappings) -> Draft | list[Problem]:
        """The sale to create, or every problem of the order at once."""
        return draft(order, mappings, self._settings)

    def find_products(self, skus: Sequence[str]) -> set[str]:
        """Which of these SKUs Tryton sells; they are remembered for `create_order`."""
        return set(self._products_of(skus))

    def find_orders(self, numbers: Sequence[str]) -> dict[str, list[RemoteOrder]]:
        """Orders of our web shop with these numbers, cancelled ones included; what was only begun is left out."""
        wanted = set(numbers)
        found: dict[str, list[RemoteOrder]] = {}
        for batch in batches(sorted(wanted)):
            raws = self._found("find-orders", [["reference", "in", batch]])
            ordered = [raw for raw in raws if raw.get("reference") in wanted and self._is_order(raw)]
            off = self._called_off(ordered)
            for raw in ordered:
                found.setdefault(raw["reference"], []).append(self._remote_order(raw, raw["id"] in off))
        return found

    def create_order(self, draft: Draft) -> RemoteOrder:
        """Make the order, or finish what was begun of it. Unknown SKUs are named by a RemoteError(INVALID)."""
        values = self._completed(draft)
        try:
            (sale,) = self._call("create-draft", f"{SALE}.create", [values])
        except RemoteError as error:
            begun = self._begun(draft) if error.reason is Reason.INVALID else None
            if begun is None:
                raise
            if self._is_order(begun):
                return self._remote_order(begun, begun.get("state") == "cancelled")
            sale = self._begin_again(begun, values)
        self._call("quote-order", f"{SALE}.quote", [sale])
        self._check_total(sale, draft)
        if draft.document["confirmed"]:
            self._call("create-order", f"{SALE}.confirm", [sale])
        return RemoteOrder(str(sale), draft.number, draft.marketplace_id, False, self._url(sale))

    def cancel_order(self, order_id: str) -> None:
        """Cancel it; harmless when it is cancelled already; CONFLICT once something is packed or has left."""
        raws = self._found("find-orders", [["id", "=", int(order_id)]]) if order_id.isdecimal() else []
        if not raws:
            raise RemoteError(Reason.NOT_FOUND, "cancel-order: there is no such sale")
        (raw,) = raws
        if raw["state"] == "cancelled":
            return
        if raw["state"] in ("draft", "quotation", "confirmed"):
            if raw["state"] == "confirmed":
                self._call("reopen-order", f"{SALE}.draft", [raw["id"]])
            self._call("cancel-order", f"{SALE}.cancel", [raw["id"]])
            return
        # What is processed is not cancelled as a sale any more: what would leave the warehouse is.
        states = self._shipment_states([raw])
        if not states or any(state not in (*LOOSE, "cancelled") for state in states.values()):
            raise RemoteError(Reason.CONFLICT, "cancel-order: something is packed, has left, or is no delivery")
        if loose := [shipment for shipment, state in states.items() if state in LOOSE]:
            self._call("cancel-order", f"{SHIPMENT}.cancel", loose)

    def ping(self) -> None:
        """Raise RemoteError unless Tryton answers, accepts the user, and shows the web shop's sales."""
        self._call("ping", f"{SALE}.search_read", [["web_shop", "=", self._settings.web_shop]], 0, 1, None, ["state"])

    # -- what is there -----------------------------------------------------------------------------------------------

    def _found(self, operation: str, domain: Domain) -> list[Raw]:
        return self._all(operation, "sale.sale", [["web_shop", "=", self._settings.web_shop], *domain], FOUND)

    def _begun(self, draft: Draft) -> Raw | None:
        wanted = draft.document["sale"]["web_id"]
        found = self._found("find-draft", [["web_id", "=", wanted]])
        return next((raw for raw in found if raw.get("web_id") == wanted), None)

    def _is_order(self, raw: Raw) -> bool:
        """Whether a sale is past what a crash may have left half done. A confirmed one is normally processed in the
        same breath: one that was not has no delivery, and would never get one."""
        begun = ("draft", "quotation") if self._settings.delayed else ("draft", "quotation", "confirmed")
        return raw.get("state") not in begun

    def _called_off(self, raws: Sequence[Raw]) -> set[Any]:
        """Ids of those that are cancelled, be it as a sale or, once processed, delivery by delivery."""
        off = {raw["id"] for raw in raws if raw.get("state") == "cancelled"}
        doubtful = [raw for raw in raws if raw.get("shipment_state") in ("exception", "none") and raw["id"] not in off]
        states = self._shipment_states(doubtful)
        for raw in doubtful:
            own = [states.get(shipment) for shipment in raw.get("shipments") or ()]
            if own and all(state == "cancelled" for state in own):
                off.add(raw["id"])
        return off

    def _shipment_states(self, raws: Sequence[Raw]) -> dict[int, str]:
        ids = [shipment for raw in raws for shipment in raw.get("shipments") or ()]
        found: dict[int, str] = {}
        for batch in batches(ids):
            for raw in self._all("find-deliveries", "stock.shipment.out", [["id", "in", batch]], ["state"]):
                found[raw["id"]] = str(raw.get("state"))
        return found

    # -- what is made ------------------------------------------------------------------------------------------------

    def _completed(self, draft: Draft) -> dict[str, Any]:
        """The draft's sale with ids in place of codes; its addresses are made on the way."""
        document: Document = draft.document
        lines = self._lines(draft)
        currency = self._id_of("currency.currency", document["sale"]["currency"])
        countries = {
            code: self._id_of("country.country", code)
            for code in {address["country"] for address in document["addresses"].values()}
        }
        unknown = [
            _unknown(f"{field.replace('invoice', 'billing').replace('shipment', 'shipping')}.country", "country", code)
            for field, address in document["addresses"].items()
            if countries[code := address["country"]] is None
        ]
        if currency is None:
            unknown.append(_unknown("currency", "currency", document["sale"]["currency"]))
        if unknown:
            raise RemoteError(Reason.INVALID, "create-draft: Tryton lacks a code", problems=unknown)
        party = document["sale"]["party"]
        addresses = [
            {**address, "party": party, "country": countries[address["country"]]}
            for address in document["addresses"].values()
        ]
        made = self._call("create-addresses", "model.party.address.create", addresses)
        return {
            **document["sale"],
            "currency": currency,
            **dict(zip(document["addresses"], made, strict=True)),
            "lines": [["create", lines]],
        }

    def _lines(self, draft: Draft) -> list[dict[str, Any]]:
        """The lines with products and their units in place of SKUs; raises when one is unknown, naming all that are."""
        lines = draft.document["lines"]
        products = self._products_of([line["sku"] for line in lines])
        unknown: list[Problem] = []
        for number, line in enumerate(lines):
            sku, name = line["sku"], line.get("setting")
            problem = Problem("sku-unknown", f"lines.{number}.sku", {"sku": sku}, f"sku:{sku}")
            if name:
                problem = Problem("setting-missing", "", {"setting": name}, f"setting:{name}")
            if sku not in products and problem not in unknown:
                unknown.append(problem)
        if unknown:
            raise RemoteError(Reason.INVALID, "create-draft: unknown products", problems=unknown)
        return [
            {
                **{name: value for name, value in line.items() if name not in ("sku", "setting")},
                "type": "line",
                "sequence": number,
                "product": products[line["sku"]]["id"],
                "unit": products[line["sku"]]["sale_uom"],
            }
            for number, line in enumerate(lines, 1)
        ]

    def _begin_again(self, begun: Raw, values: Mapping[str, Any]) -> int:
        """A sale of ours that was begun gets the content of now: the order may have changed since."""
        sale = int(begun["id"])
        try:
            if begun["state"] != "draft":
                self._call("reopen-order", f"{SALE}.draft", [sale])
            old = self._all("find-lines", "sale.line", [["sale", "=", sale]], ["id"])
            replaced = [["delete", [raw["id"] for raw in old]], *values["lines"]]
            self._call("rewrite-draft", f"{SALE}.write", [sale], {**values, "lines": replaced})
        except RemoteError as error:
            if error.reason is not Reason.INVALID:
                raise
            # What had been lost went on after all, or a person did: the next look-up tells which.
            raise RemoteError(Reason.UNAVAILABLE, f"{error.detail}, while it was begun again") from None
        return sale

    def _check_total(self, sale: int, draft: Draft) -> None:
        """Before anything becomes binding: Tryton computes with its own taxes and its own rounding."""
        raws = self._all("read-total", "sale.sale", [["id", "=", sale]], ["total_amount"])
        try:
            total = read_decimal(raws[0].get("total_amount"))
        except (IndexError, ValueError):
            raise RemoteError(Reason.BROKEN_ANSWER, "read-total: the answer holds no total") from None
        wanted = Decimal(draft.document["total"])
        if total == wanted:
            return
        text = f"The total is {total} there and {wanted} here. Compare the taxes of the mapping and the tax rounding."
        problem = Problem("remote-refused", "total", {"message": text, "detail": text, "system": SYSTEM})
        raise RemoteError(Reason.INVALID, "read-total: another total", problems=(problem,))

    def _remote_order(self, raw: Raw, cancelled: bool) -> RemoteOrder:
        return RemoteOrder(
            id=str(raw["id"]),
            number=str(raw["reference"]),
            marketplace_id=marketplace_id(self._settings.web_shop, raw.get("web_id")),
            cancelled=cancelled,
            url=self._url(raw["id"]),
        )

    def _url(self, sale: Any) -> str:
        return order_page({"base_url": self._settings.base_url, "database": self._settings.database}, str(sale))


def _unknown(field: str, kind: str, code: str) -> Problem:
    text = f"Tryton knows no {kind} {code}."
    return Problem("remote-refused", field, {"message": text, "detail": text, "system": SYSTEM})
