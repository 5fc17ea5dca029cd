"""What `connect doctor` looks at, one after the other: settings, database, clock, broker, services, interfaces, work.

Each look is a function that yields findings and never raises; what cannot be looked at is a finding as well.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

import httpx2

from services.cli import rights, transport
from services.cli.credentials import use_of_keys
from services.cli.pings import ping
from services.cli.session import Session
from services.cli.trouble import say
from services.cli.up.launches import runnable
from shared.broker.address import parse
from shared.broker.apply import check as check_topology
from shared.connectors.registry import discover
from shared.db.connect import Connection
from shared.db.migrate import pending
from shared.people.tokens import ending_tokens
from shared.records.books import accounting
from shared.records.credentials import stored
from shared.records.interfaces import modes, read
from shared.records.masked import read_masked
from shared.records.modes import standings
from shared.records.overview import rejections_open
from shared.records.overview import services as connected
from shared.runtime.gaps import gaps
from shared.seal import UNNAMED, SealError
from shared.settings import unknown

CLOCK_SECONDS = 2.0
OVERDUE_MINUTES = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """One look. level: ok, remark (worth a look) or wrong; fix: the next step, empty where there is none."""

    name: str
    level: Literal["ok", "remark", "wrong"]
    said: str
    fix: str = ""

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


def examine(session: Session) -> Iterator[Finding]:
    """Every look, in the order in which one thing needs the other."""
    if not (yield from _tried("settings", lambda: _settings(session))):
        return
    database = yield from _tried("database", lambda: _database(session))
    yield from _tried("broker", lambda: _broker(session))
    yield from _tried("transport", lambda: _transport(session))
    if database:
        for name, look in (
            ("services", _services),
            ("rights", _rights),
            ("secrets", _secrets),
            ("tokens", _tokens),
            ("interfaces", _interfaces),
            ("work", _work),
        ):
            yield from _tried(name, partial(_with_database, session, look))


def _tried(name: str, look: Callable[[], Iterator[Finding]]) -> Generator[Finding, None, bool]:
    """Pass the findings on; returns whether nothing was wrong."""
    well = True
    try:
        for finding in look():
            well = well and finding.level != "wrong"
            yield finding
    except Exception as error:
        yield Finding(name, "wrong", say(error)[0])
        return False
    return well


def _settings(session: Session) -> Iterator[Finding]:
    settings = session.settings
    borrowed = session.own.database_url is None and session.running is not None
    said = (
        f"those of the `connect up` in {session.running['folder']}" if borrowed and session.running else "can be read"
    )
    yield Finding("settings", "ok", said)
    for name in unknown(session.environment):
        yield Finding(
            "settings", "remark", f"{name} is no setting of Connect.", "Is it misspelt? `connect config show`"
        )
    for name in settings.development_secrets():
        yield Finding(
            "settings", "remark", f"{name} is the one that compose has for development: everybody knows it.",
            "Set one of your own before real orders pass: docs/operations.md",
        )  # fmt: skip
    if settings.secret_key is None:
        yield Finding(
            "settings", "wrong", "CONNECT_SECRET_KEY is not set; credentials cannot be opened.",
            "Set it, or CONNECT_SECRET_KEY_FILE, to the text the services use.",
        )  # fmt: skip


def _database(session: Session) -> Iterator[Finding]:
    url = session.settings.database()
    with session.database(10.0) as conn:
        before = datetime.now(UTC)
        row = conn.execute("SELECT current_setting('server_version'), clock_timestamp()").fetchone()
        middle = before + (datetime.now(UTC) - before) / 2
    assert row is not None
    yield Finding("database", "ok", f"PostgreSQL {row[0].split()[0]} answers")
    offset = abs((row[1] - middle).total_seconds())
    if offset > CLOCK_SECONDS:
        yield Finding(
            "clock", "remark", f"This machine's clock and the database's differ by {offset:.0f} s.",
            "Let both follow a time server; events from the future are refused.",
        )  # fmt: skip
    missing = pending(url)
    if missing:
        yield Finding("database", "wrong", f"The schema lacks {', '.join(missing)}.", "connect migrate")
    else:
        yield Finding("database", "ok", "the schema is that of this release")


def _broker(session: Session) -> Iterator[Finding]:
    url = session.settings.broker()
    problems = check_topology(url)
    if parse(url).user == "guest":
        yield Finding(
            "broker", "remark", "CONNECT_AMQP_URL logs in as guest, whom everybody knows.",
            "connect topology users, then name <vhost>-services",
        )  # fmt: skip
    for problem in problems:
        yield Finding("broker", "wrong", problem, "connect topology apply")
    if not problems:
        yield Finding("broker", "ok", "answers and has every queue")


def _transport(session: Session) -> Iterator[Finding]:
    given = session.settings, session.environment
    remarks = [
        *transport.pages(session.settings),
        *transport.unprotected(*given),
        *transport.certificates(*given, transport.today()),
    ]
    for remark in remarks:
        yield Finding("transport", "wrong" if remark.wrong else "remark", remark.said, remark.fix)
    if not remarks:
        yield Finding("transport", "ok", "nothing leaves this machine unprotected")


def _rights(_session: Session, conn: Connection) -> Iterator[Finding]:
    for name, too_much in rights.roles_of_services(conn):
        if too_much:
            yield Finding(
                "rights", "remark", f"services work as {name}, who may change the schema and the audit.",
                "connect db roles, then name <database>_services in their CONNECT_DATABASE_URL: docs/operations.md",
            )  # fmt: skip
        else:
            yield Finding("rights", "ok", f"services work as {name}, who may not change the schema")


def _with_database(session: Session, look: Callable[[Session, Connection], Iterator[Finding]]) -> Iterator[Finding]:
    with session.database(10.0) as conn:
        yield from look(session, conn)


def _services(session: Session, conn: Connection) -> Iterator[Finding]:
    told: dict[str, str] = (session.running or {}).get("metrics", {}) if session.own.database_url is None else {}
    there = {one["name"] for one in connected(conn)}
    for name in runnable():
        url = told.get(name, f"http://127.0.0.1:{session.settings.port_of(name)}/metrics").replace(
            "/metrics", "/readyz"
        )
        try:
            answer = httpx2.get(url, timeout=5.0, trust_env=False)
            said = answer.json()
            if said.get("service", name) != name:
                raise ValueError("another service's port")
            problems = said.get("problems") or {}
        except (httpx2.HTTPError, ValueError, AttributeError):
            if name in there:
                yield Finding(name, "ok", "runs: it is connected to the database")
            else:
                yield Finding(name, "wrong", f"does not run: nobody answers at {url}.", f"connect serve {name}")
            continue
        if problems:
            said = "; ".join(f"{what}: {why}" for what, why in problems.items())
            yield Finding(name, "wrong", f"runs and is not ready ({said}).", "Mend that; it goes on by itself.")
        else:
            yield Finding(name, "ok", "runs and is ready")


def _secrets(session: Session, conn: Connection) -> Iterator[Finding]:
    if session.settings.secret_key is None:
        return
    for one in use_of_keys(session.seal, stored(conn)):
        key = f"the key {one['key']}" if one["key"] != UNNAMED else "a key of an earlier release"
        said = f"{key} seals {one['secrets']} secrets"
        if one["held"] is False:
            yield Finding(
                "secrets", "wrong", f"{said}, and CONNECT_SECRET_KEY does not hold it.",
                "Add it as a further line there, or enter these secrets again with `connect interfaces set`.",
            )  # fmt: skip
        elif one["seals"]:
            yield Finding("secrets", "ok", said)
        elif one["secrets"]:
            yield Finding("secrets", "remark", f"{said} and is not the newest.", "connect secrets rotate")
        else:
            yield Finding(
                "secrets", "remark", f"{key} seals nothing any more.", "Take its line out of CONNECT_SECRET_KEY."
            )


def _tokens(session: Session, conn: Connection) -> Iterator[Finding]:
    del session
    for name, left in ending_tokens(conn):
        said = f"the token {name} ended {-left} days ago." if left < 0 else f"the token {name} ends in {left} days."
        fix = "connect tokens create … for whoever uses it, then connect tokens revoke it"
        yield Finding("tokens", "wrong" if left < 0 else "remark", said, fix)


def _interfaces(session: Session, conn: Connection) -> Iterator[Finding]:
    known = modes(conn)
    if not known:
        yield Finding("interfaces", "remark", "There is none yet.", "connect interfaces add --help")
        return
    seal = session.seal
    for slug, mode in sorted(known.items()):
        if mode != "live":
            said = "is in test" if mode == "test" else "is paused"
            yield Finding(slug, "remark", f"{said}, nothing goes on by itself.", f"connect interfaces live {slug}")
        for flow, own in sorted(standings(conn)[slug].flows.items()):
            if mode == "live" and own != mode:
                fix = f"connect interfaces live {slug} --flow {flow}"
                yield Finding(slug, "remark", f"{flow} is {'in test' if own == 'test' else own}.", fix)
        try:
            interface = read(conn, seal, slug)
        except SealError as error:
            yield Finding(slug, "wrong", str(error), f"connect secrets list, then connect interfaces set {slug} …")
            continue
        masked = read_masked(conn, slug)
        if interface is None or masked is None:
            continue
        if missing := [gap for gap in gaps(conn, masked, discover()) if gap.always]:
            named = ", ".join(f"{gap.kind} {gap.source}".strip() for gap in missing[:5])
            yield Finding(slug, "remark", f"lacks {len(missing)}: {named}", f"connect interfaces show {slug}")
        for side, answer in ping(interface, session.settings.networks(), session.language).items():
            if answer["ok"]:
                yield Finding(slug, "ok", f"{side} ({answer['system']}) answers")
            else:
                level: Literal["wrong", "remark"] = "wrong" if mode == "live" else "remark"
                yield Finding(slug, level, f"{side}: {answer['problem']}", answer["fix"] or "")


def _work(session: Session, conn: Connection) -> Iterator[Finding]:
    rows = conn.execute(
        "SELECT r.interface, count(*), min(r.due_at) FROM records r"
        " JOIN flow_modes m ON m.interface = r.interface AND m.flow = r.flow AND m.mode = 'live'"
        " WHERE r.due_at < now() - make_interval(mins => %s)"
        " AND NOT EXISTS (SELECT FROM side_states s WHERE s.interface = r.interface AND s.breaker <> 'closed')"
        " GROUP BY r.interface ORDER BY r.interface",
        (OVERDUE_MINUTES,),
    ).fetchall()
    for interface, count, since in rows:
        yield Finding(
            "work", "wrong", f"{count} records of {interface}, due since {session.moment(since)}, are not taken.",
            "Does the importer run? `connect serve importer`",
        )  # fmt: skip
    failed = conn.execute("SELECT count(*) FROM records WHERE state = 'failed' AND NOT test").fetchone()
    if failed and failed[0]:
        yield Finding(
            "work",
            "remark",
            f"{failed[0]} records need a person.",
            "connect orders list --filter 'state:failed test:no'",
        )
    if refused := rejections_open(conn):
        yield Finding("work", "remark", f"{refused} inputs were refused.", "connect rejections list")
    if not rows:
        yield Finding("work", "ok", "nothing is overdue")
    books = accounting(conn, None, datetime.now(UTC).date())
    if books["balanced"]:
        yield Finding("books", "ok", "today's balance")
    for book in books["books"]:
        for remainder in book["remainders"]:
            yield Finding("books", "wrong", f"{book['interface']}: {remainder['sentence']}", "connect accounting")
