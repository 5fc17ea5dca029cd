"""Waits a moment for a receipt that its service is answering: who asks for a dry run wants to see it at once."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

from services.journal.wiring import Journal
from shared.errors.entry import Language
from shared.records.receipt import read_receipt

PATIENCE_SECONDS = 8.0
LOOK_SECONDS = 0.2


def filled(journal: Journal, receipt: UUID, found: dict[str, Any], language: Language) -> dict[str, Any]:
    """The receipt once it is complete, at the latest after some seconds. No connection is held meanwhile."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not found["complete"] and time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
        with journal.database() as conn:
            found = read_receipt(conn, receipt, language=language) or found
    return found
