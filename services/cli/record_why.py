"""`connect orders why 4711`: why a number is not in the list. The same for exports and articles."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli.printing import Printer
from services.cli.record_words import Words, examples
from services.cli.session import Session
from shared.records.diagnosis import diagnose

STEPS = {
    "here": "Look at it: connect {name} show {number}",
    "filtered": "Look at it: connect {name} show {number}",
    "older": "Transfer it all the same: connect {name} {verb} --interface {interface} {number}",
    "rejected": "Look at it: connect rejections show {rejection}",
    "resubmitted": "Look at it: connect rejections show {rejection}",
    "asking": "Wait, or ask again: connect {name} {verb} --interface {interface} {number}",
    "not-found": "Ask again: connect {name} {verb} --interface {interface} {number}",
    "never": "Ask for it: connect {name} {verb} --interface {interface} {number}",
}


def add_why(app: typer.Typer, words: Words) -> None:
    """Add the command to the group of a resource."""
    resource = words.resource
    text = f"Why a number is not among the {resource.name}: filtered out, rejected, not found, too old, never received."

    @app.command("why", help=text + examples(f"connect {resource.name} why 4711"))
    def why(
        ctx: typer.Context,
        number: Annotated[str, typer.Argument(help="the number that is missed")],
        interface: Annotated[
            str | None, typer.Option("--interface", "-i", help="only this interface, e.g. otto-de")
        ] = None,
        as_json_: Annotated[bool, typer.Option("--json", help="one JSON document for programs")] = False,
    ) -> None:
        session: Session = ctx.obj
        with session.database() as conn:
            if interface is not None:
                session.known_interface(conn, interface)
            found = diagnose(conn, resource, number, session.zone, interface=interface, language=session.language)
        printer = Printer()
        if as_json_:
            printer.json(found)
            return
        printer.line(f"{number}: {found['title']}")
        at = f" ({session.moment(found['at'])})" if found["at"] else ""
        printer.line(f"  {found['detail']}{at}")
        for one in found["polled"]:
            printer.line(f"  {one['slug']} ({one['mode']}): last read {session.moment(one['polled_ok_at'])}")
        where = found["interface"] or interface or "…"
        step = STEPS[found["verdict"]]
        printer.line(
            step.format(
                name=resource.name, verb=resource.verb, number=number, interface=where, rejection=found["rejection"]
            )
        )
