"""Connect between two real systems: one live interface, services as processes, nothing in between but the network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.cli.sides import new_side
from shared.broker.apply import apply
from shared.connectors.registry import discover
from shared.db.connect import connect
from shared.db.migrate import migrate
from shared.records.interfaces import add_interface, save_mapping
from shared.seal import Seal
from tests.support.system import INTERFACE, SECRET, System

# On a busy machine a real ERP takes its time for a call.
PATIENT = {"lease_seconds": "60", "call_seconds": "60"}


def join(
    system: System,
    marketplace: tuple[str, Mapping[str, Any]],
    erp: tuple[str, Mapping[str, Any]],
    mappings: Mapping[str, Mapping[str, str]],
) -> None:
    """Schema, topology, and the interface. marketplace, erp: the connector's key and its settings."""
    migrate(system.database_url)
    apply(system.broker_url)
    connectors = discover()
    sides = {
        f"{name}_side": new_side(name, {"connector": key, "calls_per_second": 100, **settings}, connectors)
        for name, (key, settings) in (("marketplace", marketplace), ("erp", erp))
    }
    with connect(system.database_url, "tests") as conn:
        add_interface(
            conn,
            Seal(SECRET),
            slug=INTERFACE,
            title="Two real systems",
            marketplace=marketplace[0],
            erp=erp[0],
            mode="live",
            poll_seconds=2,
            **sides,
        )
        for kind, table in mappings.items():
            for source, target in table.items():
                save_mapping(conn, INTERFACE, kind, source, target)
