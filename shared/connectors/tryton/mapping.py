"""The contract's Order → the records of a sale in Tryton. Pure: order and mappings in, a draft or every problem out.

Ids that only Tryton knows are not known here: a line holds its SKU, an address its country's code, the sale its
currency's code, until `client.create_order` puts ids in their place.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from shared.connectors.contract import Draft, Mappings
from shared.connectors.tryton.pricing import CENT, Amount, net_prices
from shared.connectors.tryton.settings import TrytonSettings
from shared.connectors.tryton.wire import day, decimal
from shared.errors.problem import Problem
from shared.events.orders import Address, Order

Document = dict[str, Any]


def draft(order: Order, mappings: Mappings, settings: TrytonSettings) -> Draft | list[Problem]:
    """The sale to create, or all that stands against it, field by field."""
    found = _Findings(mappings)
    remarks = _remarks(order)
    held_back = any(abs(Decimal(remark.values["difference"])) > settings.max_difference for remark in remarks)
    addresses = {
        "invoice_address": _address(order, "billing_address", order.billing_address, found),
        "shipment_address": _address(order, "shipping_address", order.shipping_address, found),
    }
    sale: Document = {
        "reference": order.number,
        "web_id": web_id(settings.web_shop, order.marketplace_id),
        "web_shop": settings.web_shop,
        "company": settings.company,
        "warehouse": settings.warehouse,
        "party": found.id_setting("customer"),
        "currency": order.currency,
        "sale_date": day(order.ordered_at.date()),
        "payment_term": _payment(order, found),
        "carrier": _carrier(order, found),
        # What the buyer pays for shipping is a line of ours; Tryton must not compute one of its own.
        "shipment_cost_method": None,
        "shipment_method": "order",
        "invoice_method": settings.invoice_method,
    }
    if order.payment and order.payment.reference:
        sale["description"] = order.payment.reference
    lines = [*_goods(order, found), *_shipping(order, found), *_discounts(order, found)]
    if found.problems:
        return found.problems
    document: Document = {"sale": sale, "addresses": addresses}
    document["lines"] = _priced(lines, settings.tax_rounding, found)
    document["total"] = str(_computed(order))
    # What is confirmed leaves by itself; a quotation waits for a person who confirms it.
    document["confirmed"] = not held_back
    if found.problems:
        return found.problems
    skus = tuple(dict.fromkeys(line.sku for line in order.lines))
    return Draft(order.number, order.marketplace_id, document, skus, remarks)


def web_id(shop: int, marketplace_id: str) -> str:
    """Tryton demands that a web id is unique over all web shops, and two shops may both have an order 7."""
    return f"{shop}:{marketplace_id}"


def marketplace_id(shop: int, given: str | None) -> str | None:
    """The id on the marketplace out of a web id; one that somebody else wrote is left as it is."""
    return given.removeprefix(f"{shop}:") if given else None


def rate(value: str) -> str:
    """One spelling per tax rate: "19", "19.0" and "19.00" are "19.0". Raises ValueError when it is no number."""
    try:
        text = f"{Decimal(value.strip()):.4f}".rstrip("0")
    except InvalidOperation:
        raise ValueError("not a tax rate") from None
    return text + "0" if text.endswith(".") else text


class _Findings:
    """Looks mappings up and collects what is missing."""

    def __init__(self, mappings: Mappings) -> None:
        self.problems: list[Problem] = []
        self._mappings = mappings
        self._taxes = _by_rate(mappings.table.get("tax", {}))

    def add(self, code: str, field: str, values: Mapping[str, str] | None = None, key: str | None = None) -> None:
        problem = Problem(code, field, dict(values or {}), key)
        if problem not in self.problems:
            self.problems.append(problem)

    def setting(self, name: str) -> str:
        target = self._mappings.get("setting", name)
        if target is None:
            self.add("setting-missing", "", {"setting": name}, f"setting:{name}")
        return target or ""

    def id_setting(self, name: str) -> int:
        """A setting that is an id of Tryton's; anything else counts as missing."""
        target = self._mappings.get("setting", name)
        if target is None or not target.isdecimal():
            self.add("setting-missing", "", {"setting": name}, f"setting:{name}")
            return 0
        return int(target)

    def mapped(self, kind: str, source: str, field: str) -> int:
        """A mapping to an id of Tryton's; anything else counts as unmapped."""
        target = self._mappings.get(kind, source)
        if target is None or not target.isdecimal():
            self.add(f"{kind}-unmapped", field, {kind: source}, f"{kind}:{source}")
            return 0
        return int(target)

    def tax(self, tax_rate: str, field: str) -> int:
        wanted = rate(tax_rate)
        if wanted not in self._taxes:
            self.add("tax-unmapped", field, {"rate": wanted}, f"tax:{wanted}")
        return self._taxes.get(wanted, 0)


