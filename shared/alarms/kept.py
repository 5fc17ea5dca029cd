"""What a round keeps of what it found: facts, incidents; and the answers of people that it takes. Called by `round`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from psycopg.types.json import Jsonb

from shared.alarms import look
from shared.alarms.incidents import Cause, Fact, Happening, Incidents, Kind, Opening
from shared.alarms.plan import Answer
from shared.db.connect import Connection


def answers(conn: Connection, now: datetime) -> list[Answer]:
    """What people said since the last round. Taken and marked in one statement: what comes meanwhile is heard by the
    next one, and not marked unheard."""
    rows = conn.execute(
        "WITH a AS (UPDATE alarm_answers SET handled = %s WHERE handled IS NULL RETURNING id, incident, by, until)"
        " SELECT i.interface, i.flow, i.code, i.key, a.by, a.until FROM a JOIN incidents i ON i.id = a.incident"
        " ORDER BY a.id",
        (now,),
    ).fetchall()
    return [Answer(now, Cause(*row[:4]), row[4], row[5]) for row in rows]


def keep_facts(conn: Connection, facts: Iterable[Fact]) -> None:
    """For the look back, in the order in which they were judged."""
    rows = [(one.at, *one.cause, one.open, one.error, one.news, one.remarks) for one in facts]
    if not rows:
        return
    with (
        conn.cursor() as cursor,
        cursor.copy("COPY alarm_facts(at, interface, flow, code, key, open, error, news, remarks) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row(row)


def keep_incidents(
    conn: Connection,
    stands: Incidents,
    facts: Iterable[Fact],
    happened: Iterable[Happening],
    problems: look.Problems,
) -> dict[Opening, int]:
    """The incidents' rows as they are now; their ids by cause and beginning."""
    news: Counter[Cause] = Counter()
    for fact in facts:
        news[fact.cause] += fact.news + fact.remarks
    since = {cause: one.since for cause, one in stands.standing.items()}
    touched = {(one.cause, one.since) for one in happened}
    touched |= {(cause, since[cause]) for cause, count in news.items() if count and cause in since}
    ended = {(one.cause, one.since): one.at for one in happened if one.kind is Kind.RESOLVED}
    severity = {(one.cause, one.since): one.severity for one in happened}
    rows = [
        (
            *cause,
            str(severity.get((cause, began)) or stands.standing[cause].severity),
            began,
            ended.get((cause, began)),
            news[cause] if since.get(cause) == began else 0,
            Jsonb(problems[cause]) if problems.get(cause) else None,
        )
        for cause, began in sorted(touched)
    ]
    if not rows:
        return {}
    found = conn.execute(
        "INSERT INTO incidents(interface, flow, code, key, severity, since, ended, records, problem)"
        " SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[],"
        "  %s::timestamptz[], %s::int[], %s::jsonb[])"
        " ON CONFLICT (interface, flow, code, key, since) DO UPDATE SET severity = excluded.severity,"
        "  ended = excluded.ended, records = incidents.records + excluded.records,"
        "  problem = coalesce(incidents.problem, excluded.problem)"
        " RETURNING id, interface, flow, code, key, since",
        [list(column) for column in zip(*rows, strict=True)],
    ).fetchall()
    return {(Cause(*row[1:5]), row[5]): int(row[0]) for row in found}
