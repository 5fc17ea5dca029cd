"""The SQL of a filter finds exactly the records that a plain reading of the same filter finds, on a real PostgreSQL."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from shared.alarms.look import due_soon
from shared.db.connect import Connection, connect
from shared.errors.catalogue import catalogue
from shared.errors.entry import VARIABLE
from shared.records import dates
from shared.records.filter import CHOICES, DATES, Atom, Filter, Term, parse
from shared.records.filter_sql import to_sql
from shared.records.indexer import Indexer
from shared.records.parts import NAMES
from shared.records.search import fold
from tests.support.rows import store_shipment
from tests.support.stored import order_event, store_record

pytestmark = pytest.mark.servers
ZONES = [ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")]
TEXTS = ["4711", "AB-12/ü", "Müller-Straße", "ERIKA", "İzmir ŁÓDŹ", "x_y%z", "ΣΊΣΥΦΟΣ", "naïve café", "„4711“", "ab 12"]
CODES = ["sku-unknown", "payment-unmapped", "remote-timeout"]
CHANGES = [datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1)]  # 02:30 in Berlin, twice
MOMENTS = st.one_of(
    st.sampled_from(CHANGES),
    st.integers(0, 96 * 3600).map(lambda seconds: datetime(2026, 10, 23, tzinfo=UTC) + timedelta(seconds=seconds)),
)
DUE_FIRST = ("waiting", "running", "pending", "failed", "warning", "never", "skipped", "done")
PLACE = itemgetter("interface", "flow", "key")
text = st.one_of(st.sampled_from(TEXTS), st.text("aAbÄäßé1-/ .%_\\|'\"", min_size=1, max_size=8))


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    """A row of `records`, with the event behind it."""
    flow = draw(st.sampled_from(CHOICES["flow"]))
    number, customer, sku = draw(text), draw(text), draw(text)
    event = order_event(number, customer={"last_name": customer, "email": None}, lines=[{"id": "1", "sku": sku}])
    if flow == "stock":
        kind = draw(st.sampled_from([None, *CHOICES["type"]]))
        event = {"data": {"sku": sku, "quantity": 1, **({"kind": kind} if kind else {})}}
    if flow == "order-export":
        event = {"data": {"order_number": number, "shipments": [{"id": "1", "tracking_number": sku}]}}
    seen = draw(st.none() | st.tuples(st.sampled_from(CHOICES["type"]), text, *3 * [st.none() | st.integers(1, 2)]))
    parts = draw(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(CHOICES["state"])))
    problems = draw(st.lists(st.tuples(st.sampled_from(CODES), text), max_size=2))
    return {
        "flow": flow,
        "interface": draw(st.sampled_from(["otto-de", "shop"])),
        "stage": draw(st.sampled_from(CHOICES["stage"])),
        "state": draw(st.sampled_from(CHOICES["state"])),
        "test": draw(st.booleans()),
        "marketplace_id": draw(st.none() | text),
        "remote": draw(st.none() | text),
        "ordered_at": draw(st.none() | MOMENTS),
        "ships_in": draw(st.sampled_from([None, -2, 30])),  # hours from now; all words tell these apart the same
        **{column: draw(MOMENTS) for column in ("received_at", "changed_at", "updated_at")},
        "code": problems[0][0] if problems else None,
        "reason": [{"code": c, "field": "", "values": {"sku": v, "n": "5"}} for c, v in problems] or None,
        "key": number,
        "event": event,
        "parts": parts if flow == "order-export" else {},
        "told": draw(st.lists(text, max_size=2)) if flow == "order-export" else [],
        "article": dict(zip(("kind", "name", "sent", "shown", "shown_at"), seen, strict=True))
        if seen and flow == "stock"
        else None,
    }


def _written(moment: datetime, length: int, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).isoformat()[:length]


ATOMS = st.one_of(
    *(st.builds(Atom, st.just(word), st.just(":"), st.sampled_from(values)) for word, values in CHOICES.items()),
    st.builds(Atom, st.just("interface"), st.just(":"), st.sampled_from(["otto-de", "shop", "nobody"])),
    st.builds(Atom, st.sampled_from(["error", "group"]), st.just(":"), st.sampled_from(CODES)),
    st.builds(Atom, st.just("assignee"), st.just(":"), st.sampled_from(["none", "erika"])),
    st.builds(
        Atom,
        st.sampled_from(list(DATES)),
        st.sampled_from([":", ">=", "<=", "<", ">"]),
        st.builds(_written, MOMENTS, st.sampled_from([10, 16, 19]), st.sampled_from(ZONES)),
    ),
    st.builds(Atom, st.just(""), st.just(""), text.filter(fold)),
    st.builds(Atom, st.just(""), st.just(""), st.sampled_from(["zahlungsart", "did not answ", "sku 5"])),
)
FILTERS = st.builds(
    Filter,
    st.lists(st.builds(Term, st.lists(ATOMS, min_size=1, max_size=3).map(tuple), st.booleans()), max_size=3).map(tuple),
    st.sampled_from(ZONES),
)


def matches(filter: Filter, row: dict[str, Any], rows: list[dict[str, Any]]) -> bool:
    """The plain reading."""
    return all(
        any(_holds(atom, row, rows, filter.zone) for atom in term.atoms) is not term.negated for term in filter.terms
    )


def _holds(atom: Atom, row: dict[str, Any], rows: list[dict[str, Any]], zone: ZoneInfo) -> bool:
    data, codes = row["event"]["data"], [problem["code"] for problem in row["reason"] or []]
    if atom.word == "stage" and row["flow"] == "order-export":
        first = min(((DUE_FIRST.index(state), name) for name, state in row["parts"].items()), default=(0, "status"))
        return atom.value == first[1]
    if atom.word in ("state", "stage", "interface", "flow"):
        return bool(row[atom.word] == atom.value)
    if atom.word == "type":
        kind = row["article"]["kind"] if row["article"] else data.get("kind", "simple")
        return row["flow"] == "stock" and kind == atom.value
    if atom.word == "test":
        return atom.value == ("yes" if row["test"] else "no")
    if atom.word == "drift":
        article = row["article"] or {}
        seen = article.get("sent") is not None and article["shown_at"] == 2  # since it was sent
        drifted = seen and article["shown"] != article["sent"]
        return row["flow"] == "stock" and atom.value == ("yes" if drifted else "no")
    if atom.word == "due":
        waits = row["flow"] == "order-import" and row["state"] in ("pending", "running", "waiting", "failed")
        return waits and row["ships_in"] == -2
    if atom.word == "tracking":
        state = row["parts"].get("tracking", "never")
        shown = {"done": "exported", "warning": "exported", "failed": "failed"}.get(state, "open")
        return row["flow"] == "order-export" and shown == atom.value
    if atom.word == "error":
        return atom.value in codes
    if atom.word == "group":
        return bool(row["code"] == atom.value)
    if atom.word == "assignee":
        return atom.value == "none"
    if atom.word in DATES:
        at = row[DATES[atom.word]]
        return at is not None and _in_time(atom, at, zone)
    return _said(fold(atom.value), row, rows)


def _in_time(atom: Atom, at: datetime, zone: ZoneInfo) -> bool:
    shown = at.astimezone(zone).replace(tzinfo=None).isoformat(timespec="seconds")[: len(atom.value)]
    stretch = dates.read(atom.value, zone)
    return {
        ":": shown == atom.value,  # the same day, minute or second on the clock of the installation
        ">=": at >= stretch.start,
        "<": at < stretch.start,
        ">": at >= stretch.last_end,
        "<=": at < stretch.last_end,
    }[atom.op]


def _of_the_copy(row: dict[str, Any]) -> list[str | None]:
    data = row["event"]["data"]
    order = data.get("order", {})
    texts = [order.get("customer", {}).get("last_name"), order.get("billing_address", {}).get("name"), data.get("sku")]
    texts += [line["sku"] for line in order.get("lines", [])]
    return texts + [shipment["tracking_number"] for shipment in data.get("shipments", [])]


def _of_the_flow(row: dict[str, Any], rows: list[dict[str, Any]]) -> list[str | None]:
    """An order and its export are found by what either says, an article by the name it is listed with."""
    if row["flow"] == "stock":
        return [row["article"]["name"]] if row["article"] else []
    others = [one for one in rows if (one["interface"], one["key"]) == (row["interface"], row["key"])]
    if row["flow"] == "order-import":
        exports = [one for one in others if one["flow"] == "order-export"]
        return [said for one in exports for said in (*_of_the_copy(one), *one["told"])]
    orders = [one for one in others if one["flow"] == "order-import"]
    return row["told"] + [said for one in orders for said in (one["remote"], *_of_the_copy(one))]


def _said(word: str, row: dict[str, Any], rows: list[dict[str, Any]]) -> bool:
    texts = [row["key"], row["marketplace_id"], row["remote"], *_of_the_copy(row), *_of_the_flow(row, rows)]
    values = [value for problem in row["reason"] or [] for value in problem["values"].values()]
    document = fold("\n".join(part for part in [*texts, *values] if part))
    titles = [
        fold(piece)
        for problem in row["reason"] or []
        for said in (catalogue()[problem["code"]].de, catalogue()[problem["code"]].en)
        for piece in VARIABLE.split(said.title)[::2]
    ]
    return any(f" {part}".find(f" {word}") >= 0 for part in [document, *titles])


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, "tests") as opened:
        yield opened


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    rows=st.lists(records(), min_size=1, max_size=8, unique_by=PLACE),
    indexed=st.integers(0, 8),
    filters=st.lists(FILTERS, min_size=1, max_size=12),
)
def test_sql_and_a_plain_reading_find_the_same(
    conn: Connection, rows: list[dict[str, Any]], indexed: int, filters: list[Filter]
) -> None:
    """Whether all texts are in the index, or some, or none."""
    conn.execute("TRUNCATE records, payloads, articles, parts, shipments, search_texts, search_stale")
    known = {}
    for n, row in enumerate(rows):
        if n == indexed:
            index_all(conn)
        beside = ("key", "event", "article", "parts", "told", "ships_in")
        columns = {name: value for name, value in row.items() if name not in beside}
        if row["ships_in"] is not None:
            columns["ship_by"] = datetime.now(UTC) + timedelta(hours=row["ships_in"])
        record_id = store_record(conn, row["key"], event=row["event"], **columns)
        known[record_id] = row
        for part, state in row["parts"].items():
            conn.execute("INSERT INTO parts(record_id, part, state) VALUES (%s, %s, %s)", (record_id, part, state))
        for n, number in enumerate(row["told"]):
            store_shipment(conn, record_id, str(n), number)
        if row["article"]:
            conn.execute(
                "INSERT INTO articles(record_id, interface, sku, kind, name, sent, sent_at, shown, shown_at)"
                " VALUES (%s, 'i', %s, %s, %s, %s, to_timestamp(2), %s, to_timestamp(%s))",
                (record_id, str(record_id), *row["article"].values()),
            )
    if indexed == len(rows):
        index_all(conn)
    for filter in filters:
        expected = {record for record, row in known.items() if matches(filter, row, rows)}
        for one_by_one in (False, True):
            condition, values = to_sql(filter, one_by_one=one_by_one)
            query = sql.SQL("SELECT id FROM records r WHERE {}").format(sql.SQL(condition))
            found = {row[0] for row in conn.execute(query, values)}
            assert found == expected, (filter.text, json.dumps([known[i] for i in found ^ expected], default=str))


def index_all(conn: Connection) -> None:
    """As the Journal's loop does."""
    indexer = Indexer()
    while indexer.batch(conn, lambda _: None, limit=3):
        pass


