"""`connect interfaces`: the configured pairs of marketplace and ERP, their mode and their mappings."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer
from psycopg.errors import UniqueViolation

from services.cli import interface_flows, interface_settings
from services.cli.pings import ping as ping_sides
from services.cli.printing import Printer
from services.cli.session import Session
from services.cli.sides import described, new_side
from services.cli.trouble import USAGE, Trouble
from services.cli.webhooks import address as webhook_address
from services.cli.webhooks import register
from shared.connectors.contract import RemoteError
from shared.connectors.registry import discover
from shared.errors.catalogue import explain
from shared.errors.problem import Problem
from shared.people.audit import audit
from shared.records.filter import SLUG
from shared.records.interfaces import MODES, add_interface, read, save_mapping, set_mode
from shared.records.overview import interfaces as overview

app = typer.Typer(help="Interfaces: one marketplace account and one ERP account each.")
interface_flows.add_to(app)
interface_settings.add_to(app)

Json = Annotated[bool, typer.Option("--json", help="one JSON document for programs")]
Slug = Annotated[str, typer.Argument(help="the interface's name, e.g. otto-de")]
MODE_SAYS = {
    "test": "in test: events are taken in, nothing is sent unless a person asks for it",
    "live": "live: orders go on by themselves",
    "paused": "paused: events are taken in, nothing is sent",
}


@app.command("list")
def list_(ctx: typer.Context, as_json_: Json = False) -> None:
    """Every interface with its mode, its last poll, and whether calls go through."""
    session: Session = ctx.obj
    with session.database() as conn:
        found = overview(conn)
    printer = Printer()
    if as_json_:
        printer.json({"items": found})
    elif not found:
        printer.line("There is no interface yet: `connect interfaces add --help` shows how to add one.")
    else:
        rows = []
        for one in found:
            closed = [side for side, state in one["sides"].items() if state["breaker"] != "closed"]
            calls = f"{', '.join(closed)} does not answer" if closed else "go through"
            polled = session.moment(one["polled_at"])
            rows.append((one["slug"], one["mode"], one["marketplace"], one["erp"], polled, calls))
        printer.table(("interface", "mode", "marketplace", "ERP", "last poll", "calls"), rows)


@app.command()
def show(ctx: typer.Context, slug: Slug, as_json_: Json = False) -> None:
    """One interface: settings of both sides (credentials masked) and mappings."""
    session: Session = ctx.obj
    with session.database() as conn:
        session.known_interface(conn, slug)
        found = read(conn, session.seal, slug)
    assert found is not None
    sides: dict[str, dict[str, Any]] = {
        name: {
            "settings": {**side.settings, **dict.fromkeys(side.secrets, "••••••••")},
            "calls_per_second": side.calls_per_second,
            "calls_at_once": side.calls_at_once,
        }
        for name, side in found.sides.items()
    }
    names = (
        "slug", "title", "marketplace", "erp", "mode", "from_date", "poll_seconds", "reread_seconds", "revision",
        "cancels",
    )  # fmt: skip
    data = {name: getattr(found, name) for name in names}
    data |= {"sides": sides, "mappings": {kind: dict(pairs) for kind, pairs in found.mappings.items()}}
    printer = Printer()
    if as_json_:
        printer.json(data)
        return
    printer.line((f"{found.slug}", "head"), f"  {found.title}  {MODE_SAYS[found.mode]}")
    for name, side in sides.items():
        printer.line(f"  {name}: {getattr(found, name)}, {side['calls_per_second']:g} calls a second")
        for setting, value in side["settings"].items():
            printer.line(f"    {setting} = {value}")
    for kind, pairs in sorted(found.mappings.items()):
        for source, target in sorted(pairs.items()):
            printer.line(f"  {kind}: {source} → {target}")


@app.command()
def add(
    ctx: typer.Context,
    slug: Slug,
    file: Annotated[Path, typer.Option("--file", help="TOML: title, [marketplace] and [erp] (see below)")],
    as_json_: Json = False,
) -> None:
    """Add an interface from a TOML file; it begins in test. `connect interfaces systems` lists settings by system.

    \b
    title = "Shirts in Germany"
    [marketplace]
    connector = "…"
    client_id = "…"
    client_secret = "…"
    [erp]
    connector = "…"
    base_url = "https://erp.example.org"
    token = "…"
    calls_per_second = 5
    [mappings.payment]
    INVOICE_SINGLE = "2"
    """
    session: Session = ctx.obj
    if not SLUG.fullmatch(slug):
        raise Trouble(f"“{slug}” cannot be a name: use small letters, digits and -, e.g. otto-de.", USAGE)
    try:
        given = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Trouble(f"{file} is not TOML: {error}.", USAGE) from None
    connectors = discover()
    sides = {name: new_side(name, given.get(name), connectors) for name in ("marketplace", "erp")}
    with session.database() as conn, conn.transaction():
        try:
            add_interface(
                conn,
                session.seal,
                slug=slug,
                title=str(given.get("title") or slug),
                marketplace=given["marketplace"]["connector"],
                erp=given["erp"]["connector"],
                marketplace_side=sides["marketplace"],
                erp_side=sides["erp"],
                poll_seconds=int(given.get("poll_seconds", 900)),
            )
        except UniqueViolation:
            raise Trouble(f"There is an interface “{slug}” already: choose another name.") from None
        for kind, pairs in (given.get("mappings") or {}).items():
            for source, target in pairs.items():
                save_mapping(conn, slug, str(kind), str(source), str(target), session.actor)
        audit(conn, session.actor, "interfaces.add", {"interface": slug})
    if as_json_:
        Printer().json({"slug": slug, "mode": "test"})
    else:
        Printer().line(f"{slug} is added, {MODE_SAYS['test']}. Next: `connect interfaces ping {slug}`.")


@app.command()
def systems(as_json_: Json = False) -> None:
    """The remote systems that Connect knows, and the settings that each wants of an interface."""
    found = [described(connector) for connector in discover().values()]
    printer = Printer()
    if as_json_:
        printer.json({"items": found})
        return
    for one in found:
        printer.line((one["connector"], "head"), f"  {one['title']}, {' and '.join(one['sides'])}")
        for setting in one["settings"]:
            what = [word for word in ("required", "secret") if setting[word]]
            printer.line(f"    {setting['name']}" + (f" ({', '.join(what)})" if what else ""))


@app.command("map")
def map_(
    ctx: typer.Context,
    slug: Slug,
    kind: Annotated[str, typer.Argument(help="payment, shipping, tax, carrier or setting")],
    source: Annotated[str, typer.Argument(help="the marketplace's word, e.g. PAYPAL")],
    target: Annotated[str, typer.Argument(help="the ERP's, e.g. 3")],
    as_json_: Json = False,
) -> None:
    """Save a mapping; orders that waited for it go on by themselves.

    connect interfaces map otto-de payment PAYPAL 3
    """
    session: Session = ctx.obj
    with session.database() as conn, conn.transaction():
        session.known_interface(conn, slug)
        save_mapping(conn, slug, kind, source, target, session.actor)
        audit(conn, session.actor, "interfaces.map", {"interface": slug, "kind": kind, "source": source})
    if as_json_:
        Printer().json({"interface": slug, "kind": kind, "source": source, "target": target})
    else:
        Printer().line(f"{kind} {source} is now {target}; orders that waited for it go on.")


@app.command()
def ping(ctx: typer.Context, slug: Slug, as_json_: Json = False) -> None:
    """Ask both remote systems whether they answer and accept our credentials; changes nothing."""
    session: Session = ctx.obj
    _ping(session, slug, as_json_, {})


@app.command()
def webhook(
    ctx: typer.Context,
    slug: Slug,
    journal: Annotated[str | None, typer.Option("--journal", help="how the ERP reaches the Journal")] = None,
    as_json_: Json = False,
) -> None:
    """Have the ERP call us when something changes there. Without --journal at CONNECT_BASE_URL; may be repeated."""
    session: Session = ctx.obj
    with session.database() as conn:
        session.known_interface(conn, slug)
        found = read(conn, session.seal, slug)
        assert found is not None
        url = webhook_address(journal or str(session.settings.base_url), slug)
        try:
            register(found, url)
        except ValueError as error:
            raise Trouble(f"The ERP of {slug} cannot be told: {error}.") from None
        except RemoteError as error:
            values = {"system": found.erp, "detail": error.detail}
            said = explain(Problem(str(error.reason), values=values), session.language)
            raise Trouble(f"{said.title} {said.cause}") from None
        audit(conn, session.actor, "interfaces.webhook", {"interface": slug, "url": url})
    if as_json_:
        Printer().json({"slug": slug, "url": url})
    else:
        Printer().line(f"{found.erp} calls {url} from now on.")


@app.command("test")
def switch_to_test(ctx: typer.Context, slug: Slug, as_json_: Json = False) -> None:
    """Switch to test, where only what a person asks for is sent, and ask both remote systems whether they answer."""
    session: Session = ctx.obj
    _ping(session, slug, as_json_, _switch(session, slug, "test"))


@app.command()
def live(ctx: typer.Context, slug: Slug, as_json_: Json = False) -> None:
    """Switch to live: orders go on by themselves, the marketplace is polled."""
    _said(_switch(ctx.obj, slug, "live"), as_json_)


@app.command()
def pause(ctx: typer.Context, slug: Slug, as_json_: Json = False) -> None:
    """Pause: events are still taken in, nothing is sent."""
    _said(_switch(ctx.obj, slug, "paused"), as_json_)


def _switch(session: Session, slug: str, mode: str) -> dict[str, Any]:
    assert mode in MODES
    with session.database() as conn, conn.transaction():
        session.known_interface(conn, slug)
        set_mode(conn, slug, mode)
        audit(conn, session.actor, "interfaces.mode", {"interface": slug, "mode": mode})
    return {"slug": slug, "mode": mode}


def _said(data: dict[str, Any], as_json: bool) -> None:
    if as_json:
        Printer().json(data)
    else:
        Printer().line(f"{data['slug']} is {MODE_SAYS[data['mode']]}.")


def _ping(session: Session, slug: str, as_json: bool, data: dict[str, Any]) -> None:
    with session.database() as conn:
        session.known_interface(conn, slug)
        found = read(conn, session.seal, slug)
    assert found is not None
    sides = ping_sides(found, session.language)
    printer = Printer()
    if as_json:
        printer.json({"slug": slug, "mode": found.mode, "sides": sides})
    else:
        if data:
            _said(data, False)
        for name, side in sides.items():
            said = ("answers", "ok") if side["ok"] else (f"{side['problem']} {side['fix']}", "wrong")
            printer.line(f"  {name} ({side['system']}): ", said)
    if not all(side["ok"] for side in sides.values()):
        raise typer.Exit(1)
