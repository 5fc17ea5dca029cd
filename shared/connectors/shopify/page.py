"""Where a person sees an order in Shopify."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote


def order_page(settings: Mapping[str, Any], order_id: str) -> str:
    """The address of an order in Shopify's own pages."""
    return f"{settings['base_url']}/admin/orders/{quote(order_id, safe='')}"
