"""`growth`: what an order costs when few, and when many orders are stored already."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.contender import Contender
from benchmarks.driver import Plan, Run, measure
from benchmarks.servers import Servers


def growth(servers: Servers, contender: Contender, plan: Plan) -> Run:
    """`pipeline` twice, one after the other: by how many per cent the CPU per order grows. Raises Failed."""
    few, many = (
        measure(servers, contender, replace(plan, job="pipeline", stored=n, warm=plan.orders)) for n in plan.growth
    )
    more = {
        "orders": float(plan.orders),
        **{
            f"{what}_at_{n}": figure
            for n, run in zip(plan.growth, (few, many), strict=True)
            for what, figure in (("cpu", run.cpu["total"]), ("per_second", round(run.value, 1)))
        },
    }
    value = round(100 * (many.cpu["total"] / few.cpu["total"] - 1), 1)
    return Run(value, max(few.foreign_cores, many.foreign_cores), many.cpu, [*few.wrong, *many.wrong], more)
