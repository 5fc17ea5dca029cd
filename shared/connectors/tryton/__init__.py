"""Tryton: orders are created here, stock and status come from here. See README.md for quirks and what it needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shared.connectors.contract import Connector, MappingNeed
from shared.connectors.tryton.client import TrytonOrders
from shared.connectors.tryton.page import order_page
from shared.connectors.tryton.settings import TrytonSettings
from shared.connectors.tryton.status import TrytonStatus
from shared.connectors.tryton.stock import TrytonStock

FOLDER = Path(__file__).parent


def _sandbox(folder: Path) -> Any:
    # Imported late: production never loads the stand-in.
    from shared.connectors.tryton.sandbox import sandbox

    return sandbox(folder)


CONNECTOR = Connector(
    key="tryton",
    title="Tryton",
    settings=TrytonSettings,
    rate_limit=20.0,
    lookup_lag=2.0,
    folder=FOLDER,
    sink=TrytonOrders,
    stock_source=TrytonStock,
    status_source=TrytonStatus,
    sandbox=_sandbox,
    order_page=order_page,
    mappings=(
        MappingNeed("payment", "", "each payment method of the marketplace → id of the payment term in Tryton"),
        MappingNeed("shipping", "", "each shipping method of the marketplace → id of the carrier in Tryton"),
        MappingNeed("tax", "", "each tax rate, e.g. 19 → id of the tax in Tryton"),
        MappingNeed("setting", "customer", "id of the party that orders are booked on"),
        MappingNeed("setting", "shipping-article", "code of the service product that shipping costs are booked on"),
        MappingNeed(
            "setting", "discount-article", "code of the service product for discounts and rounding", always=False
        ),
    ),
    permissions={
        "orders": "groups Sales and Party Administration; read products",
        "articles": "group Stock; read products",
        "changes": "groups Sales and Stock",
    },
)
