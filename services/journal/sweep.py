"""Tidies what people leave behind: old sessions and runs, counts of failed logins, dry runs, facts of alarms."""

from __future__ import annotations

from shared.alarms.forget import forget_alarms
from shared.db.connect import Connection
from shared.people import federated, sessions, throttle
from shared.records.bulk_end import forget_runs
from shared.records.drafted import forget_drafted

SWEEP_SECONDS = 3600.0


def sweep(conn: Connection) -> int:
    """Returns how many rows went. Several Journals may do it at once."""
    return (
        sessions.sweep(conn)
        + throttle.sweep(conn)
        + federated.sweep(conn)
        + forget_drafted(conn)
        + forget_runs(conn)
        + forget_alarms(conn)
    )
