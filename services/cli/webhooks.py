"""Tells an ERP where to call us. Called by `interfaces webhook` and, for the demo, by `up`."""

from __future__ import annotations

from shared.connectors.connection import DEADLINE, NoContext
from shared.connectors.open import open_webhook_setup
from shared.connectors.registry import discover
from shared.networks import Networks
from shared.records.interfaces import Interface

PATH = "/api/v1/webhooks"


def address(journal: str, slug: str) -> str:
    """Where the Journal at this address takes the calls of an interface's ERP."""
    return f"{journal.rstrip('/')}{PATH}/{slug}"


def register(interface: Interface, url: str, networks: Networks) -> None:
    """Have the interface's ERP call this address. Raises ValueError where it cannot be told, RemoteError."""
    connector = discover().get(interface.erp)
    if connector is None or "erp" not in interface.sides:
        raise ValueError(f"there is no connector {interface.erp}")
    side = interface.sides["erp"]
    setup, http = open_webhook_setup(connector, {**side.settings, **side.secrets}, NoContext(), DEADLINE, networks)
    try:
        setup.register(f"Connect {interface.slug}", url)
    finally:
        http.close()
