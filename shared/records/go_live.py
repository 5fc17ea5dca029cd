"""Switches an interface, or one of its flows, to test, live or paused, with what that means for its records.

Going live for the first time, or after a test, is a step that is rehearsed (`rehearsal`) and that says from which date
on orders are transferred. What was held meanwhile is real from then on; what goes on after a pause just goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.db.connect import Connection
from shared.people.audit import audit
from shared.records.interfaces import set_mode
from shared.records.modes import FLOWS, forget_equal, override, overrides, standings


@dataclass(frozen=True, slots=True)
class Step:
    """What going live would be. flows: those that would run; new: of these, the ones that have to be rehearsed."""

    flows: tuple[str, ...]
    new: tuple[str, ...]

    @property
    def wants_date(self) -> bool:
        """Whether it has to be said from when on orders are transferred."""
        return "order-import" in self.new


def step(conn: Connection, slug: str, flow: str | None) -> Step:
    """What it would be to switch the interface, or one flow, live. flow None: all that have no mode of their own."""
    row = conn.execute("SELECT live_flows FROM interfaces WHERE slug = %s", (slug,)).fetchone()
    assert row is not None
    own, now = overrides(conn, slug), standings(conn)[slug]
    flows = (flow,) if flow else tuple(name for name in FLOWS if own.get(name, "live") == "live")
    return Step(flows, tuple(name for name in flows if name not in row[0] and now.mode(name) != "live"))


def go_live(
    conn: Connection,
    slug: str,
    actor: str,
    *,
    flow: str | None = None,
    from_date: datetime | None = None,
    missing: list[str] | None = None,
    reason: str | None = None,
) -> None:
    """Switch live. from_date: orders placed before it are left alone. missing: what of the rehearsal was not done, and
    reason: why it goes live all the same; both for the audit."""
    with conn.transaction():
        _lock(conn, slug)
        begins = step(conn, slug, flow)
        if from_date is not None:
            conn.execute("UPDATE interfaces SET from_date = %s WHERE slug = %s", (from_date, slug))
        if flow is None:
            set_mode(conn, slug, "live")
            forget_equal(conn, slug)
        else:
            override(conn, slug, flow, "live")
        _switched(conn, slug)
        for name in begins.new:
            make_real(conn, slug, name)
        target: dict[str, Any] = {"interface": slug, "flow": flow, "mode": "live"}
        if from_date is not None:
            target["from"] = from_date.isoformat()
        if missing:
            target["missing"] = missing
        audit(conn, actor, "interfaces.mode", target, reason)


def pause(conn: Connection, slug: str, actor: str, flow: str | None = None) -> None:
    """Pause all of it, or one flow: events are still taken in, nothing is sent."""
    _switch(conn, slug, actor, "paused", flow)


def back_to_test(conn: Connection, slug: str, actor: str, flow: str | None = None) -> None:
    """Back to test: nothing goes on by itself, and going live has to be rehearsed again."""
    with conn.transaction():
        if flow is None:
            conn.execute("DELETE FROM flow_overrides WHERE interface = %s AND mode = 'live'", (slug,))
        _switch(conn, slug, actor, "test", flow)
        conn.execute(
            "UPDATE interfaces SET live_flows = CASE WHEN %(flow)s::text IS NULL THEN '{}'"
            " ELSE array_remove(live_flows, %(flow)s) END WHERE slug = %(slug)s",
            {"flow": flow, "slug": slug},
        )


def _switch(conn: Connection, slug: str, actor: str, mode: str, flow: str | None) -> None:
    with conn.transaction():
        _lock(conn, slug)
        _remember_live(conn, slug)
        if flow is None:
            set_mode(conn, slug, mode)
            forget_equal(conn, slug)
        else:
            override(conn, slug, flow, mode)
        _switched(conn, slug)
        audit(conn, actor, "interfaces.mode", {"interface": slug, "flow": flow, "mode": mode})


def _remember_live(conn: Connection, slug: str) -> None:
    """What runs now has been rehearsed, or somebody took the responsibility."""
    conn.execute(
        "UPDATE interfaces SET live_flows = ARRAY(SELECT unnest(live_flows) UNION"
        " SELECT flow FROM flow_modes WHERE interface = slug AND mode = 'live' ORDER BY 1) WHERE slug = %s",
        (slug,),
    )


def _lock(conn: Connection, slug: str) -> None:
    conn.execute("SELECT FROM interfaces WHERE slug = %s FOR UPDATE", (slug,))


def _switched(conn: Connection, slug: str) -> None:
    """Workers read the interface again: a handler knows the from-date."""
    conn.execute(
        "UPDATE interfaces SET switched_at = now(), revision = revision + 1, updated_at = now() WHERE slug = %s",
        (slug,),
    )


_REAL = """
UPDATE records r SET test = false FROM interfaces i
WHERE i.slug = r.interface AND r.interface = %s AND r.flow = %s AND r.test
  AND r.state IN ('never', 'pending', 'running', 'waiting', 'failed')
  AND (r.flow <> 'order-import' OR i.from_date IS NULL OR r.ordered_at IS NULL OR r.ordered_at >= i.from_date)
"""
_REAL_LATE = """
UPDATE records r SET test = false FROM interfaces i JOIN flow_modes m ON m.interface = i.slug AND m.mode = 'live'
WHERE i.slug = r.interface AND m.flow = r.flow AND r.test AND i.switched_at > now() - interval '5 minutes'
  AND r.received_at >= i.switched_at
  AND (r.flow <> 'order-import' OR i.from_date IS NULL OR r.ordered_at IS NULL OR r.ordered_at >= i.from_date)
"""


def make_real(conn: Connection, slug: str, flow: str) -> int:
    """What is not finished is no test any more, and counts; what was finished in test stays marked. How many.

    Orders from before the from-date stay tests: they are skipped, or were tried by hand.
    """
    return conn.execute(_REAL, (slug, flow)).rowcount


def make_late_ones_real(conn: Connection) -> int:
    """An intake learns of a switch a moment late: what it stored as a test meanwhile is none. Called by upkeep."""
    return conn.execute(_REAL_LATE).rowcount
