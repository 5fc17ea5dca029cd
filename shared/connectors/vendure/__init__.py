"""Vendure: a shop that orders come from; stock, parcels and cancellations go back. See README.md for its quirks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shared.connectors.contract import Connector
from shared.connectors.order_page import order_page
from shared.connectors.vendure.client import VendureOrders
from shared.connectors.vendure.settings import VendureSettings
from shared.connectors.vendure.status import VendureStatus
from shared.connectors.vendure.stock import VendureStock

FOLDER = Path(__file__).parent


def _sandbox(folder: Path) -> Any:
    # Imported late: production never loads the stand-in.
    from shared.connectors.vendure.sandbox import sandbox

    return sandbox(folder)


CONNECTOR = Connector(
    key="vendure",
    title="Vendure",
    settings=VendureSettings,
    rate_limit=10.0,
    lookup_lag=0.0,
    folder=FOLDER,
    source=VendureOrders,
    stock_sink=VendureStock,
    status_sink=VendureStatus,
    sandbox=_sandbox,
    order_page=order_page,
    permissions={
        "orders": "ReadOrder",
        "stock": "ReadCatalog, UpdateCatalog, ReadStockLocation",
        "shipments": "ReadOrder, UpdateOrder",
    },
)
