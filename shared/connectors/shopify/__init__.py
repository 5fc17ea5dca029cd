"""Shopify: orders come from here, stock and status go back. See README.md for quirks and how to get credentials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shared.connectors.contract import Connector
from shared.connectors.shopify.client import ShopifyOrders
from shared.connectors.shopify.page import order_page
from shared.connectors.shopify.settings import ShopifySettings
from shared.connectors.shopify.status import ShopifyStatus
from shared.connectors.shopify.stock import ShopifyStock

FOLDER = Path(__file__).parent


def _sandbox(folder: Path) -> Any:
    # Imported late: production never loads the stand-in.
    from shared.connectors.shopify.sandbox import sandbox

    return sandbox(folder)


CONNECTOR = Connector(
    key="shopify",
    title="Shopify",
    settings=ShopifySettings,
    # Shopify counts points, 100 a second on its smallest plan; an average call of ours takes some 25.
    rate_limit=4.0,
    lookup_lag=1.0,
    folder=FOLDER,
    source=ShopifyOrders,
    stock_sink=ShopifyStock,
    status_sink=ShopifyStatus,
    sandbox=_sandbox,
    order_page=order_page,
    permissions={
        "orders": "read_orders",
        "stock": "write_inventory, read_locations",
        "shipments": "write_orders, write_merchant_managed_fulfillment_orders, read_locations",
    },
)
