"""What `show` says of a record in trouble beside its problems: where it stands, who else, what ended it last time."""

from __future__ import annotations

from typing import Any

from services.cli.printing import Printer
from services.cli.session import Session

WORDS = {
    "de": {
        "retry": "Hilft Wiederholen?",
        "same": "gleiche Ursache: {count}, {worth}, {due} heute fällig",
        "by": "zuletzt {at} behoben durch {who}; {succeeded} von {of} danach erfolgreich",
        "itself": "zuletzt {at} von selbst behoben; {succeeded} von {of} danach erfolgreich",
    },
    "en": {
        "retry": "Does a retry help?",
        "same": "same cause: {count}, {worth}, {due} due today",
        "by": "last fixed {at} by {who}; {succeeded} of {of} succeeded then",
        "itself": "last fixed by itself {at}; {succeeded} of {of} succeeded then",
    },
}


def print_card(printer: Printer, session: Session, card: dict[str, Any]) -> None:
    """The lines below the problems."""
    words = WORDS[session.language]
    way = " → ".join(f"{hop['name']} ({hop['state']})" for hop in card["where"]["hops"])
    printer.line(f"  {way}: {card['where']['remark']}")
    if card["state"] != "warning":
        said = dict.fromkeys(f"{one['retry']['answer']} {one['retry']['more']}".strip() for one in card["problems"])
        printer.line(f"  {words['retry']} {' '.join(said)}")
    same, last = card["same"], card["last_time"]
    if same:
        worth = " + ".join(f"{one['amount']} {one['currency']}" for one in same["amounts"]) or "–"
        figures = words["same"].format(count=same["count"], worth=worth, due=same["due_today"])
        printer.line(f"  {figures}  ", (f"(connect groups show {same['id']})", "faint"))
        if same["note"]:
            printer.line(f"  “{same['note']}” ", (same["noted_by"] or "", "faint"))
    if last:
        sentence = words["by" if last["by"] else "itself"]
        values = last | {"at": session.moment(last["at"]), "who": last["by"]}
        printer.line((f"  {sentence.format_map(values)}", "faint"))
