"""What each benchmark measures with whom. Called by `__main__`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import packages_distributions

from benchmarks import connect_apart, connect_one_process, connect_pgmq, connect_rabbitmq, erp
from benchmarks.alarms import alarms
from benchmarks.changes import changes
from benchmarks.contender import Contender
from benchmarks.driver import Plan, Run, measure
from benchmarks.floors import FLOORS, floor
from benchmarks.growth import growth
from benchmarks.journal import journal
from benchmarks.mail_latency import mail_latency
from benchmarks.memory import memory
from benchmarks.peers import (
    celery_contender,
    dramatiq_contender,
    faststream_contender,
    kombu_process,
    pika_process,
)
from benchmarks.scale import TENTH, WORKERS, scale
from benchmarks.scrape import scrape
from benchmarks.servers import Servers
from benchmarks.sizes import EXTRA, Size
from benchmarks.stock import late, single, stock
from benchmarks.whole import whole

OURS = (connect_rabbitmq, connect_apart, connect_one_process, connect_pgmq)
PEERS = (celery_contender, dramatiq_contender, faststream_contender, kombu_process, pika_process)
CONTENDERS: tuple[Contender, ...] = tuple(module.CONTENDER for module in (*OURS, *PEERS))
BY_THEMSELVES: dict[str, tuple[tuple[str, str, bool, Callable[..., Run]], ...]] = {
    "stock": (
        ("connect", "1 stock service, RabbitMQ quorum queues", False, stock),
        ("single", "a call for each event, 8 at once, nothing stored", True, single),
    ),
    "stock-latency": (
        ("connect", "a lone change on an idle system", False, partial(late, beside_slow=False)),
        ("connect-beside-slow", "beside a marketplace that takes 2 s", False, partial(late, beside_slow=True)),
    ),
    "mail-latency": (
        (
            "connect",
            "the alert service reads the metrics itself",
            False,
            partial(mail_latency, through_prometheus=False),
        ),
        (
            "connect-prometheus",
            "through Prometheus, scraping every 2 s",
            False,
            partial(mail_latency, through_prometheus=True),
        ),
    ),
    "alarms": (
        ("connect", "subscriptions as people make them", False, partial(alarms, worst=False)),
        ("connect-worst", "every subscription for every interface, hourly", False, partial(alarms, worst=True)),
    ),
    "changes": (
        ("connect", "four readings at once", False, partial(changes, at_once=8)),
        ("connect-1-call", "the interface allows one call", False, partial(changes, at_once=1)),
    ),
    "journal": (("connect", "lists, searches, counts, facets and histories, one after the other", False, journal),),
    "scrape": (("connect", "GET /metrics of each service", False, scrape),),
    "whole": (
        (
            "connect",
            "an importer, then an exporter, then the Journal's index, with stand-ins that take 20 ms a call",
            False,
            whole,
        ),
    ),
    "scale": tuple(
        (
            f"connect-{workers}{'-tenth' if cores else ''}",
            f"{workers} importer{'s' if workers > 1 else ''}{', a tenth of a core each' if cores else ''}",
            False,
            partial(scale, workers=workers, cores=cores),
        )
        for cores in (None, TENTH)
        for workers in WORKERS
    ),
    "erp": (
        ("connect", "1 importer, RabbitMQ quorum queues", False, erp.erp),
        ("single", "one order after the other, 32 at once, nothing stored", True, erp.single),
    ),
}
"""name, what, whether it is a peer, and how it is measured."""


@dataclass(frozen=True, slots=True)
class Task:
    """One contender in one benchmark; run measures it once and may raise `driver.Failed`."""

    plan: Plan
    name: str
    what: str
    peer: bool
    run: Callable[[Servers], Run]


def missing() -> list[str]:
    """Peers whose package is not installed."""
    installed = packages_distributions()
    return [c.name for c in CONTENDERS if c.peer and c.name not in installed]


def tasks(plan: Plan, size: Size, only: list[str] | None) -> list[Task]:
    """All that are measured for a plan. only: names of contenders."""
    if plan.job == "floors":
        return [
            Task(plan, one.name, one.what, False, partial(floor, one=one, plan=plan))
            for one in FLOORS
            if not only or one.name in only
        ]
    if plan.job in BY_THEMSELVES:
        return [
            Task(plan, name, what, peer, partial(run, plan=plan))
            for name, what, peer, run in BY_THEMSELVES[plan.job]
            if not only or name in only
        ]
    measures = {"growth": growth, "memory": memory}
    absent = missing()
    return [
        Task(
            plan,
            c.name,
            "one importer" if plan.job == "memory" else c.what,
            c.peer,
            partial(measures.get(plan.job, measure), contender=c, plan=plan),
        )
        for c in CONTENDERS
        if c.commands(plan.job) and (c.name in only if only else _fits(c, plan, size)) and c.name not in absent
    ]


def _fits(contender: Contender, plan: Plan, size: Size) -> bool:
    if contender.peer and plan.job == "latency":
        return size.peers_late
    return size.extra or contender.name not in EXTRA
