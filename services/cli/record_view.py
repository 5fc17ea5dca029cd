"""How one order, export or article is shown to people: its facts, its problems and what to do, and its history."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from services.cli.printing import Cell, Printer
from services.cli.record_calls import calls
from services.cli.record_card import print_card
from services.cli.session import Session
from shared.records.resources import OF_FLOW, Resource
from shared.records.wording import state_word

WORDS = {
    "de": {
        "none": "Nichts passt.",
        "orders": "Auftrag",
        "exports": "Auftragsstatus & Tracking",
        "articles": "Artikel",
        "stage": "Stufe",
        "next": "nächster Versuch",
        "what": "Was ist falsch",
        "remark": "Gut zu wissen",
        "owner": "Zuständig",
        "goes_on": "Läuft von selbst weiter.",
        "retry": "Danach:",
        "waits": "wartet auf",
        "history": "Verlauf",
        "archived": "Älteres liegt im Archiv, Teil",
        "attempt": "Versuch",
        "by": "durch",
        "test": "Test",
        "status": "Status",
        "tracking": "Tracking",
        "shipment": "Sendung",
        "told": "gemeldet",
        "not_told": "noch nicht gemeldet",
        "erp": "im ERP",
        "sent": "angenommen",
        "shown": "angezeigt",
    },
    "en": {
        "none": "Nothing matches.",
        "orders": "Order",
        "exports": "Status & tracking of order",
        "articles": "Article",
        "stage": "stage",
        "next": "next attempt",
        "what": "What is wrong",
        "remark": "Good to know",
        "owner": "whose turn",
        "goes_on": "Goes on by itself.",
        "retry": "Then:",
        "waits": "waits for",
        "history": "History",
        "archived": "What is older lies in the archive, part",
        "attempt": "attempt",
        "by": "by",
        "test": "test",
        "status": "status",
        "tracking": "tracking",
        "shipment": "shipment",
        "told": "told",
        "not_told": "not told yet",
        "erp": "in the ERP",
        "sent": "accepted",
        "shown": "shown",
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


def print_record(
    printer: Printer,
    session: Session,
    resource: Resource,
    record: dict[str, Any],
    happened: list[dict[str, Any]],
    other: dict[str, Any] | None,
    *,
    bodies: bool = False,
) -> None:
    """One record, whole. other: an order's export, or an export's order. bodies: also what was said in each call."""
    words = WORDS[session.language]
    head: list[Cell] = [(f"{words[resource.name]} {record['key']}", "head"), f"  {record['interface']}  "]
    head.append((state_word(record["state"], session.language), record["state"]))
    if record["test"]:
        head.append(f"  ({words['test']})")
    printer.line(*head)
    facts = [
        record["marketplace_id"],
        f"ERP {record['erp_number']}" if record.get("erp_number") else None,
        record.get("customer"),
        f"{record['total']} {record['currency']}" if record.get("total") else None,
        f"{words['stage']} {record['stage']}",
        f"{words['next']} {session.moment(record['due_at'])}" if record["state"] == "waiting" else None,
        f"{words['waits']} {', '.join(record['waits_for'])}" if record["waits_for"] else None,
    ]
    printer.line(("  " + " · ".join(fact for fact in facts if fact), "faint"))
    for address in record.get("links", {}).values():
        if address:
            printer.line((f"  {address}", "faint"))
    for line in (*_parts(session, record), *_quantities(session, record)):
        printer.line(*line)
    if other is not None:
        _print_other(printer, session, other)
    problems = record["reason"]["problems"] if record["reason"] else []
    if problems:
        printer.line("")
        head_of = words["what"] if record["state"] in UNFINISHED else words["remark"]
        printer.line((f"{head_of} ({len(problems)})", "head"))
    for number, problem in enumerate(problems, start=1):
        _print_problem(printer, session, number, problem, record["state"] in UNFINISHED)
    if record["card"]:
        print_card(printer, session, record["card"])
    for kind, source in (key.split(":", 1) for key in record["waits_for"] if key.partition(":")[0] in MAPPED):
        printer.line(f"  connect interfaces map {record['interface']} {kind} {shlex.quote(source)} …")
    if record["state"] == "failed" and any(not problem["goes_on"] for problem in problems):
        printer.line(f"  {words['retry']} connect {resource.name} retry {shlex.quote(record['key'])}")
    printer.line("")
    printer.line((words["history"], "head"))
    for entry in happened:
        printer.line(*_entry(session, entry))
        for line in calls(session, entry, bodies=bodies):
            printer.line(*line)
    if record["archived"]:
        printer.line(
            (f"  {words['archived']} {', '.join(map(str, record['archived']))} (connect archive restore)", "faint")
        )


def _print_other(printer: Printer, session: Session, other: dict[str, Any]) -> None:
    resource = OF_FLOW[other["flow"]]
    said = f": {other['reason']['sentence']}" if other["reason"] else ""
    printer.line(
        f"  {WORDS[session.language][resource.name]}: ",
        (state_word(other["state"], session.language), other["state"]),
        said,
        (f"  (connect {resource.name} show {shlex.quote(other['key'])})", "faint"),
    )


def _parts(session: Session, record: dict[str, Any]) -> Iterator[list[Cell]]:
    """The parts and the shipments of an export."""
    words = WORDS[session.language]
    for name, part in record.get("parts", {}).items():
        said = f": {part['reason']['sentence']}" if part["reason"] else ""
        when = f"  {session.moment(part['updated_at'])}" if part["updated_at"] else ""
        yield [
            f"  {words[name]}: ",
            (state_word(part["state"], session.language), part["state"]),
            said,
            (when, "faint"),
        ]
    for shipment in record.get("shipments", ()):
        told = (
            f"{words['told']} {session.moment(shipment['accepted_at'])}"
            if shipment["accepted_at"]
            else words["not_told"]
        )
        named = " ".join(text for text in (shipment["carrier"], shipment["tracking_number"]) if text)
        yield [f"  {words['shipment']} {shipment['id']}: {named}  ", (told, "faint")]


def _quantities(session: Session, record: dict[str, Any]) -> Iterator[list[Cell]]:
    """The quantities of an article: the ERP's, the accepted and the shown one."""
    if "sku" not in record:
        return
    words = WORDS[session.language]
    named = (record["name"], record["type"], record["parent_sku"], record["foreign_sku"])
    yield [("  " + " · ".join(text for text in named if text), "faint")]
    for name, value, at in (
        (words["erp"], record["erp_quantity"], record["erp_quantity_at"]),
        (words["sent"], record["sent"], record["sent_at"]),
        (words["shown"], record["shown"], record["shown_at"]),
    ):
        wrong = name == words["shown"] and record["confirmed"] is False
        yield [f"  {name}: ", ("–" if value is None else str(value), "wrong" if wrong else "head"),
               (f"  {session.moment(at)}" if at else "", "faint")]  # fmt: skip


def _print_problem(printer: Printer, session: Session, number: int, problem: dict[str, Any], unfinished: bool) -> None:
    words = WORDS[session.language]
    printer.line(f"  {number}. ", (problem["sentence"], "failed" if unfinished else "faint"), f"  [{problem['code']}]")
    printer.line(f"     {problem['cause']}")
    for step in problem["steps"]:
        printer.line(f"     → {step}")
    owner = OWNERS[session.language][problem["owner"]]
    printer.line((f"     {words['owner']}: {owner}." + (f" {words['goes_on']}" if problem["goes_on"] else ""), "faint"))


def _entry(session: Session, entry: dict[str, Any]) -> list[Cell]:
    words = WORDS[session.language]
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
