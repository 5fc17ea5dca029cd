"""A person corrects the staged copy of an order: checked as if it came in, compared with what is there, then stored."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from shared.db.connect import Connection
from shared.errors.problem import Problem
from shared.events.envelope import Event
from shared.failpoint import Failpoints
from shared.people.audit import audit
from shared.records.edited import lock_staged, store_edited
from shared.runtime.decode import Refused, decode
from shared.runtime.flows import order_imported

EVENT = "order-imported"
SHOWN = 300  # characters of a value in a list of changes


@dataclass(frozen=True, slots=True)
class Edited:
    """What became of a correction. changes: path, before and after of each value; payload_no: of the staged copy.

    refused: why it was not stored: `state` (running, or in the ERP already), `overtaken` (another copy is staged),
    `unchanged`, `problems`; None where it was, or would be.
    """

    changes: list[dict[str, str | None]]
    problems: tuple[Problem, ...]
    payload_no: int
    state: str
    refused: str | None = None
    stored: bool = False


def edit_order(
    conn: Connection,
    record_id: int,
    data: Mapping[str, Any],
    actor: str,
    *,
    seen: int | None = None,
    why: str | None = None,
    dry_run: bool = False,
    failpoint: Callable[[str], None] = Failpoints(),  # noqa: B008 - inert
) -> Edited | None:
    """Replace the `data` of an order's staged event; its envelope stays. None when there is no such order.

    seen: the number of the copy that was corrected. dry_run: only say what would change and what is wrong with it.
    """
    with conn.transaction():
        staged = lock_staged(conn, record_id)
        if staged is None:
            return None
        before = json.loads(staged.body)
        body = json.dumps({**before, "data": data}, ensure_ascii=False).encode("utf-8", "surrogatepass")
        changes = list(differences(before["data"], data))
        checked = decode(body, EVENT, staged.now)
        problems = checked.problems if isinstance(checked, Refused) else _renamed(checked, staged)
        refused = None
        if not staged.editable:
            refused = "state"
        elif seen is not None and seen != staged.payload_no:
            refused = "overtaken"
        elif problems:
            refused = "problems"
        elif not changes:
            refused = "unchanged"
        if refused or dry_run or isinstance(checked, Refused):
            return Edited(changes, tuple(problems), staged.payload_no, staged.state, refused)
        order = checked.data.order
        fields = [str(change["path"]) for change in changes]
        number = store_edited(conn, record_id, body, fields, order.ordered_at, order.ship_by, actor)
        audit(conn, actor, "orders.edit", {"record": record_id, "payload_no": number, "fields": fields[:50]}, why)
        failpoint("edit.stored")
    return Edited(changes, (), number, "pending", stored=True)


def _renamed(event: Event[Any], staged: Any) -> tuple[Problem, ...]:
    """What names the order must stay: another number is another order."""
    target = order_imported(event)
    named = (
        ("data.interface", staged.interface, target.interface),
        ("data.order.number", staged.key, target.key),
        ("data.order.marketplace_id", staged.marketplace_id, target.marketplace_id),
    )
    return tuple(Problem("edit-renames", field, {"before": str(was)}) for field, was, now in named if was != now)


def differences(before: Any, after: Any, path: str = "") -> Iterator[dict[str, str | None]]:
    """Each value that differs, by its path; None stands for what is not there."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys([*before, *after]):
            yield from differences(before.get(name), after.get(name), f"{path}.{name}" if path else str(name))
    elif isinstance(before, list) and isinstance(after, list):
        for place in range(max(len(before), len(after))):
            was = before[place] if place < len(before) else None
            now = after[place] if place < len(after) else None
            yield from differences(was, now, f"{path}.{place}")
    elif before != after or type(before) is not type(after):
        yield {"path": path, "before": _said(before), "after": _said(after)}


def _said(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
