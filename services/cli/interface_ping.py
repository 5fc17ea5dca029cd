"""`connect interfaces ping`: whether both remote systems answer and accept our credentials. Added by `interfaces`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from services.cli.pings import ping as ping_sides
from services.cli.printing import Printer
from services.cli.session import Session
from shared.records.interfaces import read

Json = Annotated[bool, typer.Option("--json", help="one JSON document for programs")]
Slug = Annotated[str, typer.Argument(help="the interface's name, e.g. otto-de")]


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("ping")(ping)


def ping(ctx: typer.Context, slug: Slug, as_json_: Json = False) -> None:
    """Ask both remote systems whether they answer and accept our credentials; changes nothing."""
    session: Session = ctx.obj
    tell(session, slug, as_json_)


def tell(session: Session, slug: str, as_json: bool) -> None:
    """Ping and print. Exits with 1 unless both sides are well."""
    with session.database() as conn:
        session.known_interface(conn, slug)
        found = read(conn, session.seal, slug)
    assert found is not None
    sides = ping_sides(found, session.settings.networks(), session.language)
    printer = Printer()
    if as_json:
        printer.json({"slug": slug, "mode": found.mode, "sides": sides})
    else:
        print_sides(printer, sides)
    if not all(side["ok"] for side in sides.values()):
        raise typer.Exit(1)


def print_sides(printer: Printer, sides: Mapping[str, Mapping[str, Any]]) -> None:
    """Every check of both sides, as `pings.ping` answers them."""
    for name, side in sides.items():
        printer.line(f"  {name} ({side['system']})" + ("" if side["checks"] else f": {side['problem']} {side['fix']}"))
        for check in side["checks"]:
            _print_check(printer, check, side["ok"])


def _print_check(printer: Printer, check: dict[str, Any], side_well: bool) -> None:
    """One line for what goes through, else what is wrong and how to fix it. side_well: the rest of its side works."""
    if check["ok"]:
        printer.line("    ", (check["name"], "faint"), "  ", ("goes through", "ok"))
        return
    printer.line("    ", (check["name"], "faint"), "  ", (check["problem"], "remark" if side_well else "wrong"))
    printer.line(f"        → {check['fix']}")
