"""Where a person sees an order in Tryton."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote


def order_page(settings: Mapping[str, Any], order_id: str) -> str:
    """The address of an order in Tryton's own pages."""
    return f"{settings['base_url']}/#{settings['database']}/model/sale.sale/{quote(order_id, safe='')}"
