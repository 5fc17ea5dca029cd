"""`connect doctor`: looks at everything, says what is wrong and how to fix it. Exit 1 when something is."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli.findings import Finding, examine
from services.cli.printing import Cell, Printer
from services.cli.session import Session

MARKS: dict[str, Cell] = {"ok": ("ok    ", "ok"), "remark": ("look  ", "remark"), "wrong": ("WRONG ", "wrong")}


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    ctx: typer.Context, as_json_: Annotated[bool, typer.Option("--json", help="one JSON document for programs")] = False
) -> None:
    """What is reachable, what is wrong, and how to fix it."""
    session: Session = ctx.obj
    printer, found = Printer(), []
    for finding in examine(session):
        found.append(finding)
        if not as_json_:
            _print(printer, finding)
    wrong = [finding for finding in found if finding.level == "wrong"]
    if as_json_:
        printer.json({"ok": not wrong, "findings": [finding.as_json() for finding in found]})
    else:
        printer.line("")
        said = "1 thing is wrong." if len(wrong) == 1 else f"{len(wrong)} things are wrong."
        printer.line((said, "wrong") if wrong else ("Everything is well.", "ok"))
    if wrong:
        raise typer.Exit(1)


def _print(printer: Printer, finding: Finding) -> None:
    printer.line(MARKS[finding.level], f"{finding.name}: {finding.said}")
    if finding.fix:
        printer.line(f"        → {finding.fix}")
