"""`connect secrets`: which keys seal the credentials of interfaces, and sealing them anew with the newest one."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

import typer

from services.cli.printing import Printer
from services.cli.session import Session
from services.cli.watching import Mark, bar
from shared.people.audit import audit
from shared.records.credentials import Stored, reseal, stored
from shared.seal import UNNAMED, Seal, SealError

app = typer.Typer(help="Keys that seal the credentials of interfaces: CONNECT_SECRET_KEY, one a line, newest first.")

Json = Annotated[bool, typer.Option("--json", help="one JSON document for programs")]


def use_of_keys(seal: Seal, found: list[Stored]) -> list[dict[str, Any]]:
    """Each key that is held or needed: {"key", "held", "seals", "secrets"}; `seals` is true for the newest.

    What was sealed before keys had ids counts as one key; whether it is held shows when it is opened.
    """
    used, held = Counter(one.key for one in found), seal.ids()
    ids = [*held, *sorted(key for key in used if key not in held)]
    return [
        {
            "key": key,
            "held": None if key == UNNAMED else key in held,
            "seals": key == seal.newest,
            "secrets": used.get(key, 0),
        }
        for key in ids
    ]


@app.command("list")
def list_(ctx: typer.Context, as_json_: Json = False) -> None:
    """Every key that is held or needed, by its id, and how many secrets it seals. Keys themselves are never shown."""
    session: Session = ctx.obj
    seal = session.seal
    with session.database() as conn:
        keys = use_of_keys(seal, stored(conn))
    printer = Printer()
    if as_json_:
        printer.json({"keys": keys})
        return
    rows = []
    for one in keys:
        state = (
            "seals" if one["seals"] else "opens only" if one["held"] else "not held" if one["held"] is False else "?"
        )
        rows.append((one["key"], (state, "wrong" if one["held"] is False else "ok"), str(one["secrets"])))
    printer.table(("key", "state", "secrets"), rows)
    if any(one["secrets"] for one in keys if not one["seals"]):
        printer.line("`connect secrets rotate` seals all of them with the first key.")


@app.command()
def rotate(ctx: typer.Context, as_json_: Json = False) -> None:
    """Seal every secret anew with the newest key. May be stopped and started again; a secret is never unsealed at rest.

    \b
    1. Put the new key as the first line of CONNECT_SECRET_KEY, the former below it; restart every service.
    2. connect secrets rotate
    3. Once `connect secrets list` shows no secret under the former key, take that line out.
    """
    session: Session = ctx.obj
    seal = session.seal
    done, failed = 0, dict[str, str]()
    with session.database() as conn, bar("sealing anew") as show:
        todo = [one for one in stored(conn) if one.key != seal.newest]
        try:
            for number, one in enumerate(todo, 1):
                try:
                    done += reseal(conn, seal, one)
                except SealError as error:
                    failed[one.place] = str(error)
                show(Mark(number, len(todo), False))
        finally:
            if todo:
                told = {"key": seal.newest, "secrets": done, "of": len(todo), "not_opened": sorted(failed)}
                audit(conn, session.actor, "secrets.rotate", told)
        keys = use_of_keys(seal, stored(conn))
    printer = Printer()
    if as_json_:
        printer.json({"key": seal.newest, "resealed": done, "failed": failed, "keys": keys})
    else:
        printer.line(f"{done} of {len(todo)} secrets are sealed anew; the key {seal.newest} seals.")
        for place, why in sorted(failed.items()):
            printer.line((f"  {place}: {why}", "wrong"))
        free = [one["key"] for one in keys if not one["seals"] and one["held"] and not one["secrets"]]
        if free and not failed:
            printer.line(f"Nothing needs {', '.join(free)} any more: take that line out of CONNECT_SECRET_KEY.")
    if failed:
        raise typer.Exit(1)
