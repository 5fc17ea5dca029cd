"""What every page of one interface has: its head, and the way between overview, mappings, settings and listing."""

from __future__ import annotations

from typing import Any

from services.journal.pages.frame import frame
from shared.db.connect import Connection


def room(conn: Connection, slug: str, section: str) -> dict[str, Any] | None:
    """Values for `room.html`; None where there is no such interface. section: overview, mappings, settings, listing."""
    values = frame(conn, "interfaces", slug)
    one = next((each for each in values["interfaces"] if each["slug"] == slug), None)
    if one is None:
        return None
    return values | {"one": one, "section": section, "room": f"/interfaces/{slug}"}
