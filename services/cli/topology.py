"""`connect topology`: makes the exchanges and queues of Connect in the broker, or says what differs; its users, too."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli import topology_users
from services.cli.printing import Printer
from services.cli.session import Session
from shared.broker.apply import apply as apply_topology
from shared.broker.apply import check as check_topology

app = typer.Typer(help="The broker's exchanges, queues and users.")

topology_users.add_to(app)

Json = Annotated[bool, typer.Option("--json", help="one JSON document for programs")]


@app.command()
def apply(ctx: typer.Context, as_json_: Json = False) -> None:
    """Make what is missing. Running it again changes nothing."""
    session: Session = ctx.obj
    url = session.settings.broker()
    apply_topology(url)
    problems = check_topology(url)
    _say(problems, as_json_, "The broker has everything that Connect needs.")


@app.command()
def check(ctx: typer.Context, as_json_: Json = False) -> None:
    """Say what is missing or different, change nothing. Exit 1 when something is."""
    session: Session = ctx.obj
    _say(check_topology(session.settings.broker()), as_json_, "The broker has everything that Connect needs.")


def _say(problems: list[str], as_json: bool, well: str) -> None:
    printer = Printer()
    if as_json:
        printer.json({"ok": not problems, "problems": problems})
    elif problems:
        for problem in problems:
            printer.line((problem, "wrong"))
        printer.line("`connect topology apply` makes what is missing.")
    else:
        printer.line((well, "ok"))
    if problems:
        raise typer.Exit(1)
