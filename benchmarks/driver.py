"""Runs one contender once: fresh place, backlog, processes, gate, measurement, exact counts.

    load backlog ─▶ shut the gate ─▶ start processes ─▶ all wait ─▶ open the gate ─▶ all is through ─▶ check

The gate is a lock on the table of records: processes start, connect and take their first batch, but store nothing. So
starting up is no part of what is measured, whatever the contender is.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg

from benchmarks import cpu, ledger
from benchmarks.contender import Contender
from benchmarks.orders import orders
from benchmarks.quota import limited
from benchmarks.servers import Place, Servers
from services.cli.local.child import Child
from shared.broker.delivery import Fate
from shared.broker.open import open_publisher
from shared.db.connect import Connection, connect
from shared.settings import environment

ROOT = Path(__file__).resolve().parents[1]
FOREIGN_CORES = 0.15  # more than this beside us, and a run counts as disturbed
START_SECONDS = 60.0
LONGEST_SECONDS = 180.0
SETTLED_SECONDS = 1.0
LOOK_SECONDS = 0.2
WARM_UP_SECONDS = 3.0
WARM_NUMBERS = 50_000_000


class Failed(RuntimeError):
    """A run that came to no result; says why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run. orders: of the backlog; rate and seconds: of `latency`; profile: a folder for py-spy's output.

    stored: orders that are done before it begins; paused: orders of another, paused interface that are due meanwhile;
    growth: the two sizes that `growth` compares; warm: orders that go through before it begins, so that pages were
    touched since the last checkpoint, as they are in an installation that runs.
    flush: milliseconds that every commit takes longer, as on a slow disk; snapshot: whether a transaction is held open
    meanwhile, as by a dump; stock_rate: changes of stock published a second; records: that `journal` fills.
    """

    job: str
    orders: int = 20_000
    rate: float = 200.0
    seconds: float = 6.0
    profile: Path | None = None
    stored: int = 0
    paused: int = 0
    growth: tuple[int, int] = (10_000, 1_000_000)
    warm: int = 0
    flush: float = 0.0
    snapshot: bool = False
    stock_rate: float = 5_000.0
    records: int = 500_000


@dataclass(frozen=True, slots=True)
class Run:
    """One result. cpu: seconds per 1,000 orders by group of processes; wrong: counts that are not exact."""

    value: float
    foreign_cores: float
    cpu: dict[str, float]
    wrong: list[str]
    more: dict[str, float] = field(default_factory=dict)

    @property
    def disturbed(self) -> bool:
        """Whether something else kept the machine busy."""
        return self.foreign_cores > FOREIGN_CORES


def measure(servers: Servers, contender: Contender, plan: Plan) -> Run:
    """Run `plan` once in a place of its own. Raises Failed."""
    with (
        servers.place(contender.broker, plan.stored, plan.paused if plan.job == "claim" else 0) as place,
        connect(place.database, "bench-driver") as conn,
    ):
        base = ledger.base(conn)
        contender.prepare(place)
        if plan.flush:
            servers.slow_flush(place, plan.flush)
        if plan.job == "latency":
            return _latency(servers, contender, plan, place, conn)
        plan = replace(plan, orders=int(plan.orders * contender.share))
        if plan.warm:
            base = _warmed(servers, contender, plan, place, conn, base)
        contender.load(place, [body for _, body in orders(plan.orders)])
        if plan.job == "claim":
            with processes(servers, contender.commands("intake"), place):
                await_(lambda: ledger.finished(conn, "intake", base) == plan.orders, LONGEST_SECONDS, "the backlog")
        return _backlog(servers, contender, plan, place, conn, base)


def _warmed(servers: Servers, contender: Contender, plan: Plan, place: Place, conn: Connection, base: int) -> int:
    """Let some orders through that are not counted; returns the new base."""
    contender.load(place, [body for _, body in orders(plan.warm, first=WARM_NUMBERS)])
    with processes(servers, contender.commands(plan.job), place):
        await_(lambda: ledger.finished(conn, plan.job, base) == plan.warm, LONGEST_SECONDS, "the warm-up")
    conn.execute("TRUNCATE arrivals")  # all of them count, and those of the warm-up do not
    return ledger.base(conn)


def _backlog(servers: Servers, contender: Contender, plan: Plan, place: Place, conn: Connection, base: int) -> Run:
    with psycopg.connect(place.database) as gate, ExitStack() as stack:
        if plan.snapshot:
            dump = stack.enter_context(psycopg.connect(place.database))
            dump.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            dump.execute("SELECT count(*) FROM interfaces")
        gate.execute("LOCK TABLE records IN SHARE ROW EXCLUSIVE MODE")
        children = stack.enter_context(processes(servers, contender.commands(plan.job), place))
        ready(conn, contender, plan.job)
        await_(lambda: _waiting(conn) > 0, START_SECONDS, "the first batch")
        profiles = stack.enter_context(_profiled(plan, contender, children))
        stack.enter_context(_limited(children, contender))
        time.sleep(SETTLED_SECONDS)  # starting up is over before the clock starts
        groups = {"processes": [child.pid or 0 for child in children], **servers.pids(contender.broker)}
        before = cpu.sample(groups)
        gate.commit()
        await_(
            lambda: ledger.finished(conn, plan.job, base) >= plan.orders,
            LONGEST_SECONDS,
            f"{plan.orders:,} orders",
            children,
        )
        used = cpu.between(before, cpu.sample(groups))
        profiles()
        time.sleep(LOOK_SECONDS)  # the acks of the last batch
        span = ledger.span(conn, plan.job, base)
        transactions = ledger.commits(conn, base)
    return Run(
        span.orders / span.seconds,
        used.foreign_cores,
        per_thousand(used, plan.orders),
        ledger.inexact(conn, place.broker, plan.job, plan.orders, contender.left(place), base),
        {"orders": plan.orders, "transactions": transactions, "seconds": round(span.seconds, 3)},
    )


def _latency(servers: Servers, contender: Contender, plan: Plan, place: Place, conn: Connection) -> Run:
    count, warm = int(plan.rate * (plan.seconds + WARM_UP_SECONDS)), int(plan.rate * WARM_UP_SECONDS)
    events = list(orders(count))
    published: dict[str, float] = {}
    with processes(servers, contender.commands(plan.job), place) as children, ExitStack() as stack:
        ready(conn, contender, plan.job)
        time.sleep(SETTLED_SECONDS)  # starting up is over before the clock starts
        profiles = stack.enter_context(_profiled(plan, contender, children))
        publisher = open_publisher(place.broker, name="bench-publish")
        stack.callback(publisher.close)
        groups = {"processes": [child.pid or 0 for child in children], **servers.pids(contender.broker)}
        before = cpu.sample(groups)
        begin = time.monotonic()
        for n, (number, body) in enumerate(events):
            time.sleep(max(0.0, begin + n / plan.rate - time.monotonic()))  # the pace
            if n == warm:
                before = cpu.sample(groups)
            published[number] = time.time()
            if publisher.publish([contender.wrap(body)]) != [Fate.CONFIRMED]:
                raise Failed("the broker did not confirm an event")
        took = time.monotonic() - begin
        await_(lambda: ledger.finished(conn, plan.job, 0) >= count, LONGEST_SECONDS, f"{count:,} orders", children)
        used = cpu.between(before, cpu.sample(groups))
        profiles()
    stored, done = ledger.committed_at(conn, "events"), ledger.committed_at(conn, "attempts")
    wrong = ledger.inexact(conn, place.broker, plan.job, count, contender.left(place))
    late = sorted(1000 * (done[number] - published[number]) for number, _ in events[warm:] if number in done)
    half = sorted(1000 * (stored[number] - published[number]) for number, _ in events[warm:] if number in stored)
    more = {
        "stored_p50": round(half[len(half) // 2], 2),
        "p50": round(late[len(late) // 2], 2),
        "p99": round(late[len(late) * 99 // 100], 2),
        "max": round(late[-1], 2),
        "published_per_second": round(count / took, 1),
    }
    return Run(more["p50"], used.foreign_cores, per_thousand(used, count - warm), wrong, more)


def per_thousand(used: cpu.Used, count: int) -> dict[str, float]:
    """CPU seconds per 1,000 orders, by group and in total."""
    each = {name: round(1000 * seconds / count, 3) for name, seconds in used.groups.items()}
    return {**each, "total": round(sum(each.values()), 3)}


@contextmanager
def processes(servers: Servers, commands: Sequence[Sequence[str]], place: Place) -> Iterator[list[Child]]:
    """Start them, and stop them in the end, in order."""
    variables = {
        **environment(),
        "PYTHONPATH": str(ROOT),
        "CONNECT_DATABASE_URL": place.database,
        "CONNECT_AMQP_URL": place.broker,
    }
    children = [
        Child(f"process {n}", command, log=servers.folder / f"process-{n}.log", environment=variables)
        for n, command in enumerate(commands)
    ]
    try:
        for child in children:
            child.start()
        yield children
    finally:
        for child in children:
            child.send(signal.SIGTERM)
        for child in children:
            child.stop(20)


@contextmanager
def _limited(children: Sequence[Child], contender: Contender) -> Iterator[None]:
    try:
        with limited([child.pid or 0 for child in children], contender.cores):
            yield
    except OSError as error:
        raise Failed(f"no control group for a share of a core: {error}") from error


@contextmanager
def _profiled(plan: Plan, contender: Contender, children: Sequence[Child]) -> Iterator[Callable[[], None]]:
    """py-spy beside every process, if the plan asks for it; what is handed out ends the recording."""
    program = shutil.which("py-spy")
    if plan.profile is None:
        yield lambda: None
        return
    if program is None:
        raise Failed("py-spy is not on the PATH: install it, or leave --profile out")
    plan.profile.mkdir(parents=True, exist_ok=True)
    recorders = [
        subprocess.Popen(
            [program, "record", "--pid", str(child.pid), "--rate", "250", "--threads", "--format", "raw",
             "--duration", "600", "--output", str(plan.profile / f"{plan.job}-{contender.name}-{n}.txt")],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for n, child in enumerate(children)
    ]  # fmt: skip

    def end() -> None:
        for recorder in recorders:
            recorder.send_signal(signal.SIGINT)
        for recorder in recorders:
            recorder.wait(30)

    try:
        yield end
    finally:
        for recorder in recorders:
            if recorder.poll() is None:
                recorder.kill()
                recorder.wait()


def ready(conn: Connection, contender: Contender, job: str) -> None:
    """Wait until the contender's processes have their database sessions. Raises Failed."""
    wanted = contender.sessions(job)
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'bench-%'"
    )

    def there() -> bool:
        row = conn.execute(query).fetchone()
        return row is not None and row[0] > wanted  # one is this driver's

    await_(there, START_SECONDS, f"{wanted} sessions")


def _waiting(conn: Connection) -> int:
    row = conn.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchone()
    return int(row[0]) if row else 0


def await_(true: Callable[[], bool], seconds: float, what: str, children: Sequence[Child] = ()) -> None:
    """Wait until `true` says so; the processes have to live meanwhile. Raises Failed."""
    end = time.monotonic() + seconds
    while not true():
        for child in children:
            if not child.alive():
                raise Failed(f"{child.name} ended:\n{child.last_lines(5)}")
        if time.monotonic() > end:
            logs = "\n".join(child.last_lines(3) for child in children)
            raise Failed(f"waited {seconds:.0f} s for {what}\n{logs}")
        time.sleep(LOOK_SECONDS)  # between two looks, until the limit
