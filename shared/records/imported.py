"""Orders as the flow order-import has them: what an export needs to know of its order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.db.connect import Connection
from shared.records.states import State


@dataclass(frozen=True, slots=True)
class Imported:
    """An order's record: its staged event, and its number in the ERP as far as there is one."""

    number: str
    state: State
    remote: str | None
    marketplace_id: str | None
    body: bytes
    code: str | None = None

    @property
    def older(self) -> bool:
        """Whether it was left out because it is older than the go-live."""
        return self.state is State.SKIPPED and self.code == "older-than-go-live"

    @property
    def ended(self) -> bool:
        """Whether it is in the ERP, or will not be created there: its exports may go on."""
        return self.state in ENDED


ENDED = frozenset({State.DONE, State.WARNING, State.SKIPPED})


def imported_orders(conn: Connection, interface: str, numbers: Sequence[str]) -> dict[str, Imported]:
    """The orders with these numbers, as they are staged now; unknown ones are left out."""
    rows = conn.execute(
        "SELECT r.key, r.state, r.remote, r.marketplace_id, p.body, r.code FROM records r"
        " JOIN payloads p ON p.record_id = r.id AND p.no = r.payload_no"
        " WHERE r.interface = %s AND r.flow = 'order-import' AND r.key = ANY(%s)",
        (interface, list(numbers)),
        binary=True,
    )
    return {row[0]: Imported(row[0], State(row[1]), row[2], row[3], bytes(row[4]), row[5]) for row in rows}


def ended_orders(conn: Connection, interface: str, numbers: Sequence[str]) -> set[str]:
    """Which of these orders have been imported, or need not be."""
    rows = conn.execute(
        "SELECT key FROM records WHERE interface = %s AND flow = 'order-import' AND key = ANY(%s) AND state = ANY(%s)",
        (interface, list(numbers), [str(state) for state in ENDED]),
    )
    return {row[0] for row in rows}
