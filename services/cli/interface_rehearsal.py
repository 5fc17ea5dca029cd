"""`connect interfaces rehearsal`: what has to be proved before an interface goes live, and what is not yet."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from services.cli.printing import Printer
from services.cli.session import Session
from services.cli.trouble import Trouble
from services.cli.watching import Mark, watch
from shared.connectors.registry import titles
from shared.people.audit import audit
from shared.records.errands import ask_errand, read_errand
from shared.records.rehearsal import Item, checklist
from shared.records.wording import remark

Json = Annotated[bool, typer.Option("--json", help="one JSON document for programs")]
Slug = Annotated[str, typer.Argument(help="the interface's name, e.g. otto-de")]
SHOWN = {
    "open": ("open", "failed"),
    "done": ("done", "done"),
    "not-needed": ("not needed", "skipped"),
    "not-available": ("not available yet", "skipped"),
}


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("rehearsal")(rehearsal)


def rehearsal(
    ctx: typer.Context,
    slug: Slug,
    look: Annotated[bool, typer.Option("--look/--no-look", help="look at both systems now, or only show")] = True,
    timeout: Annotated[float, typer.Option(min=0, help="seconds to wait for the look at most")] = 120.0,
    as_json_: Json = False,
) -> None:
    """The checklist before going live, each item with its proof. Looks at both systems and changes nothing there.

    Exit 1 as long as something is open.
    """
    session: Session = ctx.obj
    with session.database() as conn:
        session.known_interface(conn, slug)
        errand: dict[str, Any] | None = None
        if look:
            with conn.transaction():
                asked = ask_errand(conn, "rehearsal", slug, session.actor)
                audit(conn, session.actor, "interfaces.rehearsal", {"interface": slug, "errand": str(asked)})
            errand = watch(lambda: read_errand(conn, asked) or {}, _mark, timeout, "reading orders")
        items = checklist(conn, slug, session.language, titles())
    opened = [item for item in items if item.state == "open"]
    printer = Printer()
    if as_json_:
        shown = [item.as_json() for item in items]
        printer.json({"interface": slug, "ready": not opened, "items": shown, "errand": errand})
    else:
        print_items(printer, items)
        if not opened:
            printer.line(f"All is proved. `connect interfaces live {slug} --from …`")
    if errand is not None and errand["finished_at"] is None:
        raise Trouble("The importer has not looked yet: is it running? `connect doctor`")
    if errand is not None and errand["code"] is not None:
        raise Trouble(remark(errand["code"]) or f"It could not be looked at: {errand['code']}.")
    if opened:
        raise typer.Exit(1)


def print_items(printer: Printer, items: Iterable[Item]) -> None:
    """One line each, the next step below."""
    for item in items:
        text, colour = SHOWN[item.state]
        printer.line(f"  {item.title}: ", (text, colour), f"  {item.says}")
        if item.fix:
            printer.line((f"      → {item.fix}", "faint"))


def _mark(errand: dict[str, Any]) -> Mark:
    return Mark(errand["seen"], None, errand["finished_at"] is not None)
