"""Hides personal data from people who need not see it: names, addresses, phones and e-mails of buyers.

Enough stays to recognise an order by: initials, town, country. Called by `listing` and `history`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.events.erased import MARK

PERSONAL = ("customer", "billing_address", "shipping_address")
OPEN = ("city", "country")
"""Parts of an address that name nobody."""


def customer_name(order: Mapping[str, Any]) -> str | None:
    """How to call the buyer: company, else first and last name, else the name on the bill, else the e-mail address."""
    customer = order.get("customer") or {}
    name = " ".join(part for part in (customer.get("first_name"), customer.get("last_name")) if part)
    bill = order.get("billing_address") or {}
    return customer.get("company") or name or bill.get("name") or customer.get("email") or None


def initials(text: str) -> str:
    """ "Erika Muster" → "E… M…"; what was erased says so."""
    if text == MARK:
        return text
    return " ".join(f"{word[0]}…" for word in text.split())


def masked(value: Any) -> Any:
    """A copy of an event (or a part of one) in which personal values are initials."""
    if isinstance(value, list):
        return [masked(part) for part in value]
    if not isinstance(value, dict):
        return value
    return {key: _hidden(part) if key in PERSONAL else masked(part) for key, part in value.items()}


def _hidden(part: Any) -> Any:
    if isinstance(part, str):
        return initials(part)
    if isinstance(part, list):
        return [_hidden(one) for one in part]
    if not isinstance(part, dict):
        return part
    return {key: value if key in OPEN else _hidden(value) for key, value in part.items()}
