"""What goes into a debug bundle: each part is a function that looks and returns what is written. None names a person.

Only what is listed gets in: figures, names of ours (services, tables, queues, codes, interfaces), settings without
secrets. Texts that people or remote systems wrote are left out, not cleaned.
"""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import httpx2
from psycopg.rows import dict_row

from services.cli.config import BY_PATH, masked
from services.cli.findings import examine
from services.cli.session import Session
from shared.broker.queues import queues
from shared.db.migrate import missing
from shared.records.books import accounting
from shared.settings import PORTS, PREFIX, Settings, home_folder, unknown
from shared.version import VERSION

LINES = 2_000
SCRAPE_SECONDS = 3.0
METRICS_BYTES = 2_000_000
LOG_BYTES = 8_000_000

LOGGED = frozenset(
    {
        "timestamp", "level", "event", "service", "interface", "flow", "stage", "state", "side", "code", "codes",
        "count", "counts", "seconds", "status", "operation", "queue", "queues", "outcome", "outcomes", "loop", "signal",
        "version", "error", "migrations", "months", "port", "batch", "claimed", "settled", "released", "waited",
    }
)  # fmt: skip
"""Keys of a log line that are words and figures of ours."""

_WORD = re.compile(r"[A-Za-z0-9_.:+/-]{1,120}")
_MEASURE = re.compile(r"(# (HELP|TYPE|UNIT|EOF)|(connect|process|python)_)")
_HIDDEN = re.compile(r"[\w.+%-]+@[\w-]+(\.[\w-]+)+|://[^\s/@]*@")
_SERVER_SETTINGS = (
    "max_connections", "shared_buffers", "work_mem", "maintenance_work_mem", "effective_cache_size", "max_wal_size",
    "checkpoint_timeout", "synchronous_commit", "wal_level", "fsync", "full_page_writes", "autovacuum", "jit",
    "idle_in_transaction_session_timeout", "statement_timeout", "max_worker_processes", "random_page_cost", "TimeZone",
)  # fmt: skip
_FINDINGS = ("settings", "database", "clock", "broker", "rights", "work", "books", *PORTS)
"""Findings whose text is all ours; of the others only whether something is wrong."""


@dataclass(frozen=True, slots=True)
class Part:
    """A file of the bundle. look: what is written into it, text or data."""

    file: str
    what: str
    look: Callable[[], Any]


def parts(session: Session, logs: Sequence[Path], metrics: Mapping[str, str]) -> list[Part]:
    """Everything, in the order in which it is looked at: what needs no server comes first."""

    def table(name: str) -> Callable[[], Any]:
        return lambda: _rows(session, _QUERIES[name])

    return [
        Part("versions.json", "releases of Connect, Python, PostgreSQL, packages", lambda: _versions(session)),
        Part("settings.json", "settings; secrets, users, addresses of mail masked", lambda: _settings(session)),
        Part("migrations.json", "which migrations were applied when, which are missing", lambda: _migrations(session)),
        Part("database.json", "settings of PostgreSQL that matter, size, replication", table("database")),
        Part("tables.json", "rows, bytes, dead rows and last vacuum of each table", table("tables")),
        Part("sessions.json", "sessions by name, state and what they wait for; no statement", table("sessions")),
        Part("records.json", "how many records in which state, by interface, flow and code", table("records")),
        Part("interfaces.json", "mode, breaker, polls of each interface; no title, no setting", table("interfaces")),
        Part("rejections.json", "how many rejections by queue and state", table("rejections")),
        Part("archive.json", "parts of the archive", table("archive")),
        Part("books.json", "the books of today and yesterday", lambda: _books(session)),
        Part("queues.json", "depth and consumers of each queue", lambda: _queues(session)),
        Part("doctor.json", "what connect doctor finds; of texts only ours", lambda: list(_doctor(session))),
        *(
            Part(f"metrics/{name}.txt", f"metrics of {name}", lambda url=url: _metrics(url))  # type: ignore[misc]
            for name, url in metrics.items()
        ),
        *(
            Part(f"logs/{at}-{path.name}", f"the last {LINES} lines of {path.name}, words and figures of ours only",
                 lambda path=path: _log(path))  # type: ignore[misc]
            for at, path in enumerate(logs, 1)
        ),
    ]  # fmt: skip


