"""How a dry run is shown to people: per number the documents that would be sent, and what stands against it."""

from __future__ import annotations

from typing import Any

from services.cli.printing import Printer, as_json
from services.cli.record_words import Words

KINDS = {
    "order": "would be created in {system}:",
    "order-cancellation": "would be cancelled in {system}:",
    "shipment": "would be told {system}:",
    "cancellation": "would be cancelled at {system}:",
    "quantity": "would be sent to {system}:",
}


def print_drafted(words: Words, receipt: dict[str, Any]) -> None:
    """Number by number; nothing has been changed."""
    printer = Printer()
    for one in receipt["numbers"]:
        head = (f"{words.resource.one} {one['number']}", "head")
        if one["result"] == "drafted":
            printer.line(head, "" if one["documents"] else ": nothing would be sent")
            for document in one["documents"]:
                printer.line("  " + KINDS[document["kind"]].format(system=document["system"]))
                printer.line("\n".join(f"    {line}" for line in as_json(document["document"]).splitlines()))
                if document["now"]:
                    told = ", ".join(f"{name} {'–' if v is None else v}" for name, v in document["now"].items())
                    printer.line((f"    shown there now: {told}", "faint"))
            for problem in one["problems"]:
                colour = "warning" if one["documents"] else "failed"
                printer.line("  ", (problem["sentence"], colour), f"  [{problem['code']}]")
                for step in problem["steps"]:
                    printer.line(f"    → {step}")
        else:
            said = {
                "not-found": words.not_found,
                "malformed": words.malformed,
                "queued": words.asked_of,
                "failed": f"could not be read ({one['code']})",
            }
            printer.line(head, ": ", (said[one["result"]], "pending" if one["result"] == "queued" else "failed"))
    printer.line(("A dry run: nothing was changed.", "faint"))
