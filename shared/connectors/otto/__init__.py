"""OTTO Market: a marketplace that orders come from. See README.md for its quirks and how to get credentials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shared.connectors.contract import Connector
from shared.connectors.otto.client import OttoOrders
from shared.connectors.otto.settings import OttoSettings

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
    sandbox=_sandbox,
)
