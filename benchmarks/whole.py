"""`whole`: what an order costs from the shop to the ERP and back: polled, stored, created, shipped, told, indexed.

All by the services as they are delivered, over HTTP, with stand-ins that take 20 ms for each call. Processor time of
each service and server, bytes in the database, in its log (WAL) and in the archive: the costs that docs/scaling.md
calculates with.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import cpu
from benchmarks.bytes_stored import stored
from benchmarks.driver import ROOT, Failed, Plan, Run, await_
from benchmarks.servers import Place, Servers
from shared.db.connect import Connection, connect
from shared.records import return_numbers
from shared.records.indexer import behind
from shared.settings import environment
from tests.support.long_over import grow_old
from tests.support.sandbox import sandbox
from tests.support.system import INTERFACE, System, running

BROKER = "rabbitmq"
LATENCY, AT_ONCE, POLL_SECONDS = 0.02, 16, 2
LEASE, CALL = "30", "20"
LONGEST_SECONDS = 600.0
WARM = 0.1  # the share of orders that are through before anything is counted
SKUS = [f"W{n:03d}" for n in range(100)]


def whole(servers: Servers, plan: Plan) -> Run:
    """plan.orders of three pieces, a parcel each. Raises Failed."""
    with ExitStack() as stack:
        place = stack.enter_context(servers.place(BROKER))
        folder = servers.folder / place.database.rpartition("/")[2]
        for name in ("stand", "archive"):
            (folder / name).mkdir(parents=True)
        stand = stack.enter_context(sandbox(folder / "stand", log=folder / "stand.log"))
        conn = stack.enter_context(connect(place.database, "bench-driver"))
        system = stack.enter_context(running(System(folder, place.database, place.broker, stand, forked=False)))
        system.environment = {"CONNECT_LEASE_SECONDS": LEASE, "CONNECT_CALL_SECONDS": CALL}
        system.prepare(calls_at_once=AT_ONCE, sends_at_once=AT_ONCE, poll_seconds=POLL_SECONDS)
        for key in ("otto", "xentral"):
            stand.products(key, *SKUS)
            stand.settings(key, latency=LATENCY)
        stand.settings("xentral", search_lag=0)
        before = stored(conn)
        numbers = [
            number for sku in SKUS for number in stand.place("otto", plan.orders // len(SKUS), skus=[sku], units=3)
        ]
        count = len(numbers)
        there = _phase(servers, system, conn, "importer", count, lambda: _done(conn, "order-import"))
        conn.execute(  # the ERP was polled up to here: nobody waits for the second poll
            "INSERT INTO erp_cursors(interface, watermark, polled_at, ok_at)"
            " VALUES (%s, now(), now() - interval '1 hour', now() - interval '1 hour')",
            (INTERFACE,),
        )
        return_numbers.add(conn, INTERFACE, "DHL", [f"R{n:07d}" for n in range(len(numbers))], "bench")
        for n, number in enumerate(numbers):
            stand.post(
                "xentral", f"orders/{number}/ship", {"parcels": [{"carrier": "DHL", "tracking_number": f"T{n:07d}"}]}
            )
        back = _phase(servers, system, conn, "exporter", count, lambda: _done(conn, "order-export"))
        notes = behind(conn)
        index = _phase(servers, system, conn, "journal", count, lambda: count * (notes - behind(conn)) // notes)
        after = stored(conn)
        wrong = _wrong(system, numbers)
        archived = _archived(place, conn, folder / "archive", len(numbers))
        conn.execute("SET statement_timeout = 0")
        conn.execute("VACUUM FULL")  # what was deleted is room for new rows, and no part of what stays
        kept = round((stored(conn)["database"] - before["database"]) / len(numbers))
    phases = {"import": there, "export": back, "index": index}
    groups = {group: round(sum(one.cpu[group] for one in phases.values()), 3) for group in there.cpu}
    more = {
        "orders": float(len(numbers)),
        **{f"{name}_{group}": each for name, one in phases.items() for group, each in one.cpu.items()},
        **{f"{name}_per_second": one.per_second for name, one in phases.items()},
        **{f"{name}_bytes": round((after[name] - before[name]) / len(numbers)) for name in after},
        **{f"{name}_sessions": float(one.sessions) for name, one in phases.items()},
        "archive_bytes": archived,
        "kept_bytes": float(kept),
    }
    total = round(sum(groups.values()), 3)
    foreign = max(one.foreign_cores for one in phases.values())
    return Run(total, foreign, {**groups, "total": total}, wrong, more)


@dataclass(frozen=True, slots=True)
class Phase:
    """cpu: seconds for 1,000 orders by group; sessions: of the database, at most."""

    cpu: Mapping[str, float]
    per_second: float
    foreign_cores: float
    sessions: int


def _phase(
    servers: Servers, system: System, conn: Connection, service: str, count: int, done: Callable[[], int]
) -> Phase:
    """Run a service until so many orders are done; its start and the first of them are left out."""
    servers_pids, sessions = servers.pids(BROKER), 0
    process = system.start(service, service)
    groups: dict[str, Sequence[int]] = {"processes": [process.pid], **servers_pids}
    await_(lambda: done() >= count * WARM, LONGEST_SECONDS, f"the {service} to begin")
    before, begun = cpu.sample(groups), done()

    def over() -> bool:
        nonlocal sessions
        sessions = max(sessions, _sessions(conn))
        return done() >= count

    await_(over, LONGEST_SECONDS, f"the {service}")
    used = cpu.between(before, cpu.sample(groups))
    if system.end(service) != 0:
        raise Failed(f"the {service} did not end well:\n{system.log_text(service)[-500:]}")
    if (orders := count - begun) <= 0:
        raise Failed(f"the {service} was done before it could be measured: more orders are needed")
    each = {group: round(1000 * seconds / orders, 3) for group, seconds in used.groups.items()}
    return Phase(each, round(orders / used.seconds, 1), used.foreign_cores, sessions)


def _sessions(conn: Connection) -> int:
    row = conn.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'connect-%'"
    ).fetchone()
    return int(row[0]) if row else 0


def _done(conn: Connection, flow: str) -> int:
    row = conn.execute(
        "SELECT count(*) FILTER (WHERE state = 'done'), array_agg(reason) FILTER (WHERE state IN ('failed', 'skipped'))"
        " FROM records WHERE flow = %s",
        (flow,),
    ).fetchone()
    if row is None or row[1]:
        raise Failed(f"records failed: {row and row[1][:3]}")
    return int(row[0])


def _archived(place: Place, conn: Connection, folder: Path, count: int) -> float:
    """Bytes an order takes in the archive, after it was moved back in time."""
    grow_old(conn)
    command = [sys.executable, "-P", "-m", "services.cli", "archive", "run", "--folder", str(folder), "--json"]
    variables = {**environment(), "PYTHONPATH": str(ROOT), "CONNECT_DATABASE_URL": place.database}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=LONGEST_SECONDS)
    if done.returncode:
        raise Failed(f"the archive said: {done.stderr[-500:]}")
    said: dict[str, Any] = json.loads(done.stdout)
    taken = sum(part["taken_out"] for part in said["parts"])
    if taken < count:
        raise Failed(f"{taken} records of {count} orders went into the archive")
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / count)


def _wrong(system: System, numbers: Sequence[str]) -> list[str]:
    """Counts that do not fit."""
    wrong = []
    if system.ledger() != dict.fromkeys(numbers, 1):
        wrong.append("the ERP does not have each order once")
    told = system.stand.calls("otto").get("send-shipment", 0)
    if told != len(numbers):
        wrong.append(f"{told} parcels were told instead of {len(numbers)}")
    return wrong
