"""`stock`: changes over few articles, published faster than calls can be made, until every article shows its newest.

`stock-latency`: a lone change on an idle system, and the same beside an interface whose marketplace takes two seconds.
"""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from benchmarks import cpu
from benchmarks.bytes_stored import stored
from benchmarks.driver import LOOK_SECONDS, Failed, Plan, Run, await_, per_thousand, processes
from benchmarks.servers import Servers
from benchmarks.stock_ground import Publisher, Stand, add_shop, change, changes, service, stand_in
from shared.db.connect import Connection, connect

SLUG, SLOW_SLUG = "bench-shop", "bench-slow-shop"
BROKER = "rabbitmq"
ARTICLES, SLICE, SLOW_ARTICLES = 5_000, 250, 10_000
LONGEST_SECONDS, CONFIRM_SECONDS = 300.0, 200.0
LONE_CHANGES, LONE_EACH, WARM = 30, 0.4, 5
SLOW_SECONDS = 2.0
SINGLE_SHARE = 0.02  # a call for each event takes so much longer


def stock(servers: Servers, plan: Plan) -> Run:
    """plan.orders changes at 5,000 a second. Raises Failed."""
    skus = [f"S{n:05d}" for n in range(ARTICLES)]
    with ExitStack() as stack:
        place = stack.enter_context(servers.place(BROKER))
        stand = stack.enter_context(stand_in(servers, "marketplace"))
        conn = stack.enter_context(connect(place.database, "bench-driver"))
        add_shop(conn, stand, SLUG, skus)
        told = list(changes(SLUG, skus, plan.orders))
        held = stored(conn)
        newest = {sku: quantity for sku, quantity, _ in told}
        children = stack.enter_context(processes(servers, [service(place)], place))
        await_(lambda: _sessions(conn) >= 3, 60.0, "the service's sessions", children)
        publisher = Publisher(place)
        stack.callback(publisher.close)
        groups = {"processes": [child.pid or 0 for child in children], **servers.pids(BROKER)}
        before, began = cpu.sample(groups), time.monotonic()
        for n in range(0, len(told), SLICE):
            time.sleep(max(0.0, began + n / plan.stock_rate - time.monotonic()))  # the pace
            publisher.send(SLUG, [body for _, _, body in told[n : n + SLICE]])
        published = time.monotonic() - began
        await_(lambda: _through(conn, len(told)), LONGEST_SECONDS, f"{len(told):,} changes", children)
        took = time.monotonic() - began
        used = cpu.between(before, cpu.sample(groups))
        sent = stand.calls()
        await_(lambda: _confirmed(conn), CONFIRM_SECONDS, "all to be confirmed", children)
        wrong = _wrong(conn, stand, newest, len(told))
        grown = {name: now - held[name] for name, now in stored(conn).items()}
        calls, peak = stand.calls(), max(_peak(child.pid or 0) for child in children)
    more = {
        "events": float(len(told)),
        "published_per_second": round(len(told) / published, 1),
        "calls_to_send": float(calls.get("send-quantities", 0)),
        "calls_to_read": float(sum(calls.values()) - calls.get("send-quantities", 0)),
        "calls_until_through": float(sum(sent.values())),
        "peak_mb": peak,
        **{f"{name}_bytes": round(each / len(told), 1) for name, each in grown.items()},
    }
    return Run(len(told) / took, used.foreign_cores, per_thousand(used, len(told)), wrong, more)


def single(servers: Servers, plan: Plan) -> Run:
    """What somebody would build instead: a call for each event, eight at once. Raises Failed."""
    skus = [f"S{n:05d}" for n in range(ARTICLES)]
    with ExitStack() as stack:
        place = stack.enter_context(servers.place(BROKER))
        stand = stack.enter_context(stand_in(servers, "marketplace"))
        stand.know(skus)
        told = list(changes(SLUG, skus, int(plan.orders * SINGLE_SHARE)))
        publisher = Publisher(place)
        stack.callback(publisher.close)
        publisher.send(SLUG, [body for _, _, body in told])
        address = next(iter(stand.addresses[key] for key in stand.addresses if key == "otto"))
        command = [sys.executable, "-P", "-m", "benchmarks.stock_single", address]
        groups = {**servers.pids(BROKER)}
        children = stack.enter_context(processes(servers, [command], place))
        groups["processes"] = [child.pid or 0 for child in children]
        await_(lambda: stand.calls().get("send-quantities", 0) > 0, 60.0, "the first call", children)
        before, began, first = cpu.sample(groups), time.monotonic(), stand.calls()["send-quantities"]
        await_(lambda: stand.calls()["send-quantities"] >= len(told), LONGEST_SECONDS, "all changes", children)
        took = time.monotonic() - began
        used = cpu.between(before, cpu.sample(groups))
    count = len(told) - first
    more = {
        "events": float(len(told)), "published_per_second": 0.0, "calls_to_send": float(len(told)),
        "calls_to_read": 0.0, "calls_until_through": float(len(told)), "peak_mb": 0.0,
    }  # fmt: skip
    return Run(count / took, used.foreign_cores, per_thousand(used, count), [], more)


