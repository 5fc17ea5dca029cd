"""`connect interfaces show`: one interface with settings, mappings and what is missing. Added by `interfaces`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from services.cli.interface_modes import FLOW_SAYS, MODE_SAYS, standing
from services.cli.printing import Printer
from services.cli.session import Session
from shared.connectors.registry import discover
from shared.records.masked import MASK, Masked, read_masked
from shared.runtime.gaps import Gap, gaps

Json = Annotated[bool, typer.Option("--json", help="one JSON document for programs")]
Slug = Annotated[str, typer.Argument(help="the interface's name, e.g. otto-de")]


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("show")(show)


def show(ctx: typer.Context, slug: Slug, as_json_: Json = False) -> None:
    """One interface: settings of both sides (credentials masked), mappings, and what is missing."""
    session: Session = ctx.obj
    with session.database() as conn:
        session.known_interface(conn, slug)
        found = read_masked(conn, slug)
        assert found is not None
        missing = gaps(conn, found, discover())
        stands = standing(conn, slug)
    printer = Printer()
    if as_json_:
        printer.json({**found.as_json(), "flows": stands["flows"], "missing": [gap.as_json() for gap in missing]})
        return
    _print(printer, session, found, stands)
    print_missing(printer, missing)


def _print(printer: Printer, session: Session, found: Masked, stands: Mapping[str, Any]) -> None:
    printer.line((f"{found.slug}", "head"), f"  {found.title}  {MODE_SAYS[found.mode]}")
    for flow, mode in sorted(stands["flows"].items()):
        if mode != stands["mode"]:
            printer.line(f"  {flow} is {FLOW_SAYS[mode]}")
    if stands["from_date"] is not None:
        printer.line(f"  orders placed before {session.moment(stands['from_date'])} are skipped")
    for name, side in found.sides.items():
        printer.line(f"  {name}: {side.connector}, {side.calls_per_second:g} calls a second")
        for setting, value in [*side.settings.items(), *dict.fromkeys(side.secrets, MASK).items()]:
            printer.line(f"    {setting} = {value}")
    for kind, pairs in found.mappings.items():
        for source, target in pairs.items():
            printer.line(f"  {kind}: {source} → {target}")
    for one in found.return_numbers:
        printer.line(f"  return numbers of {one['carrier']}: {one['free']} left")


def print_missing(printer: Printer, missing: list[Gap]) -> None:
    """What is missing, each with the command; nothing where nothing is."""
    if not missing:
        printer.line(("Nothing is missing.", "ok"))
        return
    printer.line(("Missing:", "head"))
    for gap in missing:
        name = gap.kind if not gap.source else f"{gap.kind} {gap.source}"
        waits = f"{gap.records} records wait for it" if gap.records else ""
        about = "; ".join(part for part in (waits, gap.about) if part)
        printer.line("  ", (name, "wrong" if gap.always else "remark"), f"  {about}")
        printer.line(f"      {gap.command}")
