"""Everything the status page, `GET /status` and `connect status` say: read once, judged, in plain values.

The database is asked for look-ups by index only; nobody else is asked here, so that it works whoever is away. What the
broker is doing comes in, as it was seen last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from shared.alarms.ledger import open_incidents
from shared.broker.watched import BrokerSeen
from shared.db.connect import Connection
from shared.db.health import clock, database
from shared.errors.entry import Language
from shared.records import health
from shared.records.indexer import behind
from shared.records.overview import interfaces, services, tokens
from shared.records.wording import sentence
from shared.status import light
from shared.status.rows import rows_of

DAYS = 7
TOLD = 50
"""Of so many open incidents, the newest, it says whom a mail told."""

SERVICES = ("importer", "exporter", "stock", "alerts", "journal")


def status(conn: Connection, broker: BrokerSeen, language: Language, days: int = DAYS) -> dict[str, Any]:
    """How everything is doing.

    at: the database's clock; interfaces: each with its light, flows, open incidents and sides; incidents: open ones
    first, then those that ended in the last `days`; services, broker, database: each with its light.
    """
    now = clock(conn)
    incidents = [_worded(one, language) for one in open_incidents(conn, days=days)]
    told = health.told_of(conn, [one["id"] for one in incidents if one["ended"] is None][:TOLD])
    incidents = [one | told.get(one["id"], {"mails": 0, "mailed_at": None}) for one in incidents]
    opened = [one for one in incidents if one["ended"] is None]
    hours, rows, holds = health.arrivals_by_hour(conn, now), health.flows(conn), tokens(conn)
    cards = [_interface(one, rows, hours, opened, holds, now) for one in interfaces(conn)]
    found: dict[str, Any] = {
        "at": now,
        "interfaces": cards,
        "incidents": incidents,
        "services": _services(services(conn), now),
        "broker": _broker(broker),
        "database": _database(conn, now),
    }
    whole = [one["light"] for part in ("interfaces", "services") for one in found[part]]
    whole += [found["broker"]["light"], found["database"]["light"]]
    whole += ["error" if one["severity"] == "error" else "warning" for one in opened]
    return {"light": light.worst(whole), **found}


def _worded(one: Mapping[str, Any], language: Language) -> dict[str, Any]:
    problem = one["problem"] or {"code": one["code"], "values": {"service": one["key"]}}
    # Who answered is not for everybody; `GET /incidents` tells operators.
    rest = {name: value for name, value in one.items() if name not in ("problem", "answered_by")}
    return rest | {"sentence": sentence([problem], language), "rows": rows_of(one)}


def _interface(
    one: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    hours: Mapping[tuple[str, str], Sequence[int]] | None,
    opened: Sequence[dict[str, Any]],
    holds: Mapping[tuple[str, str], Mapping[str, Any]],
    now: datetime,
) -> dict[str, Any]:
    slug, modes = one["slug"], one["flows"] or {}
    own = [incident for incident in opened if incident["interface"] == slug]
    poll = light.of_poll(one["next_poll_at"], one["poll_code"], now)
    standing = []
    for row in rows:
        if row["interface"] == slug:
            counts = None if hours is None else list(hours.get((slug, row["flow"]), [0] * 24))
            mode = modes.get(row["flow"])
            standing.append(
                {name: value for name, value in row.items() if name != "interface"}
                | {"mode": mode, "light": light.of_flow(row, mode), "hours": counts}
                | {"per_hour": None if counts is None else counts[-1] or counts[-2]}
            )
    sides = {
        side: state
        | {"retry_at": datetime.fromisoformat(state["retry_at"]) if state["retry_at"] else None}
        | {"token": dict(holds[slug, side]) if (slug, side) in holds else None}
        for side, state in one["sides"].items()
    }
    return dict(one) | {
        "sides": sides,
        "light": light.of_interface(one["mode"], own, sides, poll),
        "poll": poll,
        "standing": standing,
        "incidents": own,
    }


def _services(found: Sequence[dict[str, Any]], now: datetime) -> list[dict[str, Any]]:
    there = {one["name"]: one for one in found}
    absent: dict[str, Any] = {"connections": 0, "since": None, "progress": None, "versions": []}
    every = [{"name": name, **absent, **there.get(name, {})} for name in SERVICES]
    return [
        one | {"light": light.of_service(one["connections"], one["progress"], one["versions"], now)} for one in every
    ]


def _broker(seen: BrokerSeen) -> dict[str, Any]:
    queues: list[dict[str, Any]] = [asdict(queue) for queue in seen.queues]
    queues = [queue | {"light": light.of_queue(queue)} for queue in queues]
    return asdict(seen) | {"queues": queues, "light": light.of_broker(seen.state, queues)}


def _database(conn: Connection, now: datetime) -> dict[str, Any]:
    facts = database(conn) | {"texts_behind": behind(conn)}
    return facts | {"light": light.of_database(facts, now)}
