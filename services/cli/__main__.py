"""The command `connect`: puts the groups together, runs one command, says in one sentence what went wrong.

Exit 0: done. 1: it failed, was not found or does not balance. 2: it was asked for in a way that cannot be understood.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from services.cli import (
    accounting,
    alarm_calendar,
    alarms,
    archive,
    articles,
    audit,
    bundle,
    config,
    credentials,
    db,
    doctor,
    events,
    exports,
    groups,
    interfaces,
    orders,
    privacy,
    rejections,
    runs,
    services,
    status,
    tokens,
    topology,
    users,
    views,
)
from services.cli.session import Session, language_of
from services.cli.trouble import say
from shared.settings import environment
from shared.version import VERSION

HELP = """Connect carries orders from marketplaces into the ERP, loses nothing, and explains itself.

\b
Start everything on this machine:      connect up --demo
What needs a person:                   connect orders list --filter state:failed
Why, and what to do:                   connect orders show 4711
What does the most harm:               connect groups list
Status, tracking, stock on their way:  connect exports list, connect articles list
How everything is doing:               connect status
What is set up wrong:                  connect doctor

Settings come from CONNECT_… in the environment (`connect config show`); where a `connect up` runs, its are taken.
Every command knows --json. Exit codes: 0 done, 1 failed or not found, 2 wrong usage.
"""


def _version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"connect {VERSION}\n")
        raise typer.Exit


def build() -> typer.Typer:
    """The command with all of its groups."""
    app = typer.Typer(
        name="connect", help=HELP, no_args_is_help=True, add_completion=False, rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )  # fmt: skip

    @app.callback()
    def options(
        ctx: typer.Context,
        lang: Annotated[str | None, typer.Option(help="de or en; without it as the environment's LANG")] = None,
        debug: Annotated[bool, typer.Option(help="print where an unexpected error happened")] = False,  # noqa: ARG001
        version: Annotated[  # noqa: ARG001
            bool, typer.Option("--version", is_eager=True, callback=_version, help="print the release's number")
        ] = False,
    ) -> None:
        found = environment()
        if lang not in (None, "de", "en"):
            raise typer.BadParameter("--lang is de or en.")
        language = language_of(found) if lang is None else "de" if lang == "de" else "en"
        ctx.obj = Session(found, language, Path.cwd())

    services.add_to(app)
    status.add_to(app)
    doctor.add_to(app)
    accounting.add_to(app)
    app.add_typer(audit.app, name="audit")
    for name, group in (
        ("orders", orders.app),
        ("exports", exports.app),
        ("articles", articles.app),
        ("groups", groups.app),
        ("runs", runs.app),
        ("rejections", rejections.app),
        ("alarms", alarms.app),
        ("maintenance", alarm_calendar.maintenance),
        ("calendar", alarm_calendar.days),
        ("events", events.app),
        ("interfaces", interfaces.app),
        ("topology", topology.app),
        ("db", db.app),
        ("views", views.app),
        ("users", users.app),
        ("tokens", tokens.app),
        ("privacy", privacy.app),
        ("archive", archive.app),
        ("debug", bundle.app),
        ("secrets", credentials.app),
        ("config", config.app),
    ):
        app.add_typer(group, name=name, no_args_is_help=True)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = typer.main.get_command(build())(given, prog_name="connect", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
    except BaseException as error:
        if "--debug" in given:
            traceback.print_exc()
        sentence, code = say(error)
        sys.stderr.write(f"{sentence}\n")
        return code


if __name__ == "__main__":
    sys.exit(main())
