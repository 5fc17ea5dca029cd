"""In which mode an interface's flows are: test, live or paused. What counts is the view `flow_modes`.

A flow follows its interface unless somebody gave it a mode of its own; a paused interface pauses all of its flows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.db.connect import Connection

FLOWS = ("order-import", "order-export", "stock")


@dataclass(frozen=True, slots=True)
class Standing:
    """How an interface stands. flows: the mode that counts, by flow; from_date: older orders are left out."""

    flows: Mapping[str, str]
    from_date: datetime | None = None

    def mode(self, flow: str) -> str:
        """The mode of one flow."""
        return self.flows[flow]

    def by_hand(self, flow: str) -> bool:
        """Whether it makes a difference that a person wants a record to run: the flow does not run by itself, or the
        record may be older than the go-live."""
        return self.flows[flow] != "live" or (self.from_date is not None and flow != "stock")


EVERYWHERE = Standing(dict.fromkeys(FLOWS, "live"))
"""Of an input that concerns no interface."""


def standings(conn: Connection) -> dict[str, Standing]:
    """Every interface, by name."""
    rows = conn.execute(
        "SELECT m.interface, jsonb_object_agg(m.flow, m.mode), i.from_date FROM flow_modes m"
        " JOIN interfaces i ON i.slug = m.interface GROUP BY m.interface, i.from_date"
    ).fetchall()
    return {slug: Standing(flows, from_date) for slug, flows, from_date in rows}


def runs(conn: Connection, slug: str, flow: str) -> bool:
    """Whether this flow of the interface runs by itself."""
    row = conn.execute(
        "SELECT FROM flow_modes WHERE interface = %s AND flow = %s AND mode = 'live'", (slug, flow)
    ).fetchone()
    return row is not None


def override(conn: Connection, slug: str, flow: str, mode: str) -> None:
    """Give a flow a mode of its own; where that is the interface's the flow follows it again."""
    conn.execute(
        "INSERT INTO flow_overrides(interface, flow, mode) VALUES (%s, %s, %s)"
        " ON CONFLICT (interface, flow) DO UPDATE SET mode = excluded.mode, updated_at = now()",
        (slug, flow, mode),
    )
    forget_equal(conn, slug)


def forget_equal(conn: Connection, slug: str) -> None:
    """Flows that have the interface's mode follow it. While all is paused each keeps what it goes back to."""
    conn.execute(
        "DELETE FROM flow_overrides o USING interfaces i"
        " WHERE i.slug = o.interface AND i.slug = %s AND i.mode <> 'paused' AND o.mode = i.mode",
        (slug,),
    )


def overrides(conn: Connection, slug: str) -> dict[str, str]:
    """The flows that have a mode of their own."""
    return dict(conn.execute("SELECT flow, mode FROM flow_overrides WHERE interface = %s", (slug,)).fetchall())
