"""`scrape`: how long each service takes to answer /metrics beside a database with many records, and the first count.

python -m benchmarks scrape                      fills a database of its own
python -m benchmarks.scrape postgresql://…       asks the services beside a database that is there
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import cpu
from benchmarks.driver import Failed, Plan, Run
from benchmarks.journal_ground import fill
from benchmarks.servers import SECRET, Servers
from shared.broker.apply import apply
from shared.db.connect import connect
from shared.records.receive import count_arrivals

SERVICES = ("journal", "importer", "exporter", "stock", "alerts")
FIRST_PORT = 29_401
ASKED = 100
PATIENCE_SECONDS = 3600.0
LOOK_SECONDS = 0.2
RUNS_SECONDS = 10.0


def scrape(servers: Servers, plan: Plan) -> Run:
    """Fill a database, start the services, ask each. The value is the slowest one's p95 in ms."""
    with servers.place("pgmq") as place:
        with connect(place.database, "bench-scrape") as conn:
            fill([conn], plan.records, lambda what, share: _say(f"{100 * share:3.0f} %  {what}"))
            count_arrivals(conn, [("order-imported", "otto-de")])
            # Services that run count transitions as they come. A year of them at once would take hours, and how long an
            # answer takes does not depend on it: every record is counted, of the transitions those from now on.
            conn.execute("UPDATE rollup_watch SET rolled = date_trunc('hour', now()) - interval '1 hour'")
        found, used, foreign = asked(place.database, place.broker, servers.pids("pgmq"))
    return Run(max(found[f"{name}_p95"] for name in SERVICES), foreign, used, [], {"records": plan.records, **found})


def asked(database: str, broker: str, pids: dict[str, list[int]]) -> tuple[dict[str, float], dict[str, float], float]:
    """Per service p50, p95 (ms) and the size in kB; seconds until all was counted; CPU seconds in RUNS_SECONDS."""
    found: dict[str, float] = {}
    with _services(database, broker) as processes:
        began = time.monotonic()
        while "connect_recorded_transitions_total" not in (text := _read(0)) or "\nconnect_records{" not in text:
            if time.monotonic() - began > PATIENCE_SECONDS:
                raise Failed("the Journal shows no records")
            time.sleep(LOOK_SECONDS)  # between two looks, until the limit
        found["counted_after_seconds"] = round(time.monotonic() - began, 1)
        for number in range(len(SERVICES)):
            _until_up(number)
        groups = {"processes": [processes[0].pid], **pids}
        before = cpu.sample(groups)
        time.sleep(RUNS_SECONDS)  # the stretch whose CPU is counted
        used = cpu.between(before, cpu.sample(groups))
        for number, name in enumerate(SERVICES):
            times, size = [], 0
            for _ in range(ASKED):
                begin = time.perf_counter()
                size = len(_read(number))
                times.append(1000 * (time.perf_counter() - begin))
            times.sort()
            found[f"{name}_p50"], found[f"{name}_p95"] = round(times[ASKED // 2], 1), round(times[ASKED * 95 // 100], 1)
            found[f"{name}_kb"] = round(size / 1000, 1)
            _say(f"{name}: p50 {found[f'{name}_p50']} ms, p95 {found[f'{name}_p95']} ms, {found[f'{name}_kb']} kB")
    seconds = {key: round(value, 3) for key, value in used.groups.items()}
    return found, {**seconds, "total": round(sum(seconds.values()), 3)}, used.foreign_cores


@contextmanager
def _services(database: str, broker: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory(prefix="connect-bench-") as folder:
        try:
            for number, name in enumerate(SERVICES):
                settings = {
                    "CONNECT_DATABASE_URL": database, "CONNECT_AMQP_URL": broker, "CONNECT_SECRET_KEY": SECRET,
                    "CONNECT_METRICS_PORT": str(FIRST_PORT + number), "CONNECT_PORT": str(FIRST_PORT + 99),
                    "CONNECT_DATA_DIR": folder,
                }  # fmt: skip
                with (Path(folder) / f"{name}.log").open("wb") as log:
                    processes.append(
                        subprocess.Popen(
                            [sys.executable, "-m", f"services.{name}"],
                            env={**os.environ, **settings},
                            stdout=log,
                            stderr=log,
                        )
                    )
            yield processes
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(60)


def _read(number: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{FIRST_PORT + number}/metrics", timeout=30) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def _until_up(number: int) -> None:
    end = time.monotonic() + 60
    while not _read(number):
        if time.monotonic() > end:
            raise Failed(f"{SERVICES[number]} does not answer")
        time.sleep(LOOK_SECONDS)  # between two looks, until the limit


def _say(text: str) -> None:
    print(f"        {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Ask beside a database that is there."""
    database = sys.argv[1]
    broker = "pgmq" + database.removeprefix("postgresql")
    apply(broker)
    found, _, _ = asked(database, broker, {})
    print(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
