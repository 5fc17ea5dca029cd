"""What stands between an interface and going live: the open items of its rehearsal, and the date from which on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.db.connect import Connection
from shared.errors.entry import Language
from shared.records.go_live import Step, step
from shared.records.rehearsal import Item, checklist, still_open


@dataclass(frozen=True, slots=True)
class Gate:
    """step: what would begin; open: what of the rehearsal is not done. Nothing is asked of what only was paused."""

    step: Step
    open: tuple[Item, ...]


def gate(
    conn: Connection,
    slug: str,
    flow: str | None,
    language: Language = "en",
    titles: Mapping[str, str] | None = None,
) -> Gate:
    """How it stands now. titles: what the systems are called, by key."""
    begins = step(conn, slug, flow)
    if not begins.new:
        return Gate(begins, ())
    return Gate(begins, tuple(still_open(checklist(conn, slug, language, titles), begins.new)))


def alarm_offer(slug: str, flow: str | None) -> dict[str, Any]:
    """The alarm that most people want of an interface that goes live, as `POST /api/v1/alarms` takes it."""
    flows = [flow] if flow else ["order-import", "order-export", "stock"]
    return {
        "name": f"{slug}: errors", "interfaces": [slug], "flows": flows, "on": ["error"], "frequency": "immediately",
        "recipients": [],
    }  # fmt: skip
