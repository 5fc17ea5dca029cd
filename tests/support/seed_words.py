"""Names, articles and causes of the seeded day (`seed.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Cause:
    """Why some of the 47 failed."""

    code: str
    orders: int
    where: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


CAUSES = (
    Cause("payment-unmapped", 31, "payment.method", {"payment": "PAYPAL"}),
    Cause("address-incomplete", 6, "shipping_address.street"),
    Cause("sku-unknown", 5, "lines.0.sku", {"sku": "TSH-0815/42"}),
    Cause("number-taken", 3),
    Cause("double-order", 1),
    Cause("unclassified", 1, "", {"what": "ValueError", "fingerprint": "7f3a90c1"}),
)
PEOPLE = (
    ("Erika", "Muster"), ("Jonas", "Albrecht"), ("Aylin", "Demir"), ("Petra", "Sommer"), ("Lukas", "Frey"),
    ("Ines", "Okafor"), ("Marta", "Nowak"), ("Ole", "Petersen"), ("Sina", "Weiß"), ("Karim", "Haddad"),
    ("Birgit", "Lang"), ("Tom", "Richter"), ("Nele", "Janssen"),
)  # fmt: skip
STREETS = ("Teststr.", "Lindenweg", "Am Markt", "Hafenstraße")
TOWNS = ("Hamburg", "Berlin", "Köln", "München", "Leipzig")
ARTICLES = (
    ("ABC-1", "Shirt", "19.99"),
    ("ABC/2.ü", "Umhängetasche", "64.50"),
    ("HOS-77", "Hose Slim", "49.90"),
    ("TSH-0815/42", "T-Shirt Übergröße", "24.90"),
    ("SCH-9", "Wanderschuh", "149.00"),
    ("MUE-3", "Mütze", "12.95"),
)
HOSTILE = (
    "<script>alert(1)</script>",
    "\u202egnp.exe",
    '=HYPERLINK("http://example.org")',
    "Zero\u200bWidth\u200b" + "o" * 300,
)
"""Surnames that a page has to show as text."""