def places_of_metrics(session: Session) -> dict[str, str]:
    """Where each service's metrics are: of a running `connect up` as it says, else the usual ports here."""
    told = (session.running or {}).get("metrics") if session.own.database_url is None else None
    return dict(told) if told else {name: f"http://127.0.0.1:{port}/metrics" for name, port in PORTS.items()}


def logs_of_up(session: Session) -> list[Path]:
    """Logs of a running `connect up`."""
    if session.own.database_url is not None or session.running is None:
        return []
    return sorted((Path(session.running["folder"]) / "logs").glob("*.log"))


def hidden(text: str) -> str:
    """Without addresses of mail, users in URLs, and whose home folder it is."""
    home = str(home_folder())
    text = text.replace(home, "~") if len(home) > 1 else text
    return _HIDDEN.sub(lambda found: "://•@" if found[0].startswith("://") else "•", text)


def _versions(session: Session) -> dict[str, Any]:
    found: dict[str, Any] = {
        "connect": VERSION, "python": sys.version.split()[0], "system": platform.platform(), "cpus": os.cpu_count(),
        "at": datetime.now(UTC), "packages": {one.name: one.version for one in sorted(distributions(), key=_name)},
    }  # fmt: skip
    try:
        with session.database(5.0) as conn:
            row = conn.execute("SELECT version(), pg_postmaster_start_time(), now()").fetchone()
        found["postgres"], found["postgres_since"], found["postgres_now"] = row or (None, None, None)
    except Exception as error:
        found["postgres"] = f"cannot be asked: {type(error).__name__}"
    return found


def _name(one: Any) -> str:
    return str(one.name).lower()


def _settings(session: Session) -> dict[str, Any]:
    given = session.settings
    shown = {}
    for name in Settings.model_fields:
        value = masked(getattr(given, name), name in BY_PATH)
        shown[PREFIX + name.upper()] = hidden(value.partition("?")[0]) if isinstance(value, str) else value
    return {"settings": shown, "unknown": unknown(session.environment)}


def _migrations(session: Session) -> dict[str, Any]:
    with session.database(5.0) as conn:
        rows = conn.execute("SELECT number, name, applied_at FROM schema_migrations ORDER BY number").fetchall()
        lacking = missing(conn)
    return {"applied": [dict(zip(("number", "name", "at"), row, strict=True)) for row in rows], "missing": lacking}


def _rows(session: Session, statement: str) -> Any:
    with session.database(10.0) as conn, conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement.encode(), {"settings": list(_SERVER_SETTINGS)}).fetchmany(5_000)


def _books(session: Session) -> Any:
    today = datetime.now(UTC).date()
    with session.database(10.0) as conn:
        return [accounting(conn, None, day) for day in (today, today - timedelta(days=1))]


def _queues(session: Session) -> Any:
    return [
        {"queue": one.name, "purpose": one.purpose, "missing": one.missing, "ready": one.ready,
         "consumers": one.consumers, "oldest_seconds": one.oldest}
        for one in queues(session.settings.broker())
    ]  # fmt: skip


def _doctor(session: Session) -> Iterator[dict[str, str]]:
    for one in examine(session):
        ours = one.name in _FINDINGS
        yield {"name": one.name, "level": one.level, "said": hidden(one.said) if ours else "…",
               "fix": hidden(one.fix) if ours else "…"}  # fmt: skip


