"""Xentral: an ERP that orders are created in. See README.md for its quirks and how to get a token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shared.connectors.contract import Connector
from shared.connectors.xentral.client import XentralOrders
from shared.connectors.xentral.settings import XentralSettings

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
    sandbox=_sandbox,
)
