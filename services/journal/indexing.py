"""Keeps the index of searched texts close behind the records, while the Journal runs. Called by `__main__`."""

from __future__ import annotations

import time
from collections.abc import Callable

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from services.journal.wiring import Journal
from shared.records.indexer import BATCH, Indexer, behind

PAUSE_SECONDS = 0.5
COUNT_SECONDS = 5.0


def keep_indexed(
    journal: Journal, beat: Callable[[], None], stopping: Callable[[], bool], pause: Callable[[float], None]
) -> None:
    """Batch after batch while there is work, then a look twice a second, until stopping. Of several Journals one works.

    A database that is away is tried again: searches are exact meanwhile, only slower.
    """
    indexer, counted = Indexer(), float("-inf")
    while not stopping():
        beat()
        done = 0
        try:
            with journal.database() as conn:
                done = indexer.batch(conn, journal.failpoint)
                if time.monotonic() - counted > COUNT_SECONDS:
                    journal.metrics.search_notes.set(behind(conn))
                    counted = time.monotonic()
        except (psycopg.Error, PoolTimeout) as error:
            structlog.get_logger().warning("texts were not indexed", error=error)
        if done < BATCH:
            pause(PAUSE_SECONDS)
