"""`connect interfaces add`: a new interface, asked for on the terminal or out of a TOML file. Added by `interfaces`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from services.cli.entered import not_called, of_sides, print_remarks
from services.cli.guide import guided, on_terminal
from services.cli.interface_modes import MODE_SAYS
from services.cli.interface_ping import print_sides
from services.cli.interface_show import print_missing
from services.cli.interface_store import checked, read_file, store
from services.cli.pings import ping
from services.cli.printing import Printer
from services.cli.session import Session
from services.cli.trouble import USAGE, Trouble
from shared.connectors.registry import discover
from shared.records.filter import SLUG
from shared.records.interfaces import modes, read
from shared.records.masked import read_masked
from shared.runtime.gaps import gaps

Json = Annotated[bool, typer.Option("--json", help="one JSON document for programs")]
Slug = Annotated[str, typer.Argument(help="the interface's name, e.g. otto-de")]


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("add")(add)


def add(
    ctx: typer.Context,
    slug: Slug,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="TOML: title, [marketplace] and [erp] (see below); without, it is asked"),
    ] = None,
    as_json_: Json = False,
) -> None:
    """Add an interface, asked for system by system, or from a TOML file; it begins in test.

    On a terminal it asks and explains, and tests the connections at the end. `connect interfaces systems` lists all
    settings by system.

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
    printer, connectors = Printer(), discover()
    if file is None and (as_json_ or not sys.stdin.isatty()):
        raise Trouble(
            "There is no terminal to ask on: give --file. `connect interfaces export` writes one of an interface that"
            " is there, `connect interfaces systems` lists the settings by system.",
            USAGE,
        )
    with session.database() as conn:
        if slug in modes(conn):
            raise Trouble(f"There is an interface “{slug}” already: choose another name.")
    seal = session.seal  # before anybody types much

    def say(url: str) -> str:
        return not_called(url, session.settings.networks(), session.language)

    document = guided(slug, connectors, on_terminal, printer, say) if file is None else read_file(file)
    wanted = checked(document, None, connectors)
    whole = wanted.with_secrets(wanted.secrets)
    with session.database() as conn:
        store(conn, seal, slug, whole, None, session.actor)
    remarks = [] if file is None else of_sides(whole.sides, say)
    if as_json_:
        printer.json({"slug": slug, "mode": "test", "remarks": remarks})
        return
    printer.line(f"{slug} is added, {MODE_SAYS['test']}.")
    if file is None:
        _look(session, slug, printer)
    print_remarks(printer, remarks)
    printer.line(f"Next: `connect interfaces ping {slug}`, `connect interfaces show {slug}`.")


def _look(session: Session, slug: str, printer: Printer) -> None:
    """Test the connections, and say what is missing."""
    with session.database() as conn:
        found, masked = read(conn, session.seal, slug), read_masked(conn, slug)
        assert found is not None
        assert masked is not None
        missing = gaps(conn, masked, discover())
    printer.line("Testing the connections:")
    print_sides(printer, ping(found, session.settings.networks(), session.language))
    print_missing(printer, missing)
