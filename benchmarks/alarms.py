"""`alarms`: how long one round of the alert service takes with 1,000 subscriptions and 100 interfaces, and its memory.

Three rounds are measured: one in which every interface has news, one in which nothing happens, and one in which all of
it is over. Subscriptions are as people make them (most for one interface, some for five, one in fifty for all) or, as
`worst`, every one for everything.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from psycopg.types.json import Jsonb

from benchmarks import cpu
from benchmarks.driver import Plan, Run
from benchmarks.servers import Servers
from shared.alarms import subscriptions
from shared.alarms.round import Round, play
from shared.alarms.wanted import Alarm
from shared.db.connect import Connection, connect

INTERFACES = 100
SUBSCRIPTIONS = 1_000
ROUNDS = 5
RECIPIENTS = ("one@example.org", "two@example.org")
FORGET_STORMS = "UPDATE subscriptions SET plan = plan - 'storm'"
"""Rounds follow each other within seconds here: each shall mail what it would mail on a calm day."""

SLUGS = [f"shop-{n:03}" for n in range(INTERFACES)]


def alarms(servers: Servers, plan: Plan, *, worst: bool) -> Run:
    """Play rounds. The value is the median of those with news, in ms. Wrong: what was not found or not decided."""
    del plan
    with servers.place("pgmq") as place, connect(place.database, "bench-alarms", statement_timeout=60) as conn:
        _interfaces(conn)
        _subscriptions(conn, worst=worst)
        begun, wrong = _timed(conn), []
        idle, busy, thought, over = [], [], [], []
        groups = {"processes": [os.getpid()], **servers.pids("pgmq")}
        before = cpu.sample(groups)
        for number in range(ROUNDS):
            _news(conn, number)
            before_cpu = time.process_time()
            seconds, done = _timed(conn)
            busy.append(seconds)
            thought.append(time.process_time() - before_cpu)
            if done.opened != INTERFACES or not done.decided["opened"] + done.decided["collected"]:
                wrong.append(f"{done.opened} of {INTERFACES} incidents opened")
            seconds, done = _timed(conn)
            idle.append(seconds)
            over.append(_over(conn))
        used = cpu.between(before, cpu.sample(groups))
        mails = conn.execute("SELECT count(*) FROM mails").fetchone()
    more = {
        "subscriptions": float(SUBSCRIPTIONS),
        "interfaces": float(INTERFACES),
        "begin_ms": round(begun[0] * 1000, 1),
        "news_ms": round(median(busy) * 1000, 1),
        "worst_ms": round(max(busy) * 1000, 1),
        "cpu_ms": round(median(thought) * 1000, 1),
        "nothing_ms": round(median(idle) * 1000, 1),
        "over_ms": round(median(over) * 1000, 1),
        "mb": round(_resident(), 1),
        "mails": float(mails[0]) if mails else 0.0,
    }
    per_round = {key: round(1000 * value / (4 * ROUNDS), 3) for key, value in used.groups.items()}
    return Run(median(busy) * 1000, used.foreign_cores, per_round | {"total": sum(per_round.values())}, wrong, more)


def _timed(conn: Connection) -> tuple[float, Round]:
    began = time.monotonic()
    done = play(conn)
    assert done is not None
    return time.monotonic() - began, done


def _interfaces(conn: Connection) -> None:
    conn.execute(
        "INSERT INTO interfaces(slug, title, marketplace, erp, mode)"
        " SELECT slug, slug, 'otto', 'xentral', 'live' FROM unnest(%s::text[]) AS s(slug)",
        (SLUGS,),
    )


def _subscriptions(conn: Connection, *, worst: bool) -> None:
    chance = random.Random(7)
    with conn.transaction():
        for n in range(SUBSCRIPTIONS):
            interfaces: Sequence[str] = ()
            if not worst and n % 50:
                interfaces = chance.sample(SLUGS, 1 if n % 10 < 7 else 5)
            alarm = Alarm(
                name=f"alarm {n}",
                interfaces=tuple(interfaces),
                on=("error", "warning"),
                frequency="hourly" if worst or n % 2 else "immediately",
                recipients=RECIPIENTS,
            )
            subscriptions.add(conn, alarm, "bench", "Europe/Berlin", verified=True)


def _news(conn: Connection, number: int) -> None:
    """A new cause in every interface, of three records each."""
    conn.execute(
        "INSERT INTO records(interface, flow, key, stage, state, changed_at, data_hash, code, reason)"
        " SELECT slug, 'order-import', %(n)s || '-' || k, 'erp', 'failed', now(), gen_random_uuid(),"
        "  'payment-unmapped', %(reason)s FROM unnest(%(slugs)s::text[]) AS s(slug), generate_series(1, 3) k",
        {
            "n": number,
            "slugs": SLUGS,
            "reason": Jsonb([{"code": "payment-unmapped", "field": "", "values": {"payment": f"P{number}"}}]),
        },
    )


def _over(conn: Connection) -> float:
    """What was open is mended, so that each round begins alike. How long the round took that says so, in seconds."""
    conn.execute("UPDATE records SET state = 'done', code = NULL, reason = NULL")
    play(conn)
    conn.execute("UPDATE alarm_watch SET standing = replace(standing::text, 'PT2M', 'PT0S')::jsonb")
    conn.execute(FORGET_STORMS)
    took = _timed(conn)[0]
    conn.execute(FORGET_STORMS)
    return took


def _resident() -> float:
    for text in Path("/proc/self/status").read_text().splitlines():
        if text.startswith("VmHWM:"):
            return int(text.split()[1]) / 1024
    return 0.0