def _by_rate(taxes: Mapping[str, str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for source, target in taxes.items():
        try:
            if target and target.isdecimal():
                found[rate(source)] = int(target)
        except ValueError:
            continue  # not a rate: it maps nothing, and what it was meant for is reported as unmapped
    return found


def _payment(order: Order, found: _Findings) -> int:
    if order.payment is None or not order.payment.method.strip():
        found.add("payment-missing", "payment")
        return 0
    return found.mapped("payment", order.payment.method, "payment.method")


def _carrier(order: Order, found: _Findings) -> int:
    if order.shipping is None or not order.shipping.method.strip():
        found.add("shipping-missing", "shipping")
        return 0
    return found.mapped("shipping", order.shipping.method, "shipping.method")


def _line(sku: str, amount: Amount, tax: int | None, **more: Any) -> Document:
    """A line before its price: `amount` leaves it when all lines are priced together."""
    return {"sku": sku, "amount": amount, "taxes": [["add", [tax]]] if tax else [], **more}


def _goods(order: Order, found: _Findings) -> list[Document]:
    lines = []
    for number, line in enumerate(order.lines):
        field = f"lines.{number}.tax_rate"
        if line.tax_rate is None:
            found.add("tax-missing", field, {"sku": line.sku})
            continue
        amount = Amount(line.quantity, Decimal(line.unit_price), Decimal(line.tax_rate))
        # Tryton has no field for a line's number elsewhere; the note comes back with what is shipped.
        note = line.marketplace_ids[0] if line.marketplace_ids else line.id
        title = {"description": line.title} if line.title else {}
        lines.append(_line(line.sku, amount, found.tax(line.tax_rate, field), note=note, **title))
    return lines


def _shipping(order: Order, found: _Findings) -> list[Document]:
    """What the buyer pays for shipping is a line of its own, and so needs an article."""
    article = found.setting("shipping-article")
    if order.shipping is None or Decimal(order.shipping.price) == 0:
        return []
    if order.shipping.tax_rate is None:
        found.add("tax-missing", "shipping.tax_rate", {"sku": order.shipping.method})
        return []
    tax = found.tax(order.shipping.tax_rate, "shipping.tax_rate")
    amount = Amount(1, Decimal(order.shipping.price), Decimal(order.shipping.tax_rate))
    return [_line(article, amount, tax, setting="shipping-article")]


def _discounts(order: Order, found: _Findings) -> list[Document]:
    if not order.discounts:
        return []
    article = found.setting("discount-article")
    lines = []
    for number, discount in enumerate(order.discounts):
        tax = None if discount.tax_rate is None else found.tax(discount.tax_rate, f"discounts.{number}.tax_rate")
        amount = Amount(1, -Decimal(discount.amount), Decimal(discount.tax_rate or 0))
        title = {"description": discount.title} if discount.title else {}
        lines.append(_line(article, amount, tax, setting="discount-article", **title))
    return lines


def _priced(lines: list[Document], rounding: str, found: _Findings) -> list[Document]:
    """The lines with net prices that make up the marketplace's total, if need be with a line for what is left."""
    prices, left = net_prices([line["amount"] for line in lines], rounding)
    priced = []
    for line, price in zip(lines, prices, strict=True):
        amount: Amount = line["amount"]
        rest = {name: value for name, value in line.items() if name != "amount"}
        priced.append({**rest, "quantity": amount.quantity, "unit_price": decimal(price)})
    if left:
        article = found.setting("discount-article")
        more = {"setting": "discount-article", "description": "Rounding"}
        priced.append({"sku": article, "taxes": [], **more, "quantity": 1, "unit_price": decimal(left)})
    return priced


def _address(order: Order, field: str, address: Address | None, found: _Findings) -> Document:
    """An address of the customer that stands for all buyers: the buyer's name is part of it."""
    if address is None:
        found.add(f"{field.replace('_', '-')}-missing", field)
        return {}
    name = (address.name or "").strip() or _customer_name(order)
    if not name:
        found.add("customer-name-missing", f"{field}.name")
    for part, short in (("street", "street"), ("city", "city"), ("zip_code", "zip"), ("country", "country")):
        if not (getattr(address, part) or "").strip():
            found.add("address-incomplete", f"{field}.{part}", {"parts": short})
    street = " ".join(part.strip() for part in (address.street, address.house_number) if part)
    return {
        "party_name": name,
        "street": "\n".join(part for part in (street, (address.addition or "").strip()) if part),
        "postal_code": address.zip_code,
        "city": address.city,
        "country": address.country,
    }


def _customer_name(order: Order) -> str:
    if order.customer is None:
        return ""
    person = " ".join(part for part in (order.customer.first_name, order.customer.last_name) if part).strip()
    return person or (order.customer.company or "").strip()


def _computed(order: Order) -> Decimal:
    """The sum of the parts, to the cent: a single price may have more digits."""
    computed = sum((Decimal(line.unit_price) * line.quantity for line in order.lines), Decimal(0))
    computed += Decimal(order.shipping.price) if order.shipping else 0
    computed -= sum((Decimal(discount.amount) for discount in order.discounts), Decimal(0))
    return computed.quantize(CENT, ROUND_HALF_UP)


def _remarks(order: Order) -> tuple[Problem, ...]:
    """A total that is not the sum of its parts: the order is created, and somebody should know."""
    computed = _computed(order)
    difference = Decimal(order.total) - computed
    if difference == 0:
        return ()
    values = {"expected": order.total, "total": order.total, "computed": str(computed), "difference": str(difference)}
    return (Problem("total-differs", "total", values),)
