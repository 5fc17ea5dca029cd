"""How `connect orders` shows orders to people: a table, or one order with its problems, what to do, and its history."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from itertools import islice
from typing import Any

from services.cli.printing import Cell, Printer
from services.cli.session import Session
from shared.records.wording import state_word

CHUNK = 500

WORDS = {
    "de": {
        "heads": (
            "Auftrag",
            "Schnittstelle",
            "Status",
            "Bestellt",
            "Letzter Durchlauf",
            "ERP-Nummer",
            "Summe",
            "Grund",
        ),
        "none": "Kein Auftrag passt.",
        "order": "Auftrag",
        "stage": "Stufe",
        "next": "nächster Versuch",
        "what": "Was ist falsch",
        "owner": "Zuständig",
        "goes_on": "Läuft von selbst weiter.",
        "retry": "Danach: connect orders retry",
        "waits": "wartet auf",
        "history": "Verlauf",
        "attempt": "Versuch",
        "by": "durch",
        "test": "Testauftrag",
    },
    "en": {
        "heads": ("order", "interface", "state", "ordered", "last run", "ERP number", "total", "reason"),
        "none": "No order matches.",
        "order": "Order",
        "stage": "stage",
        "next": "next attempt",
        "what": "What is wrong",
        "owner": "whose turn",
        "goes_on": "Goes on by itself.",
        "retry": "Then: connect orders retry",
        "waits": "waits for",
        "history": "History",
        "attempt": "attempt",
        "by": "by",
        "test": "test order",
    },
}
OWNERS = {
    "de": {
        "you": "Sie",
        "shop": "der Shop",
        "ERP admin": "die ERP-Verwaltung",
        "nobody": "niemand, es heilt von selbst",
    },
    "en": {"you": "you", "shop": "the shop", "ERP admin": "the ERP admin", "nobody": "nobody, it heals by itself"},
}
MAPPED = ("payment", "shipping", "tax", "setting")
"""Kinds of keys that a saved mapping makes true."""

UNFINISHED = ("failed", "waiting", "warning")


def print_list(printer: Printer, session: Session, items: Iterable[dict[str, Any]]) -> None:
    """A table; long lists come in pieces."""
    words: dict[str, Any] = WORDS[session.language]
    rest, count = iter(items), 0
    while chunk := list(islice(rest, CHUNK)):
        count += len(chunk)
        printer.table(words["heads"], [_row(session, item) for item in chunk])
    if not count:
        printer.line(words["none"])


def _row(session: Session, item: dict[str, Any]) -> tuple[Cell, ...]:
    return (
        item["key"],
        item["interface"],
        (state_word(item["state"], session.language), item["state"]),
        session.moment(item["ordered_at"]),
        session.moment(item["updated_at"]),
        item["erp_number"] or "",
        f"{item['total']} {item['currency']}" if item["total"] else "",
        item["reason"]["sentence"] or "" if item["reason"] else "",
    )


def print_order(printer: Printer, session: Session, record: dict[str, Any], happened: list[dict[str, Any]]) -> None:
    """One order, whole."""
    words: dict[str, Any] = WORDS[session.language]
    head: list[Cell] = [(f"{words['order']} {record['key']}", "head"), f"  {record['interface']}  "]
    head.append((state_word(record["state"], session.language), record["state"]))
    if record["test"]:
        head.append(f"  ({words['test']})")
    printer.line(*head)
    facts = [
        record["marketplace_id"],
        f"ERP {record['erp_number']}" if record["erp_number"] else None,
        record["customer"],
        f"{record['total']} {record['currency']}" if record["total"] else None,
        f"{words['stage']} {record['stage']}",
        f"{words['next']} {session.moment(record['due_at'])}" if record["state"] == "waiting" else None,
        f"{words['waits']} {', '.join(record['waits_for'])}" if record["waits_for"] else None,
    ]
    printer.line(("  " + " · ".join(fact for fact in facts if fact), "faint"))
    problems = record["reason"]["problems"] if record["reason"] else []
    if problems:
        printer.line("")
        printer.line((f"{words['what']} ({len(problems)})", "head"))
    for number, problem in enumerate(problems, start=1):
        _print_problem(printer, session, number, problem, record["state"] in UNFINISHED)
    for kind, source in (key.split(":", 1) for key in record["waits_for"] if key.partition(":")[0] in MAPPED):
        printer.line(f"  connect interfaces map {record['interface']} {kind} {shlex.quote(source)} …")
    if record["state"] == "failed" and any(not problem["goes_on"] for problem in problems):
        printer.line(f"  {words['retry']} {record['key']}")
    printer.line("")
    printer.line((words["history"], "head"))
    for entry in happened:
        printer.line(*_entry(session, entry))


def _print_problem(printer: Printer, session: Session, number: int, problem: dict[str, Any], unfinished: bool) -> None:
    words: dict[str, Any] = WORDS[session.language]
    printer.line(f"  {number}. ", (problem["sentence"], "failed" if unfinished else "faint"), f"  [{problem['code']}]")
    printer.line(f"     {problem['cause']}")
    for step in problem["steps"]:
        printer.line(f"     → {step}")
    owner = OWNERS[session.language][problem["owner"]]
    printer.line((f"     {words['owner']}: {owner}." + (f" {words['goes_on']}" if problem["goes_on"] else ""), "faint"))


def _entry(session: Session, entry: dict[str, Any]) -> list[Cell]:
    words: dict[str, Any] = WORDS[session.language]
    hop = f"  {session.moment(entry['at'])}  {entry['source']} → {entry['target']}  "
    if entry["kind"] == "attempt":
        code = f", {entry['code']}" if entry["code"] else ""
        return [
            (
                f"{hop}  {words['attempt']} {entry['claim_no']}: {entry['outcome']}{code} ({entry['duration']:.2f} s)",
                "faint",
            )
        ]
    said: list[Cell] = [hop, (entry["step"], entry["to_state"])]
    if entry["sentence"] != entry["step"]:
        said.append(f": {entry['sentence']}")
    if entry["actor"]:
        said.append((f"  {words['by']} {entry['actor']}", "faint"))
    return said
