"""What was said to remote systems is stored with the settle, in full where it matters, and goes after some weeks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import psycopg
import pytest

from shared.connectors.exchange import Exchange
from shared.db.connect import Connection, connect
from shared.records.exchanges import keep_weeks, read_exchanges, unpack
from shared.records.settle import Settlement, settle
from shared.records.states import State
from shared.runtime.kept import SHORT, SMALL, WHOLE, kept
from shared.runtime.lane import Lane, Report
from shared.runtime.outcome import Done
from shared.runtime.stage import Held
from tests.support.spine import claims, event, settlement, store_lane, take_in

pytestmark = pytest.mark.servers


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        store_lane(opened)
        yield opened


def _call(*, writes: bool = True, wrong: str | None = None, target: str = "/orders") -> Exchange:
    body = b"x" * (2 * WHOLE)
    return Exchange("create", "POST", target, body, writes, False, (), 201, body, 0.1, wrong)


def _packed(
    said: Settlement, own: tuple[Exchange, ...] = (), together: tuple[Exchange, ...] = (), among: int = 1
) -> Any:
    held = Held(said.claim, 0.0)
    report = Report(cast("Lane", None), held, Done(), datetime.now(UTC), 0.1, together, own, among)
    packed = kept(report, said)
    return packed and [
        (
            len(call["target"]),
            *(body and (len(body["text"]), body["left_out"] > 0) for body in (call["request"], call["response"])),
        )
        for call in unpack(packed)["calls"]
    ]


def test_little_is_kept_of_what_went_well_at_once_and_all_of_the_rest(conn: Connection) -> None:
    take_in(conn, event("A"))
    (held,) = claims(conn)
    done, failed = settlement(held, State.DONE), settlement(held, State.FAILED)
    small, whole = (SMALL, True), (WHOLE, True)
    assert _packed(done, own=(_call(), _call(writes=False))) == [(7, small, small), (7, None, None)]
    assert _packed(failed, own=(_call(), _call(writes=False))) == [(7, whole, whole), (7, whole, whole)]
    # A call for many records speaks of the others too.
    batch = (_call(target="/" + "o" * 999), _call(wrong="remote-refused"))
    assert _packed(failed, together=batch, among=200) == [(SHORT, None, None), (7, None, small)]
    assert _packed(failed, together=(_call(),)) == [(7, whole, whole)]
    assert _packed(done) is None


def test_calls_are_stored_with_their_settle_or_not_at_all(conn: Connection) -> None:
    take_in(conn, event("A"), event("B"), event("C"))
    one, two, three = claims(conn)
    packed = kept(
        Report(cast("Lane", None), Held(one, 0.0), Done(), datetime.now(UTC), 0.1, (), (_call(),)),
        settlement(one, State.FAILED),
    )
    lost = settlement(three, State.DONE, calls=packed)
    conn.execute("UPDATE records SET claim_no = claim_no + 1 WHERE id = %s", (three.id,))
    for _ in range(2):  # a settle that is repeated stores nothing twice
        settle(conn, [settlement(one, State.FAILED, calls=packed), settlement(two, State.DONE), lost])
    assert conn.execute("SELECT record_id, claim_no FROM exchanges").fetchall() == [(one.id, one.claim_no)]
    found = read_exchanges(conn, one.id)[one.claim_no]["calls"]
    assert found[0]["request"]["text"].startswith("xxx")
    hidden = read_exchanges(conn, one.id, reveal=False)[one.claim_no]["calls"]
    assert hidden[0]["request"] is hidden[0]["response"] is None


def test_weeks_are_made_ahead_and_old_ones_go(conn: Connection, database_url: str) -> None:
    assert keep_weeks(conn) == (0, 0)
    conn.execute(
        "CREATE TABLE exchanges_2020_01_06 PARTITION OF exchanges"
        " FOR VALUES FROM ('2020-01-06 00:00:00+00') TO ('2020-01-13 00:00:00+00')"
    )
    conn.execute("INSERT INTO exchanges VALUES (1, 1, '2020-01-07', 'x')")
    with connect(database_url, "busy") as busy, busy.transaction():
        busy.execute("SELECT FROM exchanges")
        with pytest.raises(psycopg.errors.LockNotAvailable):  # nobody waits behind a week that is dropped
            keep_weeks(conn)
    assert keep_weeks(conn) == (0, 1)
    assert conn.execute("SELECT count(*) FROM exchanges").fetchone() == (0,)
