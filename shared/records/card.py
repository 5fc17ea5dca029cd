"""The error card of a record: what, where, whose turn, how to fix it, whether a retry helps, who else, the last time.

Called by the record's page, the API and the CLI's `show`, so that all three say the same. A dict ready for JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from shared.db.connect import Connection
from shared.errors.entry import Language
from shared.people.actor import Actor
from shared.records.groups import cause_of_record, read_group
from shared.records.remedy import Sides, Situation, remedy
from shared.records.remedy_words import words
from shared.records.wording import problems

SHOWN = ("failed", "waiting", "warning")
_LAST_CALLED = "SELECT called FROM attempts WHERE record_id = %s ORDER BY claim_no DESC LIMIT 1"


def error_card(
    conn: Connection,
    record: Mapping[str, Any],
    zone: ZoneInfo,
    titles: Mapping[str, str],
    language: Language,
    actor: Actor | None = None,
) -> dict[str, Any] | None:
    """The card of a record that `history.read_record` gave; None where it is in no trouble. actor: who reads it.

    problems: each with sentence, cause, turn, steps, action, retry; where somebody else has to act, `tell` is a text to
    send to them, without a buyer's data. same: the group it is in, None where it is in none.
    """
    if record["state"] not in SHOWN or not record["reason"]:
        return None
    sides = Sides(
        record["interface"], *(titles.get(record[name] or "") or (record[name] or "?").title() for name in SIDES)
    )
    found = problems(record["reason"]["problems"])
    watched = frozenset(record["waits_for"])
    situation = Situation(record["flow"], record["state"], watched, alone=len(found) == 1)
    told = [remedy(problem, sides, situation, language, actor) for problem in found]
    for one in told:
        one["tell"] = _tell(one, record["key"], sides, situation, language)
    cause = cause_of_record(conn, record["id"])
    group = cause and read_group(conn, zone, cause)
    return {
        "state": record["state"],
        "problems": told,
        "where": _where(conn, record, sides, language),
        "next_at": record["due_at"] if record["state"] == "waiting" else None,
        "same": group and {name: group[name] for name in SAME},
        "last_time": group["last_time"] if group else None,
    }


SIDES = ("marketplace", "erp")
SAME = (
    "id", "filter", "count", "states", "amounts", "due_today", "overdue", "next_ship_by", "first_seen", "note",
    "noted_by", "noted_at", "assignee", "acknowledged",
)  # fmt: skip


def _tell(
    told: Mapping[str, Any], number: str | None, sides: Sides, situation: Situation, language: Language
) -> str | None:
    """None where the reader acts themselves, or nobody has to."""
    if told["turn"]["owner"] not in ("shop", "ERP admin") or situation.state == "warning":
        return None
    asked = [step["text"] for step in told["steps"][:1]]
    return "\n".join(
        [
            words("tell-order", language, number=number or "?", system=f"{sides.marketplace} → {sides.erp}"),
            "",
            told["sentence"],
            told["cause"],
            "",
            *(f"{words('tell-please', language)} {step}" for step in asked),
        ]
    )


def _where(conn: Connection, record: Mapping[str, Any], sides: Sides, language: Language) -> dict[str, Any]:
    """The way of the record, which hop failed, and whether anything was sent there."""
    imported = record["flow"] == "order-import"
    names = (sides.marketplace, "Connect", sides.erp) if imported else (sides.erp, "Connect", sides.marketplace)
    state = record["state"]
    at = 1 if record["stage"] == "connect" else 2
    reached = ["done"] * at + [state] + ["never"] * (2 - at)
    return {
        "hops": [{"name": name, "state": one} for name, one in zip(names, reached, strict=True)],
        "remark": words(_sent(conn, record, imported), language),
    }


def _sent(conn: Connection, record: Mapping[str, Any], imported: bool) -> str:
    if record["state"] == "warning":
        return "arrived"
    row = conn.execute(_LAST_CALLED, (record["id"],)).fetchone()
    if record["intended"] or (row is not None and row[0]):
        return "maybe-sent"
    if record["sent_no"] is not None:
        return "sent"
    return "nothing-sent-order" if imported else "nothing-sent"