def _metrics(url: str) -> str:
    kept: list[str] = []
    size = 0
    with (
        httpx2.Client(timeout=SCRAPE_SECONDS, trust_env=False) as client,
        client.stream("GET", url) as answer,
    ):
        answer.raise_for_status()
        for line in answer.iter_lines():
            size += len(line)
            if size > METRICS_BYTES:
                kept.append("# cut off here")
                break
            if _MEASURE.match(line):
                kept.append(line)
    return "\n".join(kept) + "\n"


def _log(path: Path) -> str:
    """Of lines in JSON the keys and values that are ours; other lines are counted only."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LOG_BYTES))
        lines = deque(file, LINES)
    kept, other = [], 0
    for line in lines:
        try:
            found = json.loads(line)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            other += 1
            continue
        kept.append(json.dumps({key: _ours(value) for key, value in found.items() if key in LOGGED}))
    if other:
        kept.append(json.dumps({"left_out": other, "why": "no JSON: set CONNECT_LOG_FORMAT=json"}))
    return "\n".join(kept) + "\n"


def _ours(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list):
        return [_ours(one) for one in value]
    if isinstance(value, dict):
        return {_ours(name): _ours(one) for name, one in value.items()}
    return value if isinstance(value, str) and _WORD.fullmatch(value) else "…"


_QUERIES = {
    "database": (
        "SELECT name AS setting, setting AS value FROM pg_settings WHERE name = ANY(%(settings)s)"
        " UNION ALL SELECT 'bytes', pg_database_size(current_database())::text"
        " UNION ALL SELECT 'in recovery', pg_is_in_recovery()::text"
        " UNION ALL SELECT 'standby ' || coalesce(state, '?'), coalesce(sync_state, '?') FROM pg_stat_replication"
    ),
    "tables": (
        "SELECT s.relname AS table, c.reltuples::bigint AS rows, s.n_live_tup AS live, s.n_dead_tup AS dead,"
        " pg_table_size(s.relid) AS bytes, pg_indexes_size(s.relid) AS index_bytes, s.seq_scan, s.idx_scan,"
        " s.last_autovacuum, s.last_autoanalyze, s.n_tup_ins, s.n_tup_upd, s.n_tup_del"
        " FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid ORDER BY pg_total_relation_size(s.relid) DESC"
    ),
    "sessions": (
        "SELECT CASE WHEN application_name ~ '^connect-' THEN application_name ELSE 'other' END AS name, state,"
        " wait_event_type, wait_event, count(*), max(now() - xact_start)::text AS longest_transaction"
        " FROM pg_stat_activity WHERE datname = current_database() GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC"
    ),
    "records": (
        "SELECT interface, flow, stage, state, code, test, count(*), min(due_at) AS due, max(updated_at) AS newest"
        " FROM records GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 7 DESC"
    ),
    "interfaces": (
        "SELECT i.slug, i.marketplace, i.erp, i.mode, i.from_date, s.side, s.breaker, s.failures, s.opened_at,"
        " s.retry_at, s.code, c.watermark, c.polled_at, c.ok_at, c.code AS poll_code FROM interfaces i"
        " LEFT JOIN side_states s ON s.interface = i.slug LEFT JOIN cursors c ON c.interface = i.slug ORDER BY 1, 6"
    ),
    "rejections": (
        "SELECT queue, event, interface, state, count(*), min(received_at) AS oldest, max(received_at) AS newest"
        " FROM (SELECT CASE WHEN queue ~ '^[a-z.-]+$' THEN queue ELSE '…' END AS queue,"
        "   CASE WHEN event ~ '^[a-z-]+$' THEN event ELSE '…' END AS event,"
        "   CASE WHEN interface IN (SELECT slug FROM interfaces) THEN interface ELSE '?' END AS interface, state,"
        "   received_at FROM rejections) r GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC"
    ),
    "archive": "SELECT no, month, state, records, rows, bytes, begun_at, done_at FROM archive_parts ORDER BY no",
}
