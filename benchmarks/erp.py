"""`erp`: a backlog of orders into an ERP that answers in 200 ms and allows 32 calls at once, over HTTP.

Then, with the same importer, how soon an order is there at 20 a second: alone, and beside an interface whose ERP takes
five seconds a call and has more to do than it can.
"""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from statistics import quantiles

from benchmarks import cpu, ledger
from benchmarks.driver import Failed, Plan, Run, await_, per_thousand, processes
from benchmarks.erp_ground import ALLOWED, AT_ONCE, LATENCY, Erp, Publisher, add_pair, order, pids, skus
from benchmarks.servers import Servers
from benchmarks.stock_ground import service, stand_in
from services.cli.local.child import Child
from shared.db.connect import Connection, connect

SLUG, SLOW_SLUG = "bench-erp", "bench-slow-erp"
BROKER = "rabbitmq"
SLOW_SECONDS, SLOW_ORDERS = 5.0, 400
RATE, LATE_ORDERS, WARM = 20.0, 120, 20
LONGEST_SECONDS = 600.0
SINGLE_SHARE = 0.3


def erp(servers: Servers, plan: Plan) -> Run:
    """plan.orders through one importer as it is delivered. Raises Failed."""
    with ExitStack() as stack:
        place = stack.enter_context(servers.place(BROKER))
        stand = stack.enter_context(stand_in(servers, "erp"))
        conn = stack.enter_context(connect(place.database, "bench-driver"))
        add_pair(conn, stand, SLUG)
        the_erp = Erp(stand)
        the_erp.know(skus())
        the_erp.allow(AT_ONCE, LATENCY)
        publisher = Publisher(place)
        stack.callback(publisher.close)
        publisher.send(SLUG, [order(SLUG, n)[1] for n in range(plan.orders)])
        children = stack.enter_context(processes(servers, [service(place, "importer")], place))
        groups = {"processes": pids(children), **servers.pids(BROKER)}
        await_(lambda: _done(conn) >= WARM, 60.0, "the first orders", children)
        before, begun = cpu.sample(groups), _done(conn)
        await_(lambda: _done(conn) >= plan.orders, LONGEST_SECONDS, f"{plan.orders:,} orders", children)
        used = cpu.between(before, cpu.sample(groups))
        seen = the_erp.seen()
        wrong = _wrong(conn, the_erp, plan.orders)
        (speed, calls_speed), calls = seen.speed(), sum(seen.calls.values())
        alone = _p95(conn, publisher, 1_000_000, children)
        slow = stack.enter_context(stand_in(servers, "slow-erp"))
        add_pair(conn, slow, SLOW_SLUG)
        Erp(slow).know(skus())
        Erp(slow).allow(AT_ONCE, SLOW_SECONDS)
        publisher.send(SLOW_SLUG, [order(SLOW_SLUG, n)[1] for n in range(SLOW_ORDERS)])
        await_(lambda: Erp(slow).seen().most >= AT_ONCE, 60.0, "the slow ERP to be busy", children)
        beside = _p95(conn, publisher, 2_000_000, children)
        if _done(conn, SLOW_SLUG) >= SLOW_ORDERS:
            wrong.append("the slow ERP had nothing left to do")
    more = {
        "orders": float(plan.orders),
        "calls_per_order": round(calls / plan.orders, 4),
        "calls_per_second": round(calls_speed, 1),
        "share_of_allowed": round(calls_speed / ALLOWED, 3),
        "most_at_once": float(seen.most),
        "cores": round(used.groups["processes"] / used.seconds, 3),
        "p95_alone": alone,
        "p95_beside_slow": beside,
    }
    return Run(speed, used.foreign_cores, per_thousand(used, plan.orders - begun), wrong, more)


def single(servers: Servers, plan: Plan) -> Run:
    """What somebody would build instead: 32 workers, each looks an order up and creates it. Raises Failed."""
    count = int(plan.orders * SINGLE_SHARE)
    with ExitStack() as stack:
        place = stack.enter_context(servers.place(BROKER))
        stand = stack.enter_context(stand_in(servers, "erp"))
        the_erp = Erp(stand)
        the_erp.know(skus())
        the_erp.allow(AT_ONCE, LATENCY)
        publisher = Publisher(place)
        stack.callback(publisher.close)
        publisher.send(SLUG, [order(SLUG, n)[1] for n in range(count)])
        command = [sys.executable, "-P", "-m", "benchmarks.erp_single", stand.addresses["xentral"]]
        children = stack.enter_context(processes(servers, [command], place))
        groups = {"processes": pids(children), **servers.pids(BROKER)}
        await_(lambda: len(the_erp.seen().creates) >= WARM, 60.0, "the first orders", children)
        before, begun = cpu.sample(groups), len(the_erp.seen().creates)
        await_(lambda: len(the_erp.seen().creates) >= count, LONGEST_SECONDS, f"{count:,} orders", children)
        used = cpu.between(before, cpu.sample(groups))
        seen = the_erp.seen()
        (speed, calls_speed), calls = seen.speed(), sum(seen.calls.values())
        wrong = [] if len(seen.creates) == count else [f"{len(seen.creates)} creates instead of {count}"]
    more = {
        "orders": float(count),
        "calls_per_order": round(calls / count, 4),
        "calls_per_second": round(calls_speed, 1),
        "share_of_allowed": round(calls_speed / ALLOWED, 3),
        "most_at_once": float(seen.most),
        "cores": round(used.groups["processes"] / used.seconds, 3),
        "p95_alone": 0.0,
        "p95_beside_slow": 0.0,
    }
    return Run(speed, used.foreign_cores, per_thousand(used, count - begun), wrong, more)


def _p95(conn: Connection, publisher: Publisher, first: int, children: list[Child]) -> float:
    """Milliseconds from right before the publish until an order is done."""
    published: dict[str, float] = {}
    begin = time.monotonic()
    for n in range(LATE_ORDERS):
        time.sleep(max(0.0, begin + n / RATE - time.monotonic()))  # the pace
        number, body = order(SLUG, first + n)
        published[number] = time.time()
        publisher.send(SLUG, [body])
    numbers = list(published)
    await_(lambda: _settled(conn, numbers) == len(numbers), 120.0, "the orders one by one", children)
    done = ledger.committed_at(conn, "attempts")
    return round(quantiles([1000 * (done[number] - published[number]) for number in numbers[WARM:]], n=20)[18], 1)


def _settled(conn: Connection, numbers: list[str]) -> int:
    row = conn.execute(
        "SELECT count(*) FROM records WHERE flow = 'order-import' AND state = 'done' AND key = ANY(%s)", (numbers,)
    ).fetchone()
    return int(row[0]) if row else 0


def _done(conn: Connection, slug: str = SLUG) -> int:
    row = conn.execute(
        "SELECT count(*) FROM records WHERE flow = 'order-import' AND state = 'done' AND interface = %s", (slug,)
    ).fetchone()
    return int(row[0]) if row else 0


def _wrong(conn: Connection, the_erp: Erp, count: int) -> list[str]:
    """Counts that do not fit."""
    wrong = []
    try:
        if (there := the_erp.orders()) != count:
            wrong.append(f"the ERP has {there} orders instead of {count}")
    except ValueError as error:
        wrong.append(str(error))
    row = conn.execute("SELECT count(*) FROM attempts WHERE outcome <> 'done'").fetchone()
    if row is None or row[0]:
        wrong.append(f"{row and row[0]} attempts did not end well")
    if not count:
        raise Failed("no orders")
    return wrong