def test_a_list_of_numbers_can_be_pasted(conn: Connection) -> None:
    for number in ("4711", "4712", "4713"):
        store_record(conn, number)
    condition, values = to_sql(parse("4711|4713", ZONES[0]))
    query = sql.SQL("SELECT key FROM records r WHERE {} ORDER BY key").format(sql.SQL(condition))
    assert [row[0] for row in conn.execute(query, values)] == ["4711", "4713"]


def test_a_day_is_a_day_of_the_installation(conn: Connection) -> None:
    midnight = datetime(2026, 10, 31, 23, tzinfo=UTC)  # 1 November, 00:00 in Berlin
    for number, at in (("before", midnight - timedelta(seconds=1)), ("first", midnight)):
        store_record(conn, number, ordered_at=at)
    condition, values = to_sql(parse("ordered>=2026-11-01", ZONES[0]))
    query = sql.SQL("SELECT key FROM records r WHERE {}").format(sql.SQL(condition))
    assert [row[0] for row in conn.execute(query, values)] == ["first"]


def test_due_is_what_waits_and_ends_in_time_as_the_alarm_counts_it(conn: Connection) -> None:
    """At the edges, in one transaction, whose clock stands still."""
    zone = ZONES[0]
    with conn.transaction(force_rollback=True):
        row = conn.execute("SELECT now()").fetchone()
        assert row is not None
        now: datetime = row[0]
        midnight = datetime.combine(now.astimezone(zone).date() + timedelta(days=1), time(), zone)
        ends = {"overdue": now, "today": midnight, "24h": now + timedelta(hours=24)}
        for name, end in ends.items():
            store_record(conn, f"{name} in", state="failed", ship_by=end - timedelta(microseconds=1))
            store_record(conn, f"{name} out", state="failed", ship_by=end)
        late = now - timedelta(days=1)
        for state in CHOICES["state"]:
            store_record(conn, state, state=state, ship_by=late)
        store_record(conn, "no date", state="failed")
        store_record(conn, "test", state="failed", ship_by=late, test=True)
        store_record(conn, "export", flow="order-export", state="failed", ship_by=late)
        waits = {"pending", "running", "waiting", "failed"}
        for name, end in ends.items():
            condition, values = to_sql(parse(f"due:{name} test:no", zone))
            query = sql.SQL("SELECT key FROM records r WHERE {}").format(sql.SQL(condition))
            found = {row[0] for row in conn.execute(query, values)}
            assert found == waits | {f"{other} in" for other in ends if ends[other] <= end} | {
                f"{other} out" for other in ends if ends[other] < end
            }, name
            if name == "24h":
                assert sum(due_soon(conn, now).values()) == len(found)
