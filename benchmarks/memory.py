"""`memory`: what one importer holds in memory while many events go through it, a few thousand at a time."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks import cpu, ledger
from benchmarks.contender import Contender
from benchmarks.driver import LONGEST_SECONDS, Failed, Plan, Run, await_, per_thousand, processes, ready
from benchmarks.orders import orders
from benchmarks.servers import Servers
from shared.db.connect import connect

WAVE = 5_000
WARM = 0.1  # the share of events after which memory is expected to stay as it is


def memory(servers: Servers, contender: Contender, plan: Plan) -> Run:
    """The peak in MB, what it was after a tenth of the events, and in the end. Raises Failed."""
    seen: list[tuple[int, float]] = []
    with servers.place(contender.broker) as place, connect(place.database, "bench-driver") as conn:
        contender.prepare(place)
        with processes(servers, contender.commands(plan.job), place) as children:
            ready(conn, contender, plan.job)
            pids = [child.pid or 0 for child in children]
            groups = {"processes": pids, **servers.pids(contender.broker)}
            before, began, sent = cpu.sample(groups), time.monotonic(), 0
            while sent < plan.orders:
                wave = min(WAVE, plan.orders - sent)
                contender.load(place, [body for _, body in orders(wave, first=sent + 1)])
                sent += wave
                least = sent if sent == plan.orders else sent - WAVE

                def through(least: int = least) -> bool:
                    return ledger.through(conn) >= least

                await_(through, LONGEST_SECONDS, f"{least:,} orders", children)
                seen.append((sent, max(_resident(pid) for pid in pids)))
            used, took = cpu.between(before, cpu.sample(groups)), time.monotonic() - began
        wrong = ledger.inexact(conn, place.broker, "pipeline", plan.orders, contender.left(place))
    if not seen:
        raise Failed("no events")
    warm = next(mb for sent, mb in seen if sent >= WARM * plan.orders)
    more = {
        "orders": float(plan.orders),
        "mb_when_warm": round(warm, 1),
        "mb_in_the_end": round(seen[-1][1], 1),
        "orders_per_second": round(plan.orders / took, 1),
    }
    return Run(max(mb for _, mb in seen), used.foreign_cores, per_thousand(used, plan.orders), wrong, more)


def _resident(pid: int) -> float:
    for text in Path(f"/proc/{pid}/status").read_text().splitlines():
        if text.startswith("VmRSS:"):
            return int(text.split()[1]) / 1024
    raise Failed(f"process {pid} ended")
