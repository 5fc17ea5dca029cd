"""What the head of every page shows: interfaces, the three lists with their counts, rejections that wait."""

from __future__ import annotations

from typing import Any

from shared.db.connect import Connection
from shared.records.health import open_incidents_count
from shared.records.overview import interfaces, rejections_open, services
from shared.records.resources import ARTICLES, EXPORTS, ORDERS
from shared.records.tab_counts import tab_counts

TABS = (ARTICLES, ORDERS, EXPORTS)


def frame(conn: Connection, tab: str, slug: str | None = None) -> dict[str, Any]:
    """Values for `frame.html`. tab: which entry is current; slug: the interface the page is limited to."""
    of_a_list = tab == "groups" or any(resource.name == tab for resource in TABS)
    return {
        "tab": tab,
        "slug": slug,
        "refused": rejections_open(conn),
        "interfaces": interfaces(conn),
        "services": services(conn),
        "open_incidents": open_incidents_count(conn),
        "tabs": [{"name": one.name, **tab_counts(conn, one.flow, slug)} for one in TABS] if of_a_list else [],
    }
