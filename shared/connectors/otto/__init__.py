"""OTTO Market: orders come from here, stock and status go back. See README.md for quirks and how to get credentials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shared.connectors.contract import Connector, MappingNeed
from shared.connectors.order_page import order_page
from shared.connectors.otto.client import OttoOrders
from shared.connectors.otto.settings import OttoSettings
from shared.connectors.otto.status import OttoStatus
from shared.connectors.otto.stock import OttoStock

FOLDER = Path(__file__).parent


def _sandbox(folder: Path) -> Any:
    # Imported late: production never loads the stand-in.
    from shared.connectors.otto.sandbox import sandbox

    return sandbox(folder)


CONNECTOR = Connector(
    key="otto",
    title="OTTO Market",
    settings=OttoSettings,
    rate_limit=20.0,
    lookup_lag=0.0,
    folder=FOLDER,
    source=OttoOrders,
    stock_sink=OttoStock,
    status_sink=OttoStatus,
    sandbox=_sandbox,
    order_page=order_page,
    mappings=(
        MappingNeed(
            "settings", "ship_from_city", "city that parcels leave from; OTTO wants it with each shipment", False
        ),
        MappingNeed("settings", "ship_from_zip", "zip code that parcels leave from", False),
        MappingNeed(
            "return-numbers", "", "numbers of return labels, one for each parcel, where the ERP names none", False
        ),
    ),
    permissions={"orders": "orders", "stock": "availability", "shipments": "shipments"},
)
