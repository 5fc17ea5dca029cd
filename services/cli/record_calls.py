"""What was said to remote systems in an attempt, as `show` prints it: a line a call, and their bodies if asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from services.cli.printing import Cell
from services.cli.session import Session
from shared.records.compared import laid_out

WORDS = {
    "de": {
        "no_answer": "keine Antwort",
        "among": "gemeinsam für {} Datensätze",
        "request": "Gesendet",
        "response": "Antwort",
        "cut": "… um {} Zeichen gekürzt",
        "changed": "Anders als beim Versuch davor",
        "new": "gab es davor nicht",
        "gone": "gab es davor, nun nicht mehr",
        "status": "Status",
    },
    "en": {
        "no_answer": "no answer",
        "among": "together for {} records",
        "request": "Sent",
        "response": "Answer",
        "cut": "… cut by {} characters",
        "changed": "Unlike the attempt before",
        "new": "there was none before",
        "gone": "there was one before, now there is none",
        "status": "status",
    },
}


def calls(session: Session, entry: dict[str, Any], *, bodies: bool) -> Iterator[list[Cell]]:
    """The calls of an attempt of the history."""
    words = WORDS[session.language]
    for call in entry.get("calls") or ():
        among = f", {words['among'].format(call['among'])}" if "among" in call else ""
        wrong = f"  {call['wrong']}" if call["wrong"] else ""
        yield [
            (f"      {call['method']} {unquote(call['target'])} → ", "faint"),
            (str(call["status"] or words["no_answer"]), "failed" if call["wrong"] else "done"),
            (f" ({call['seconds']:.2f} s{among}){wrong}", "faint"),
        ]
        for part in ("request", "response") if bodies else ():
            yield from _body(words, part, call[part])
    if not bodies:
        return
    for one in entry.get("changed") or ():
        yield [f"      {words['changed']}: {one['operation']}, {words[one['part']]}"]
        for line in one["lines"]:
            yield [(f"        {line}", {"+": "done", "-": "failed"}.get(line[:1], "faint"))]


def _body(words: dict[str, str], part: str, body: dict[str, Any] | None) -> Iterator[list[Cell]]:
    if body is None:
        return
    yield [f"        {words[part]}:"]
    for line in laid_out(body["text"]).splitlines():
        yield [(f"          {line}", "faint")]
    if body["left_out"]:
        yield [(f"          {words['cut'].format(body['left_out'])}", "faint")]
