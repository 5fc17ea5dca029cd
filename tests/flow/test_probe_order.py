"""The probe order: through a real broker, the importer's own dry run, the ERP's stand-in and the Journal's look."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from services.importer.probe_order import ProbeOrders
from services.journal.probed import see_probes
from shared.alarms import probed
from shared.broker.apply import depths
from shared.broker.delivery import Consumer, Delivery
from shared.broker.open import open_consumer, open_publisher
from shared.broker.topology import PROBE
from shared.db.connect import Connection, connect
from shared.metrics import Metrics
from tests.support.creating import Creating, add, creating
from tests.support.sandbox import Stand
from tests.support.spine import SLUG
from tests.support.waiting import until

pytestmark = pytest.mark.servers
EARLY = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        yield opened


@pytest.fixture
def work(database_url: str, conn: Connection, stand: Stand) -> Iterator[Creating]:
    add(conn, stand)
    with creating(database_url, conn, stand, start=False) as found:
        yield found


class Noted:
    """A consumer that notes which queues what it takes came from."""

    def __init__(self, consumer: Consumer, queues: list[str]) -> None:
        self._consumer, self._queues = consumer, queues

    def collect(self, *values: Any) -> list[Delivery]:
        found = self._consumer.collect(*values)
        self._queues += [one.queue for one in found]
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)


def row(conn: Connection) -> tuple[int, bool, str | None, bool]:
    found = conn.execute(
        "SELECT no, answered_at >= sent_at, trouble, succeeded_at >= sent_at FROM probes WHERE interface = %s", (SLUG,)
    ).fetchone()
    return found or (0, False, None, False)


def sums(conn: Connection) -> list[int]:
    """How much there is of everything that is counted anywhere."""
    tables = (
        "records",
        "transitions",
        "attempts",
        "events",
        "duplicates",
        "arrivals",
        "search_texts",
        "exchanges",
        "rejections",
        "troubles",
        "payloads",
    )
    return [conn.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables]  # type: ignore[index]


def test_a_probe_comes_through_and_is_in_no_figure(
    work: Creating, conn: Connection, database_url: str, stand: Stand, broker_url: str
) -> None:
    """On RabbitMQ and on the broker inside PostgreSQL."""
    before, stop, metrics = sums(conn), threading.Event(), Metrics("journal", "0")
    seen, taken = stand.calls("xentral"), list[str]()

    def consume() -> Any:
        return Noted(open_consumer(broker_url, (PROBE,), name="tests"), taken)

    def sends(every: float) -> ProbeOrders:
        return ProbeOrders(
            work.remotes, timedelta(seconds=every), connect=partial(connect, database_url, "tests-probe"),
            read=work.read, consume=consume, publisher=publisher,
        )  # fmt: skip

    publisher = open_publisher(broker_url, name="tests")
    ways = (stop.is_set, lambda _: stop.wait(0.05))
    threads = [
        threading.Thread(target=sends(0.5).run, args=(lambda: None, stop.is_set, lambda _: None)),
        threading.Thread(
            target=see_probes, args=(partial(connect, database_url, "tests-see"), metrics, lambda: None, *ways)
        ),
    ]
    for thread in threads:
        thread.start()
    try:
        until(lambda: row(conn)[3], "a probe comes through", 60)
        until(lambda: "connect_probe_seconds{" in shown(metrics), "it is a metric", 30)
        stand.fault("xentral", "500")
        until(lambda: row(conn)[2], "one fails", 60)
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
        publisher.close()
    assert sums(conn) == before
    assert (len(taken) >= 2, set(taken)) == (True, {PROBE}), "each went through the queue"
    until(lambda: not any(depths(broker_url).values()), "and through no other; none is left", 30)
    called = {name for name, count in stand.calls("xentral").items() if count > seen.get(name, 0)}
    assert called <= {"find-products", "find-orders"}, "it only looks"
    assert probed.standing(conn, 5, EARLY) == {
        probed.FAILED: {(SLUG, "infrastructure", probed.FAILED, ""): 1}, probed.MISSING: {}
    }  # fmt: skip


def test_a_missing_probe_is_told_of_and_an_open_breaker_is_left_in_peace(work: Creating, conn: Connection) -> None:
    del work
    assert [slug for slug, _ in probed.due(conn, timedelta(minutes=5))] == [SLUG]
    assert probed.due(conn, timedelta(minutes=5)) == [], "not twice"
    nothing: dict[str, object] = {probed.FAILED: {}, probed.MISSING: {}}
    assert probed.standing(conn, 5, EARLY) == nothing
    conn.execute("UPDATE probes SET since = now() - interval '16 minutes'")
    missing = probed.standing(conn, 5, EARLY)[probed.MISSING]
    assert list(missing) == [(SLUG, "infrastructure", probed.MISSING, "")]
    assert probed.standing(conn, 0, EARLY) == nothing, "no probes are wanted"
    assert probed.standing(conn, 5, datetime.now(UTC)) == nothing, "nobody was there to see one"
    probed.answered(conn, SLUG, 1, None)
    (shown_,) = probed.show(conn)
    assert (shown_.interface, shown_.seconds >= 0) == (SLUG, True)
    assert probed.standing(conn, 5, EARLY) == nothing
    conn.execute("UPDATE probes SET succeeded_at = since, sent_at = 'epoch'")
    conn.execute("INSERT INTO side_states(interface, side, breaker) VALUES (%s, 'erp', 'open')"
                 " ON CONFLICT (interface, side) DO UPDATE SET breaker = 'open'", (SLUG,))  # fmt: skip
    assert probed.standing(conn, 5, EARLY) == nothing
    assert probed.due(conn, timedelta(minutes=5)) == []
    conn.execute("UPDATE side_states SET breaker = 'closed'")
    conn.execute("UPDATE interfaces SET mode = 'test'")
    assert probed.due(conn, timedelta(minutes=5)) == [], "live interfaces only"


def shown(metrics: Metrics) -> str:
    return str([sample for family in metrics.registry.collect() for sample in family.samples if sample.labels]).replace(
        "name='connect_probe_seconds'", "connect_probe_seconds{"
    )
