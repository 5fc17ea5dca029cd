"""What the Journal lists: orders, exports and articles. The same words in addresses, API, CLI, audit and receipts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Resource:
    """One of the lists. one: what a member is called; flow: of its records; verb: what is asked for by number."""

    name: str
    one: str
    flow: str
    verb: str
    number_length: int = 100


ORDERS = Resource("orders", "order", "order-import", "import")
EXPORTS = Resource("exports", "export", "order-export", "export")
ARTICLES = Resource("articles", "article", "stock", "sync", number_length=200)
RESOURCES = (ORDERS, EXPORTS, ARTICLES)
OF_VERB = {resource.verb: resource for resource in RESOURCES}
OF_FLOW = {resource.flow: resource for resource in RESOURCES}
