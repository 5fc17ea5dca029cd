"""`journal`: how soon the Journal's lists, searches, counts, facets and histories answer, with many records stored.

Asked one after the other through the functions that pages and API use; the time is that of the whole answer: database,
and the rows in words.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable
from functools import partial
from zoneinfo import ZoneInfo

from benchmarks import cpu
from benchmarks.driver import Plan, Run
from benchmarks.journal_ground import ORDERS, fill
from benchmarks.servers import Servers
from shared.db.connect import Connection, connect
from shared.records.counts import counts_by_state
from shared.records.facets import facets
from shared.records.filter import parse
from shared.records.history import history
from shared.records.listing import list_records
from shared.records.resources import RESOURCES

ZONE = ZoneInfo("Europe/Berlin")
ASKED = 5  # times each, after one that is not counted
HISTORIES = 200
SHARED = (
    ("", None), ("", "number"), ("", "-ordered"), ("", "state"), ("state:failed", None), ("state:running", "number"),
    ("state:failed|waiting|warning", "-ordered"), ("interface:outlet", None), ("interface:otto-de state:failed", None),
    ("ordered:{month}-03", None), ("ordered>={month}-01 ordered<={month}-07 state:failed", None),
    ("received:{month}-03", None), ("changed:{month}-03", None), ("run:{month}-03", None), ("error:{code}", None),
    ("test:yes", None),
)  # fmt: skip
OWN = {
    "orders": (),
    "exports": (("tracking:exported", None), ("tracking:open", None), ("tracking:failed", None)),
    "articles": (("type:variant", None), ("-type:variant", None)),
}
SEARCHES = {
    "rare": ("jvgl5000000123", "100000321", "ws3fa91"),
    "common": ("müller", "erika", "example"),
    "two letters": ("mü", "ws", "10"),
    "phrase": ("abc-47", "kld-12", "erika müller-"),
    "narrowed": ("müller state:failed", "erika interface:outlet"),
}


def journal(servers: Servers, plan: Plan) -> Run:
    """Fill a database, then ask. The value is the p95 of all answers, in ms."""
    with (
        servers.place("pgmq") as place,
        connect(place.database, "bench-journal", statement_timeout=60, plan_each=True) as conn,
        connect(place.database, "bench-journal", statement_timeout=60) as beside,
    ):
        fill((conn, beside), plan.records, _bar)
        sys.stderr.write("\n")
        orders = int(plan.records * ORDERS)
        groups = {"processes": [os.getpid()], **servers.pids("pgmq")}
        before = cpu.sample(groups)
        times = _asked(conn, orders)
        used = cpu.between(before, cpu.sample(groups))
    every = sorted(ms for some in times.values() for _, ms in some)
    more: dict[str, float] = {"records": plan.records}
    for name, some in times.items():
        ordered = sorted(ms for _, ms in some)
        more[f"{name}_p50"], more[f"{name}_p95"] = _at(ordered, 0.5), _at(ordered, 0.95)
        slowest = max(some, key=lambda one: one[1])
        sys.stderr.write(f"        {name}: slowest {slowest[1]:.0f} ms, {slowest[0]}\n")
    seconds = {key: round(1000 * value / len(every), 3) for key, value in used.groups.items()}
    return Run(_at(every, 0.95), used.foreign_cores, seconds | {"total": round(sum(seconds.values()), 3)}, [], more)


def _asked(conn: Connection, orders: int) -> dict[str, list[tuple[str, float]]]:
    """Kind of question → (what, ms)."""
    times: dict[str, list[tuple[str, float]]] = {"page": [], "search": [], "counts": [], "facets": [], "history": []}
    row = conn.execute(
        "SELECT to_char(now() - interval '4 months', 'YYYY-MM'),"
        " (SELECT code FROM records WHERE code IS NOT NULL LIMIT 1)"
    ).fetchone()
    assert row is not None
    for resource in RESOURCES:
        for written, sort in (*SHARED, *OWN[resource.name]):
            if resource.flow == "stock" and "ordered" in f"{written} {sort}":  # not offered there
                continue
            filter = parse(written.format(month=row[0], code=row[1]), ZONE)
            what = f"{resource.name} {filter.text} {sort or ''}"
            _timed(times["page"], what, partial(list_records, conn, resource.flow, filter, sort=sort))
            _timed(times["counts"], what, partial(counts_by_state, conn, resource.flow, filter))
            _timed(times["facets"], what, partial(facets, conn, resource.flow, filter))
        for kind, searches in SEARCHES.items():
            for text in searches:
                filter = parse(text, ZONE)
                what = f"{resource.name} {text} ({kind})"
                _timed(times["search"], what, partial(list_records, conn, resource.flow, filter))
    dice = random.Random(6)
    for _ in range(HISTORIES):
        record = dice.randrange(1, 2 * orders)
        begin = time.perf_counter()
        assert history(conn, record)
        times["history"].append((f"record {record}", 1000 * (time.perf_counter() - begin)))
    return times


def _timed(times: list[tuple[str, float]], what: str, ask: Callable[[], object]) -> None:
    ask()
    for _ in range(ASKED):
        begin = time.perf_counter()
        ask()
        times.append((what, 1000 * (time.perf_counter() - begin)))


def _at(ordered: list[float], share: float) -> float:
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 1)


def _bar(what: str, share: float) -> None:
    """One line on a terminal, a line a step elsewhere."""
    line = f"{'█' * int(30 * share):░<30} {100 * share:3.0f} %  {what}"
    sys.stderr.write(f"\r{line:<78}" if sys.stderr.isatty() else f"        {line}\n")
    sys.stderr.flush()