def late(servers: Servers, plan: Plan, *, beside_slow: bool) -> Run:  # noqa: ARG001  # as the other benchmarks
    """Milliseconds from the publish of a lone change until the marketplace has accepted it. Raises Failed."""
    skus = [f"S{n:05d}" for n in range(LONE_CHANGES + WARM)]
    slow_skus = [f"L{n:05d}" for n in range(SLOW_ARTICLES)]
    with ExitStack() as stack:
        place = stack.enter_context(servers.place(BROKER))
        stand = stack.enter_context(stand_in(servers, "marketplace"))
        conn = stack.enter_context(connect(place.database, "bench-driver"))
        add_shop(conn, stand, SLUG, skus)
        if beside_slow:
            slow = stack.enter_context(stand_in(servers, "slow-marketplace"))
            add_shop(conn, slow, SLOW_SLUG, slow_skus)
            slow.slow(SLOW_SECONDS)
        children = stack.enter_context(processes(servers, [service(place)], place))
        await_(lambda: _sessions(conn) >= 3, 60.0, "the service's sessions", children)
        publisher = Publisher(place)
        stack.callback(publisher.close)
        if beside_slow:
            publisher.send(SLOW_SLUG, [change(SLOW_SLUG, sku, 7, datetime.now(UTC)) for sku in slow_skus])
            await_(lambda: _events(conn) == len(slow_skus), 120.0, "the slow one's changes to be stored", children)
        groups = {"processes": [child.pid or 0 for child in children], **servers.pids(BROKER)}
        before, published = cpu.sample(groups), {}
        for sku in skus:
            published[sku] = datetime.now(UTC)
            publisher.send(SLUG, [change(SLUG, sku, 7, published[sku])])
            time.sleep(LONE_EACH)  # the pace: each change finds an idle system
        await_(lambda: _sent(conn, SLUG) == len(skus), 60.0, "all to be sent", children)
        used = cpu.between(before, cpu.sample(groups))
        idle = beside_slow and _sent(conn, SLOW_SLUG) >= len(slow_skus)
        wrong = ["the slow marketplace had nothing left to do"] if idle else []
        sent_at = conn.execute("SELECT sku, sent_at FROM articles WHERE interface = %s", (SLUG,)).fetchall()
    waits = sorted(1000 * (at - published[sku]).total_seconds() for sku, at in sent_at if sku in skus[WARM:])
    more = {"p50": round(median(waits), 1), "p90": round(waits[len(waits) * 9 // 10], 1), "max": round(waits[-1], 1)}
    return Run(more["p50"], used.foreign_cores, per_thousand(used, len(skus)), wrong, more)


def _peak(pid: int) -> float:
    """The most memory that a process held, in MB."""
    for text in Path(f"/proc/{pid}/status").read_text().splitlines():
        if text.startswith("VmHWM:"):
            return round(int(text.split()[1]) / 1024, 1)
    raise Failed(f"process {pid} ended")


def _sessions(conn: Connection) -> int:
    row = conn.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name LIKE 'connect-stock-%'"
    ).fetchone()
    return int(row[0]) if row else 0


def _through(conn: Connection, count: int) -> bool:
    return _events(conn) >= count and conn.execute("SELECT FROM records WHERE due_at IS NOT NULL LIMIT 1").rowcount == 0


def _events(conn: Connection) -> int:
    row = conn.execute("SELECT count(*) FROM events").fetchone()
    return int(row[0]) if row else 0


def _sent(conn: Connection, slug: str) -> int:
    row = conn.execute("SELECT count(*) FROM articles WHERE interface = %s AND sent IS NOT NULL", (slug,)).fetchone()
    return int(row[0]) if row else 0


def _confirmed(conn: Connection) -> bool:
    time.sleep(LOOK_SECONDS)  # between two looks; whoever waits for it has a limit
    return conn.execute("SELECT FROM articles WHERE sent_at > coalesce(shown_at, '-infinity') LIMIT 1").rowcount == 0


def _wrong(conn: Connection, stand: Stand, newest: dict[str, int], count: int) -> list[str]:
    """Counts that do not fit."""
    wrong = []
    shown = stand.quantities()
    if late_ones := [sku for sku, quantity in newest.items() if shown.get(sku) != quantity]:
        wrong.append(f"{len(late_ones)} articles do not show their newest quantity, e.g. {late_ones[0]}")
    facts = {
        "arrivals": "SELECT coalesce(sum(inputs), 0) FROM arrivals",
        "events": "SELECT count(*) FROM events",
    }
    for name, query in facts.items():
        row = conn.execute(query).fetchone()
        if row is None or row[0] != count:
            wrong.append(f"{name}: {row and row[0]} instead of {count}")
    row = conn.execute("SELECT count(*) FROM records WHERE state = 'done'").fetchone()
    if row is None or row[0] != len(newest):
        wrong.append(f"done: {row and row[0]} instead of {len(newest)}")
    if not newest:
        raise Failed("no changes")
    return wrong
