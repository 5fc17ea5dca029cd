"""`connect up`, `connect serve`, `connect migrate`: what starts Connect, or prepares its database."""

from __future__ import annotations

import importlib.util
import os
from typing import Annotated

import typer

from services.cli.printing import Printer
from services.cli.session import Session
from services.cli.trouble import USAGE, Trouble
from services.cli.up.launches import module, python_path
from services.cli.up.run import BROKERS
from services.cli.up.run import up as run_up
from shared.db.migrate import migrate as run_migrations
from shared.settings import SERVICES, environment


def add_to(app: typer.Typer) -> None:
    """Add the three commands."""
    app.command("up")(up)
    app.command("serve")(serve)
    app.command("migrate")(migrate)


def up(
    ctx: typer.Context,
    demo: Annotated[
        bool, typer.Option("--demo", help="with stand-ins of a marketplace and an ERP, and orders")
    ] = False,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="of the Journal; 0 takes any that is free")] = None,
    broker: Annotated[str, typer.Option(help=f"embedded broker: {' or '.join(BROKERS)}")] = BROKERS[0],
    as_json_: Annotated[bool, typer.Option("--json", help="print what runs as one line of JSON")] = False,
) -> None:
    """Start everything on this machine and look after it until Ctrl-C; what is not configured is embedded.

    \b
    connect up --demo
    CONNECT_AMQP_URL=amqp://… CONNECT_DATABASE_URL=postgresql://… connect up
    """
    session: Session = ctx.obj
    settings = session.own
    raise typer.Exit(run_up(settings, demo, settings.port if port is None else port, as_json_, broker))


def serve(
    service: Annotated[str, typer.Argument(help=", ".join(SERVICES))],
) -> None:
    """Run one service in this process, as a container does. SIGTERM lets it finish what it holds.

    connect serve importer
    """
    if service not in SERVICES:
        raise Trouble(f"There is no service “{service}”: it is one of {', '.join(SERVICES)}.", USAGE)
    if importlib.util.find_spec(f"services.{service}.__main__") is None:
        raise Trouble(f"The service {service} comes with a later release; this one has none.", USAGE)
    # The service takes this process over, so that signals reach it and nothing stands in between.
    command = module(f"services.{service}")
    os.execve(command[0], command, python_path(environment()))  # noqa: S606


def migrate(
    ctx: typer.Context, as_json_: Annotated[bool, typer.Option("--json", help="one JSON document for programs")] = False
) -> None:
    """Bring the database's schema up to date. Running it again changes nothing."""
    session: Session = ctx.obj
    applied = run_migrations(session.settings.database())
    printer = Printer()
    if as_json_:
        printer.json({"applied": applied})
    else:
        printer.line(f"Applied {', '.join(applied)}." if applied else "The schema is up to date.")
