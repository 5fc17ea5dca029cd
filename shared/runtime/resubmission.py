"""Submits rejections again: tries a body out first, and takes in many that had the same problem once that is mended."""

from __future__ import annotations

from collections import Counter
from typing import Any

from shared.db.connect import Connection
from shared.errors.problem import Problem
from shared.people.audit import audit
from shared.records.modes import standings
from shared.records.rejections import Rejection, Wanted, open_ids
from shared.runtime.clock import DatabaseClock
from shared.runtime.flows import FLOWS
from shared.runtime.intake import Intake
from shared.runtime.prepare import Arrival, prepare

MOST = 500
"""Of so many at once the result is waited for; who has more asks again."""


def try_out(conn: Connection, one: Rejection, body: bytes) -> tuple[Problem, ...]:
    """What would be refused about this body if it were submitted in place of the rejection now; changes nothing."""
    event = one.event if one.event in {name.rpartition(".")[0] for name in FLOWS} else None
    ready = prepare(Arrival(body, "resubmit", "", event), DatabaseClock().now(conn), standings(conn))
    if ready.refusal is not None:
        return ready.refusal.problems
    if ready.incoming is not None:
        known = conn.execute("SELECT data_hash FROM events WHERE hash = %s", (ready.incoming.hash,)).fetchone()
        if known is not None and known[0] != ready.incoming.data_hash:
            values = {"id": ready.incoming.event_id, "source": ready.incoming.source}
            return (Problem("id-reused", "id", values),)
    return ()


def resubmit_alike(
    conn: Connection, intake: Intake, wanted: Wanted, actor: str, *, dry_run: bool = False
) -> dict[str, Any]:
    """Submit open rejections again as they came, the oldest first, at most MOST.

    Each is a transaction of its own, so what was done before a crash stays done, and asking again goes on. Returns
    {"matched", "more" (there are further ones), "outcomes": {"applied": 3, "rejected": 1, …}}.
    """
    found = open_ids(conn, wanted, MOST + 1)
    told: dict[str, Any] = {"matched": min(len(found), MOST), "more": len(found) > MOST, "dry_run": dry_run}
    outcomes: Counter[str] = Counter()
    if not dry_run:
        target = {"code": wanted.code, "interface": wanted.interface, "counts": {"matched": told["matched"]}}
        audit(conn, actor, "rejections.resubmit-all", target)
        for rejection in found[:MOST]:
            taken = intake.resubmit(conn, rejection, None, actor)
            if taken is not None:  # None: somebody else was there a moment before
                outcomes["rejected" if taken.rejection_id is not None else str(taken.outcome)] += 1
    return told | {"outcomes": dict(outcomes)}
