"""Plans as they are kept between two rounds: incidents by the numbers of their rows, those that stand alike together.

A hundred interfaces that fail at once are a hundred numbers and one state for a subscription, not a hundred states.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

from shared.alarms.incidents import Cause, Opening, Severity
from shared.alarms.plan import Plan
from shared.alarms.storm import Storm
from shared.alarms.told import Mailing, Told
from shared.db.connect import Connection

_NAMES = [one.name for one in fields(Told) if one.name not in ("cause", "since")]
_state = attrgetter(*_NAMES)
_READ = dict.fromkeys(("due", "slot", "told", "remind", "snoozed"), datetime.fromisoformat) | {
    "severity": Severity,
    "news": Mailing,
}


def to_json(plan: Plan, ids: Mapping[Opening, int]) -> dict[str, Any]:
    """A value for JSON. ids: the rows of its incidents. Their order stays, for mails list them in it."""
    kept: dict[str, Any] = {"begun": plan.begun, "mark": plan.mark, "incidents": []}
    if plan.storm != Storm():
        gathered = plan.storm.gathered and plan.storm.gathered.isoformat()
        kept["storm"] = {"alone": [one.isoformat() for one in plan.storm.alone], "gathered": gathered}
    for state, alike in groupby(plan.incidents, _state):
        said = {
            name: value for name, value in zip(_NAMES, state, strict=True) if value is not None and value is not False
        }
        said = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in said.items()}
        kept["incidents"].append({"of": [ids[(one.cause, one.since)] for one in alike], **said})
    return kept


def from_json(kept: Mapping[str, Any], openings: Mapping[int, Opening]) -> Plan:
    """What `to_json` made. An incident whose row is gone is forgotten."""
    told = []
    for each in kept.get("incidents", ()):
        said: dict[str, Any] = {
            name: _READ[name](value) if name in _READ else value for name, value in each.items() if name != "of"
        }
        told += [Told(*openings[number], **said) for number in each["of"] if number in openings]
    return Plan(told, begun(kept), kept.get("mark", ""), _storm(kept.get("storm") or {}))


def _storm(kept: Mapping[str, Any]) -> Storm:
    gathered = kept.get("gathered")
    alone = [datetime.fromisoformat(one) for one in kept.get("alone", ())]
    return Storm(alone, datetime.fromisoformat(gathered) if gathered else None)


def begun(kept: Mapping[str, Any]) -> bool:
    """Whether it was told of what was open when it began."""
    return bool(kept.get("begun"))


def openings(conn: Connection, kept: Sequence[Mapping[str, Any]]) -> dict[int, Opening]:
    """The incidents of kept plans, by number."""
    _number(conn, kept)
    wanted: set[int] = set()
    for plan in kept:
        for each in plan.get("incidents", ()):
            wanted.update(each["of"])
    rows = conn.execute(
        "SELECT id, interface, flow, code, key, since FROM incidents WHERE id = ANY(%s)", (list(wanted),)
    ).fetchall()
    return {row[0]: (Cause(*row[1:5]), row[5]) for row in rows}


def _number(conn: Connection, kept: Sequence[Mapping[str, Any]]) -> None:
    """A plan that was kept when incidents had their cause in it, each on its own, is read as if it were kept today."""
    old = [each for plan in kept for each in plan.get("incidents", ()) if "of" not in each]
    which = [(Cause(*each.pop("cause")), datetime.fromisoformat(each.pop("since"))) for each in old]
    ids = numbers(conn, which)
    for each, opening in zip(old, which, strict=True):
        each["of"] = [ids[opening]] if opening in ids else []


def numbers(conn: Connection, wanted: Collection[Opening]) -> dict[Opening, int]:
    """The rows of incidents."""
    if not wanted:
        return {}
    columns = [list(column) for column in zip(*((*cause, since) for cause, since in wanted), strict=True)]
    rows = conn.execute(
        "SELECT i.id, i.interface, i.flow, i.code, i.key, i.since FROM incidents i"
        " JOIN unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])"
        "   AS w(interface, flow, code, key, since) USING (interface, flow, code, key, since)",
        columns,
    ).fetchall()
    return {(Cause(*row[1:5]), row[5]): row[0] for row in rows}
