"""`connect interfaces set`: change settings of one side; what waited for them goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from services.cli.entered import not_called, of_sides, print_remarks
from services.cli.printing import Printer
from services.cli.session import Session
from services.cli.sides import new_side
from services.cli.trouble import USAGE, Trouble
from shared.connectors.registry import discover
from shared.people.audit import audit
from shared.records.interfaces import NewSide, read, save_side


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("set")(set_)


def set_(
    ctx: typer.Context,
    slug: Annotated[str, typer.Argument(help="the interface's name, e.g. otto-de")],
    side: Annotated[Literal["marketplace", "erp"], typer.Argument(help="whose settings")],
    settings: Annotated[list[str], typer.Argument(help="NAME=VALUE, a list as JSON; a secret from a file: NAME=@FILE")],
    as_json_: Annotated[bool, typer.Option("--json", help="one JSON document for programs")] = False,
) -> None:
    """Change settings of one side; those that are not named stay. `connect interfaces systems` lists them by system.

    \b
    connect interfaces set otto-de marketplace ship_from_city=Hamburg ship_from_zip=22179
    connect interfaces set otto-de erp token=@/run/secrets/erp-token calls_per_second=1.6
    """
    session: Session = ctx.obj
    given = dict(_pair(text) for text in settings)
    with session.database() as conn, conn.transaction():
        session.known_interface(conn, slug)
        interface = read(conn, session.seal, slug)
        assert interface is not None
        old = interface.sides[side]
        table = {
            "connector": interface.marketplace if side == "marketplace" else interface.erp,
            "calls_per_second": old.calls_per_second,
            "calls_at_once": old.calls_at_once,
            **old.settings,
            **old.secrets,
            **given,
        }
        new = new_side(side, table, discover())
        save_side(conn, session.seal, slug, side, new)
        audit(conn, session.actor, "interfaces.set", {"interface": slug, "side": side, "names": sorted(given)})
    entered: dict[str, NewSide] = {side: new} if "base_url" in given else {}
    remarks = of_sides(entered, lambda url: not_called(url, session.settings.networks(), session.language))
    printer = Printer()
    if as_json_:
        printer.json({"interface": slug, "side": side, "changed": sorted(given), "remarks": remarks})
        return
    print_remarks(printer, remarks)
    printer.line(f"{', '.join(sorted(given))} changed. Next: `connect interfaces ping {slug}`.")


def _pair(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not name.strip() or not equals:
        raise Trouble(f"“{name}” has no value: write NAME=VALUE.", USAGE)
    if value.startswith("@"):
        try:
            value = Path(value[1:]).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise Trouble(f"{value[1:]} cannot be read: {error.strerror}.", USAGE) from None
    if value[:1] in "[{" and value:
        try:
            return name.strip(), json.loads(value)
        except ValueError:
            raise Trouble(f"The value of {name} is no JSON list or object: {value[:60]}", USAGE) from None
    return name.strip(), value
