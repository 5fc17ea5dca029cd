"""`connect interfaces show`: one interface with settings and mappings. Added by `interfaces`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from services.cli.interface_modes import FLOW_SAYS, MODE_SAYS, standing
from services.cli.printing import Printer
from services.cli.session import Session
from shared.records.interfaces import read

Json = Annotated[bool, typer.Option("--json", help="one JSON document for programs")]
Slug = Annotated[str, typer.Argument(help="the interface's name, e.g. otto-de")]


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("show")(show)


def show(ctx: typer.Context, slug: Slug, as_json_: Json = False) -> None:
    """One interface: settings of both sides (credentials masked) and mappings."""
    session: Session = ctx.obj
    with session.database() as conn:
        session.known_interface(conn, slug)
        found = read(conn, session.seal, slug)
        flows = standing(conn, slug)["flows"]
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
    data |= {"flows": flows, "sides": sides, "mappings": {kind: dict(pairs) for kind, pairs in found.mappings.items()}}
    printer = Printer()
    if as_json_:
        printer.json(data)
        return
    printer.line((f"{found.slug}", "head"), f"  {found.title}  {MODE_SAYS[found.mode]}")
    for flow, mode in sorted(flows.items()):
        if mode != found.mode:
            printer.line(f"  {flow} is {FLOW_SAYS[mode]}")
    if found.from_date is not None:
        printer.line(f"  orders placed before {session.moment(found.from_date)} are skipped")
    for name, side in sides.items():
        printer.line(f"  {name}: {getattr(found, name)}, {side['calls_per_second']:g} calls a second")
        for setting, value in side["settings"].items():
            printer.line(f"    {setting} = {value}")
    for kind, pairs in sorted(found.mappings.items()):
        for source, target in sorted(pairs.items()):
            printer.line(f"  {kind}: {source} → {target}")
