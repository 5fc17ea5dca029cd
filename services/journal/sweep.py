"""Tidies what lies behind: old sessions, runs, failed logins, dry runs, minutes of figures, facts of alarms."""

from __future__ import annotations

from shared.alarms.forget import forget_alarms
from shared.db.connect import Connection
from shared.people import federated, sessions, throttle
from shared.records.bulk_end import forget_runs
from shared.records.drafted import forget_drafted
from shared.rollup.thin import thin

SWEEP_SECONDS = 3600.0


def sweep(conn: Connection) -> int:
    """Returns how many rows went. Several Journals may do it at once."""
    return (
        sessions.sweep(conn)
        + throttle.sweep(conn)
        + federated.sweep(conn)
        + forget_drafted(conn)
        + forget_runs(conn)
        + thin(conn)
        + forget_alarms(conn)
    )
