"""Xentral: orders are created here, stock and status come from here. See README.md for quirks and how to get access."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shared.connectors.contract import Connector, MappingNeed
from shared.connectors.xentral.client import XentralOrders
from shared.connectors.xentral.page import order_page
from shared.connectors.xentral.settings import XentralSettings
from shared.connectors.xentral.status import XentralStatus
from shared.connectors.xentral.stock import XentralStock
from shared.connectors.xentral.webhook import XentralWebhooks
from shared.connectors.xentral.webhook_setup import XentralWebhookSetup

FOLDER = Path(__file__).parent


def _sandbox(folder: Path) -> Any:
    # Imported late: production never loads the stand-in.
    from shared.connectors.xentral.sandbox import sandbox

    return sandbox(folder)


CONNECTOR = Connector(
    key="xentral",
    title="Xentral",
    settings=XentralSettings,
    rate_limit=100 / 60,
    lookup_lag=5.0,
    folder=FOLDER,
    sink=XentralOrders,
    stock_source=XentralStock,
    status_source=XentralStatus,
    webhooks=XentralWebhooks,
    webhook_setup=XentralWebhookSetup,
    sandbox=_sandbox,
    order_page=order_page,
    mappings=(
        MappingNeed("payment", "", "each payment method of the marketplace → id of the payment method in Xentral"),
        MappingNeed("shipping", "", "each shipping method of the marketplace → id of the shipping method in Xentral"),
        MappingNeed("tax", "", "each tax rate, e.g. 19 → normal, reduced or exempt"),
        MappingNeed("setting", "customer", "id of the customer that orders are booked on"),
        MappingNeed("setting", "project", "id of the project that orders belong to"),
        MappingNeed("setting", "channel", "id of the sales channel that orders belong to", unless="channel"),
        MappingNeed("setting", "shipping-article", "id of the article that shipping costs are booked on"),
        MappingNeed("setting", "discount-article", "id of the article that discounts are booked on", always=False),
    ),
    permissions={
        "orders": "read, import and cancel sales orders; read products",
        "articles": "read products and stocks",
        "changes": "read sales orders and delivery notes",
    },
)
