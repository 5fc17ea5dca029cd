"""What a missing mapping costs: by key, how many records it blocks are due soon, and what their orders are worth.

Called by the page of mappings, its API and the CLI.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from shared.db.connect import Connection

_HARM = """
SELECT b.key, t.currency, sum(t.amount), count(*) FILTER (WHERE r.ship_by < now() + interval '24 hours'),
       min(r.ship_by)
FROM blocks b JOIN records r ON r.id = b.record_id
LEFT JOIN LATERAL (SELECT amount, currency FROM troubles WHERE record_id = r.id AND left_at IS NULL
                   ORDER BY seen_at DESC LIMIT 1) t ON true
WHERE b.interface = %s AND r.state IN ('waiting', 'failed', 'pending')
GROUP BY b.key, t.currency ORDER BY b.key, sum(t.amount) DESC NULLS LAST
"""


class Harm(NamedTuple):
    """due: to be shipped within a day; next_ship_by: the earliest; amounts: what the orders are worth, by currency."""

    due: int = 0
    next_ship_by: datetime | None = None
    amounts: tuple[dict[str, str], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For programs; amounts are text, so that nothing rounds them."""
        return {"due": self.due, "next_ship_by": self.next_ship_by, "amounts": list(self.amounts)}


def harm(conn: Connection, slug: str) -> dict[str, Harm]:
    """By key that records of this interface wait for."""
    found: dict[str, Harm] = {}
    for key, currency, amount, due, next_ship_by in conn.execute(_HARM, (slug,)).fetchall():
        before = found.get(key, Harm())
        worth = ({"currency": currency, "amount": f"{amount:.2f}"},) if amount is not None and currency else ()
        found[key] = Harm(
            before.due + due,
            min((at for at in (before.next_ship_by, next_ship_by) if at), default=None),
            before.amounts + worth,
        )
    return found


def of_gap(found: Mapping[str, Harm], gap: Mapping[str, Any]) -> Harm:
    """The harm of one missing thing, as `gaps` names it."""
    return found.get(f"{gap['kind']}:{gap['source']}", Harm())
