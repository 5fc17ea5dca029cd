"""The contract's Order → Xentral's import document. Pure: order and mappings in, a draft or every problem out.

Product ids are not known here: a position holds its SKU until `client.create_order` puts the id in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from shared.connectors.contract import Draft, Mappings
from shared.errors.problem import Problem
from shared.events.orders import Address, Order

Document = dict[str, Any]


def draft(order: Order, mappings: Mappings, max_difference: Decimal, channel: str = "") -> Draft | list[Problem]:
    """The document to import, or all that stands against it, field by field. `channel` goes before its mapping."""
    found = _Findings(mappings)
    addresses = {
        "billing_address": _address(order, "billing_address", order.billing_address, found),
        "shipping_address": _address(order, "shipping_address", order.shipping_address, found),
    }
    remarks = _remarks(order)
    document: Document = {
        "date": order.ordered_at.date().isoformat(),
        "externalOrderNumber": order.number,
        "externalOrderId": order.marketplace_id,
        "customer": {"id": found.setting("customer")},
        "project": {"id": found.setting("project")},
        "salesChannel": {"id": channel or found.setting("channel")},
        "financials": {
            "paymentMethod": {"id": _payment(order, found)},
            "currency": order.currency,
            "billingAddress": addresses["billing_address"],
        },
        "delivery": {
            "shippingMethod": {"id": _shipping_method(order, found)},
            "shippingAddress": addresses["shipping_address"],
            **_shipping_costs(order, found),
        },
        "positions": [_position(order, number, found) for number in range(len(order.lines))],
        **_discounts(order, found),
    }
    if order.customer and order.customer.email:
        document["financials"]["billingAddress"]["email"] = order.customer.email
    if order.payment and order.payment.reference:
        document["transactionNumber"] = order.payment.reference
    if any(abs(Decimal(remark.values["difference"])) > max_difference for remark in remarks):
        document["delivery"]["autoShipping"] = False
    if found.problems:
        return found.problems
    skus = tuple(dict.fromkeys(line.sku for line in order.lines))
    return Draft(order.number, order.marketplace_id, document, skus, remarks)


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

    def mapped(self, kind: str, source: str, field: str) -> str:
        target = self._mappings.get(kind, source)
        if target is None:
            self.add(f"{kind}-unmapped", field, {kind: source}, f"{kind}:{source}")
        return target or ""

    def tax(self, tax_rate: str, field: str) -> Document:
        wanted = rate(tax_rate)
        category = self._taxes.get(wanted)
        if category is None:
            self.add("tax-unmapped", field, {"rate": wanted}, f"tax:{wanted}")
        return {"vatCategory": category, "taxText": f"{wanted.removesuffix('.0')} %"}


def _by_rate(taxes: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for source, target in taxes.items():
        try:
            if target:
                found[rate(source)] = target
        except ValueError:
            continue  # not a rate: it maps nothing, and what it was meant for is reported as unmapped
    return found


def _payment(order: Order, found: _Findings) -> str:
    if order.payment is None or not order.payment.method.strip():
        found.add("payment-missing", "payment")
        return ""
    return found.mapped("payment", order.payment.method, "payment.method")


def _shipping_method(order: Order, found: _Findings) -> str:
    if order.shipping is None or not order.shipping.method.strip():
        found.add("shipping-missing", "shipping")
        return ""
    return found.mapped("shipping", order.shipping.method, "shipping.method")


def _shipping_costs(order: Order, found: _Findings) -> Document:
    """What the buyer pays for shipping is a position of its own at Xentral, and so needs an article."""
    article = found.setting("shipping-article")
    if order.shipping is None or Decimal(order.shipping.price) == 0:
        return {}
    cost: Document = {
        "shippingCostProduct": {"id": article},
        "quantity": 1,
        "price": {"amount": order.shipping.price, "currency": order.currency},
    }
    if order.shipping.tax_rate is None:
        found.add("tax-missing", "shipping.tax_rate", {"sku": order.shipping.method})
    else:
        cost["tax"] = found.tax(order.shipping.tax_rate, "shipping.tax_rate")
    return {"shippingCosts": [cost]}


def _position(order: Order, number: int, found: _Findings) -> Document:
    line = order.lines[number]
    position: Document = {
        "product": {"sku": line.sku},
        "quantity": line.quantity,
        "price": {"amount": line.unit_price, "currency": order.currency},
        "webId": line.marketplace_ids[0] if line.marketplace_ids else line.id,
    }
    if line.tax_rate is None:
        found.add("tax-missing", f"lines.{number}.tax_rate", {"sku": line.sku})
    else:
        position["tax"] = found.tax(line.tax_rate, f"lines.{number}.tax_rate")
    return position


def _discounts(order: Order, found: _Findings) -> Document:
    if not order.discounts:
        return {}
    article = found.setting("discount-article")
    positions = []
    for number, discount in enumerate(order.discounts):
        position: Document = {
            "discountProduct": {"id": article},
            "quantity": 1,
            "value": {"amount": discount.amount, "currency": order.currency},
        }
        if discount.tax_rate is not None:
            position["tax"] = found.tax(discount.tax_rate, f"discounts.{number}.tax_rate")
        positions.append(position)
    return {"discountPositions": positions}


def _address(order: Order, field: str, address: Address | None, found: _Findings) -> Document:
    """An address in Xentral's form: street and house number in one, and every part that is missing by its name."""
    if address is None:
        found.add(f"{field.replace('_', '-')}-missing", field)
        return {}
    name = (address.name or "").strip() or _customer_name(order)
    if not name:
        found.add("customer-name-missing", f"{field}.name")
    for part, short in (("street", "street"), ("city", "city"), ("zip_code", "zip"), ("country", "country")):
        if not (getattr(address, part) or "").strip():
            found.add("address-incomplete", f"{field}.{part}", {"parts": short})
    document: Document = {
        "name": name,
        "street": " ".join(part.strip() for part in (address.street, address.house_number) if part),
        "zipCode": address.zip_code,
        "city": address.city,
        "country": address.country,
    }
    if address.addition:
        document["addressSupplement"] = address.addition
    return document


def _customer_name(order: Order) -> str:
    if order.customer is None:
        return ""
    person = " ".join(part for part in (order.customer.first_name, order.customer.last_name) if part).strip()
    return person or (order.customer.company or "").strip()


def _remarks(order: Order) -> tuple[Problem, ...]:
    """A total that is not the sum of its parts: the order is created, and somebody should know."""
    computed = sum((Decimal(line.unit_price) * line.quantity for line in order.lines), Decimal(0))
    computed += Decimal(order.shipping.price) if order.shipping else 0
    computed -= sum((Decimal(discount.amount) for discount in order.discounts), Decimal(0))
    # Prices may have four decimals, where a marketplace adds the tax; what is charged has two.
    difference = (Decimal(order.total) - computed).quantize(Decimal("0.01"))
    if difference == 0:
        return ()
    values = {"expected": order.total, "total": order.total, "computed": str(computed), "difference": str(difference)}
    return (Problem("total-differs", "total", values),)
