"""An interface as people may see it: settings, mappings, and of secrets the names only. Nothing is opened here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.db.connect import Connection
from shared.records.credentials import stored
from shared.records.listings import read_filter
from shared.records.return_numbers import pool

MASK = "••••••••"
TOGETHER = "(all secrets)"
"""Stands for the names of secrets that an earlier release sealed together."""


@dataclass(frozen=True, slots=True)
class MaskedSide:
    """One account. secrets: names only."""

    connector: str
    settings: dict[str, Any]
    secrets: tuple[str, ...]
    calls_per_second: float
    calls_at_once: int


@dataclass(frozen=True, slots=True)
class Masked:
    """An interface with everything that can be configured, see `interfaces.Interface`.

    mappings: kind → source → target; listing: the filter; return_numbers: the pool by carrier.
    """

    slug: str
    title: str
    marketplace: str
    erp: str
    mode: str
    from_date: datetime | None
    poll_seconds: int
    reread_seconds: int
    revision: int
    cancels: bool
    sides: dict[str, MaskedSide]
    mappings: dict[str, dict[str, str]]
    listing: dict[str, Any]
    return_numbers: list[dict[str, Any]]

    def as_json(self) -> dict[str, Any]:
        """For programs: secrets stand among the settings, masked."""
        names = (
            "slug", "title", "marketplace", "erp", "mode", "from_date", "poll_seconds", "reread_seconds", "revision",
            "cancels", "mappings", "listing", "return_numbers",
        )  # fmt: skip
        sides = {
            name: {
                "settings": {**side.settings, **dict.fromkeys(side.secrets, MASK)},
                "calls_per_second": side.calls_per_second,
                "calls_at_once": side.calls_at_once,
            }
            for name, side in self.sides.items()
        }
        return {name: getattr(self, name) for name in names} | {"sides": sides}


def side_settings(conn: Connection, slug: str) -> dict[str, dict[str, Any]]:
    """The settings of both sides without their secrets, by side."""
    return dict(conn.execute("SELECT side, settings FROM sides WHERE interface = %s", (slug,)).fetchall())


def read_masked(conn: Connection, slug: str) -> Masked | None:
    """One interface, None where there is none of this name."""
    row = conn.execute(
        "SELECT slug, title, marketplace, erp, mode, from_date, poll_seconds, reread_seconds, revision, cancels"
        " FROM interfaces WHERE slug = %s",
        (slug,),
    ).fetchone()
    if row is None:
        return None
    secrets: dict[str, list[str]] = {}
    for one in stored(conn, slug):
        secrets.setdefault(one.side, []).append(one.name or TOGETHER)
    sides = {
        side: MaskedSide(
            row[2] if side == "marketplace" else row[3], settings, tuple(secrets.get(side, ())), rate, many
        )
        for side, settings, rate, many in conn.execute(
            "SELECT side, settings, calls_per_second, calls_at_once FROM sides WHERE interface = %s ORDER BY side DESC",
            (slug,),
        ).fetchall()
    }
    mappings: dict[str, dict[str, str]] = {}
    for kind, source, target in conn.execute(
        "SELECT kind, source, target FROM mappings WHERE interface = %s ORDER BY kind, source", (slug,)
    ).fetchall():
        mappings.setdefault(kind, {})[source] = target
    title, marketplace, erp, mode, from_date, poll, reread, revision, cancels = row[1:]
    return Masked(
        slug, title, marketplace, erp, mode, from_date, poll, reread, revision, cancels, sides, mappings,
        read_filter(conn, slug), pool(conn, slug),
    )  # fmt: skip
