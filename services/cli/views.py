"""`connect views`: saved filters of the lists, one's own and shared ones."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli.printing import Printer
from services.cli.session import Session
from services.cli.trouble import USAGE, Trouble
from shared.records.views import ViewError, delete_view, list_views, save_view

Json = Annotated[bool, typer.Option("--json", help="one JSON document for programs")]
app = typer.Typer(help="Saved filters of the lists: your own, and those that are shared with everybody.")


@app.command("list")
def list_(
    ctx: typer.Context,
    resource: Annotated[str | None, typer.Option(help="orders, exports or articles; without it all")] = None,
    as_json_: Json = False,
) -> None:
    """Your views and the shared ones.

    connect views list --resource orders
    """
    session: Session = ctx.obj
    with session.database() as conn:
        views = list_views(conn, session.actor, resource)
    if as_json_:
        Printer().json({"items": views})
        return
    rows = [
        (str(one["id"]), one["name"], one["resource"], one["filter"], one["owner"] + (" (shared)" * one["shared"]))
        for one in views
    ]
    Printer().table(("id", "name", "list", "filter", "owner"), rows)


@app.command()
def save(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="what it is called")],
    filter: Annotated[str, typer.Option("--filter", "-f", help="e.g. 'state:failed ordered>=2026-11-01'")] = "",
    resource: Annotated[str, typer.Option(help="orders, exports or articles")] = "orders",
    sort: Annotated[str | None, typer.Option(help="number, ordered, updated or state; - in front: descending")] = None,
    shared: Annotated[bool, typer.Option("--shared", help="for everybody")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="check it and show it; save nothing")] = False,
    as_json_: Json = False,
) -> None:
    """Save a view; one of yours with the same name is replaced.

    connect views save "Due today" --filter 'due:today' --shared
    """
    session: Session = ctx.obj
    with session.database() as conn, conn.transaction(force_rollback=dry_run):
        try:
            view = save_view(conn, session.actor, name, resource, filter, session.zone, sort=sort, shared=shared)
        except ViewError as error:
            raise Trouble(str(error), USAGE) from None
    printer = Printer()
    if dry_run:
        view |= {"id": None, "dry_run": True}
    if as_json_:
        printer.json(view)
    elif dry_run:
        printer.line(f"Would be saved: connect {resource} list --filter '{view['filter']}' --sort {view['sort']}")
    else:
        printer.line(f"Saved as view {view['id']}: connect {resource} list --filter '{view['filter']}'")


@app.command()
def delete(
    ctx: typer.Context,
    id: Annotated[int, typer.Argument(min=1, help="its id, see `connect views list`")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say whether it could be deleted; delete nothing")] = False,
    as_json_: Json = False,
) -> None:
    """Delete a view, also a shared one of somebody else.

    connect views delete 7
    """
    session: Session = ctx.obj
    with session.database() as conn, conn.transaction(force_rollback=dry_run):
        if not delete_view(conn, id, session.actor, any_owner=True):
            raise Trouble(f"There is no view {id} of yours, and none shared. Look at `connect views list`.")
    if as_json_:
        Printer().json({"id": id, "deleted": not dry_run, **({"dry_run": True} if dry_run else {})})
    else:
        Printer().line(f"View {id} would be deleted." if dry_run else f"View {id} is deleted.")
