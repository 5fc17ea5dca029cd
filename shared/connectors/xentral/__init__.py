"""Xentral: orders are created here, stock and status come from here. See README.md for quirks and how to get access."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shared.connectors.contract import Connector
from shared.connectors.xentral.client import XentralOrders
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
)
