"""Where a person sees a record's order in the remote systems themselves. Called by the record's page, API and CLI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.connectors.contract import Connector
from shared.db.connect import Connection
from shared.records.masked import side_settings


def links(conn: Connection, connectors: Mapping[str, Connector], record: Mapping[str, Any]) -> dict[str, str | None]:
    """`{"marketplace": address, "erp": address}`; None where the order is not there, or its system has no such page."""
    if record["flow"] == "stock":
        return {"marketplace": None, "erp": None}
    numbers = {"marketplace": record["marketplace_id"], "erp": record.get("erp_number")}
    settings = side_settings(conn, record["interface"])
    return {side: _link(connectors.get(record[side] or ""), settings.get(side), numbers[side]) for side in numbers}


def _link(connector: Connector | None, settings: Mapping[str, Any] | None, number: str | None) -> str | None:
    if connector is None or connector.order_page is None or settings is None or not number:
        return None
    address = connector.order_page(settings, number)
    return address if address and address.startswith(("https://", "http://")) else None
