"""What the header of every page shows: rejections that wait, the interfaces, which services are there."""

from __future__ import annotations

from typing import Any

from shared.db.connect import Connection
from shared.records.overview import interfaces, rejections_open, services


def frame(conn: Connection, tab: str, slug: str | None = None) -> dict[str, Any]:
    """Values for `frame.html`. tab: which entry is current; slug: the interface the page is limited to."""
    return {
        "tab": tab,
        "slug": slug,
        "refused": rejections_open(conn),
        "interfaces": interfaces(conn),
        "services": services(conn),
    }
