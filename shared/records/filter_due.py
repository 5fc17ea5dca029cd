"""`due:` of the filter as SQL over `records r`: orders that are to be shipped soon and are not in the ERP yet.

Only records that are still open are asked, which an index leads to; nobody is in a hurry for what is done. Called by
`filter_sql` and `strands`.
"""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

FLOW = "order-import"
OPEN = ("pending", "running", "waiting", "failed")
"""In one of these states an order has not arrived; the alarm on orders that are due counts by the same."""

_ENDS = {
    "24h": "now() + interval '24 hours'",
    "today": "(date_trunc('day', now() AT TIME ZONE %s) + interval '1 day') AT TIME ZONE %s",
    "overdue": "now()",
}
_OPEN = f"r.flow = '{FLOW}' AND r.state IN {OPEN}"


def due(said: Sequence[str], zone: ZoneInfo) -> tuple[str, list[str]]:
    """What is due by the end of any of these; each includes what is late already. zone: where today ends."""
    ends = [_ENDS[value] for value in said]
    values = [zone.key for end in ends for _ in range(end.count("%s"))]
    return f"{_OPEN} AND ({' OR '.join(f'r.ship_by < {end}' for end in ends)})", values
