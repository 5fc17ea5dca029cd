"""`connect interfaces`: the configured pairs of marketplace and ERP. Puts the group together; long verbs have files."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli import (
    interface_add,
    interface_export,
    interface_flows,
    interface_mappings,
    interface_modes,
    interface_ping,
    interface_rehearsal,
    interface_settings,
    interface_show,
)
from services.cli.interface_modes import flows_apart
from services.cli.printing import Printer
from services.cli.session import Session
from services.cli.sides import described
from services.cli.trouble import Trouble
from services.cli.webhooks import address as webhook_address
from services.cli.webhooks import register
from shared.connectors.contract import RemoteError
from shared.connectors.registry import discover
from shared.errors.catalogue import explain
from shared.errors.problem import Problem
from shared.people.audit import audit
from shared.records.interfaces import read
from shared.records.overview import interfaces as overview

app = typer.Typer(help="Interfaces: one marketplace account and one ERP account each.")
for part in (
    interface_show,
    interface_add,
    interface_export,
    interface_settings,
    interface_mappings,
    interface_ping,
    interface_modes,
    interface_rehearsal,
    interface_flows,
):
    part.add_to(app)

Json = Annotated[bool, typer.Option("--json", help="one JSON document for programs")]
Slug = Annotated[str, typer.Argument(help="the interface's name, e.g. otto-de")]


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
            apart = flows_apart(one["mode"], one["flows"])
            mode = f"{one['mode']} ({apart})" if apart else one["mode"]
            rows.append((one["slug"], mode, one["marketplace"], one["erp"], polled, calls))
        printer.table(("interface", "mode", "marketplace", "ERP", "last poll", "calls"), rows)


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
            what += [f"default {setting['default']}"] if setting["default"] else []
            printer.line(
                f"    {setting['name']}", (f" ({', '.join(what)})" if what else "", "faint"), f"  {setting['about']}"
            )
        for need in one["mappings"]:
            printer.line(f"    mapping {need['kind']} {need['source']}".rstrip(), f"  {need['about']}")


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
            register(found, url, session.settings.networks())
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
