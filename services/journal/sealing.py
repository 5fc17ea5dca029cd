"""Seals the audit's newest lines every few seconds and notes the newest hash in the log. A loop of the Journal."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from services.journal.wiring import Journal
from shared.people.audit_chain import AT_ONCE, seal

SEAL_SECONDS = 10.0


def keep_sealed(
    journal: Journal, beat: Callable[[], None], stopping: Callable[[], bool], pause: Callable[[float], None]
) -> None:
    """Until stopping. Of several Journals one does it at a time."""
    while not stopping():
        beat()
        count = 0
        try:
            with journal.database() as conn:
                count, head = seal(conn)
            if count:
                structlog.get_logger().info("audit sealed", count=count, fingerprint=head)
        except (psycopg.Error, PoolTimeout) as error:
            structlog.get_logger().warning("audit not sealed", error=error)
        if count < AT_ONCE:
            pause(SEAL_SECONDS)
