"""`connect interfaces test`, `live` and `pause`: whether an interface goes on by itself. Added by `interfaces`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from services.cli.interface_ping import tell
from services.cli.printing import Printer
from services.cli.session import Session
from shared.people.audit import audit
from shared.records.interfaces import MODES, set_mode

Json = Annotated[bool, typer.Option("--json", help="one JSON document for programs")]
Slug = Annotated[str, typer.Argument(help="the interface's name, e.g. otto-de")]
MODE_SAYS = {
    "test": "in test: events are taken in, nothing is sent unless a person asks for it",
    "live": "live: orders go on by themselves",
    "paused": "paused: events are taken in, nothing is sent",
}


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("test")(switch_to_test)
    app.command("live")(live)
    app.command("pause")(pause)


def switch_to_test(ctx: typer.Context, slug: Slug, as_json_: Json = False) -> None:
    """Switch to test, where only what a person asks for is sent, and ask both remote systems whether they answer."""
    session: Session = ctx.obj
    data = _switch(session, slug, "test")
    if not as_json_:
        _said(data, False)
    tell(session, slug, as_json_)


def live(ctx: typer.Context, slug: Slug, as_json_: Json = False) -> None:
    """Switch to live: orders go on by themselves, the marketplace is polled."""
    _said(_switch(ctx.obj, slug, "live"), as_json_)


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
