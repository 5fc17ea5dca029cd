"""`scale`: one, two, four and eight importers on one RabbitMQ cluster of three nodes and one PostgreSQL.

Twice: with as much of the machine as they get, which tells what an order costs when more workers share one database,
and with a tenth of a core each, which tells how throughput grows with their number while the servers have room.
"""

from __future__ import annotations

from dataclasses import replace

from benchmarks.contender import Contender, connect
from benchmarks.driver import Plan, Run, measure
from benchmarks.servers import Servers

WORKERS = (1, 2, 4, 8)
TENTH = 0.1


def crowd(workers: int, cores: float | None = None) -> Contender:
    """So many importers over the cluster. cores: what each of them may use."""
    roles = {"pipeline": ("both",) * workers}
    return replace(connect(f"connect-{workers}", "", "cluster", **roles), cores=cores)


def scale(servers: Servers, plan: Plan, *, workers: int, cores: float | None) -> Run:
    """plan.orders; with a quota half of them for each worker, so that all runs take as long. Raises Failed."""
    orders = plan.orders if cores is None else plan.orders * workers // 2
    run = measure(servers, crowd(workers, cores), replace(plan, job="pipeline", orders=orders))
    return replace(run, more=run.more | {"workers": float(workers), "each": round(run.value / workers, 1)})
