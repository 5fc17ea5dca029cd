"""What a transition or a reason says in one plain sentence, German or English. Called by `listing` and `history`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.errors.catalogue import catalogue, explain
from shared.errors.entry import Language
from shared.errors.problem import Problem

STEPS: dict[tuple[str, str], tuple[str, str]] = {
    ("connect", "pending"): ("Auftrag bei {source} erkannt", "Order seen at {source}"),
    ("connect", "done"): ("Auftrag zu Connect importiert", "Order imported into Connect"),
    ("erp", "pending"): ("Import des Auftrags ausstehend", "Import of the order is pending"),
    ("erp", "running"): ("Auftrag wird nach {target} übertragen", "Order is being sent to {target}"),
    ("erp", "waiting"): ("Import des Auftrags wartet", "Import of the order waits"),
    ("erp", "done"): ("Auftrag in {target} importiert", "Order imported into {target}"),
    ("erp", "warning"): ("Auftrag in {target} importiert, mit Hinweis", "Order imported into {target}, with a remark"),
    ("erp", "failed"): ("Import des Auftrags fehlgeschlagen", "Import of the order failed"),
    ("erp", "skipped"): ("Auftrag nicht übertragen", "Order not transferred"),
}
STATES: dict[str, tuple[str, str]] = {
    "never": ("Noch nicht übertragen", "Not yet synced"),
    "pending": ("Ausstehend", "Pending"),
    "running": ("In Arbeit", "Running"),
    "waiting": ("Wartet", "Waiting"),
    "done": ("Erfolgreich", "Done"),
    "warning": ("Mit Hinweis", "Done with a remark"),
    "failed": ("Fehlerhaft", "Failed"),
    "skipped": ("Übersprungen", "Skipped"),
}


def state_word(state: str, language: Language = "en") -> str:
    """The word for a state, as the Journal shows it."""
    return STATES[state][language == "en"] if state in STATES else state


def problems(reason: Any) -> list[Problem]:
    """The stored reason as problems; what has another form is left out."""
    if not isinstance(reason, list):
        return []
    return [
        Problem(
            str(one["code"]), str(one.get("field") or ""), {k: str(v) for k, v in (one.get("values") or {}).items()}
        )
        for one in reason
        if isinstance(one, dict) and one.get("code")
    ]


def explained(reason: Any, language: Language = "en") -> list[dict[str, Any]]:
    """Every problem of a stored reason with what a person needs: sentence, cause, steps, whose turn it is."""
    found = []
    for problem in problems(reason):
        said = explain(problem, language)
        found.append(
            {
                **problem.as_json(),
                "sentence": said.title,
                "cause": said.cause,
                "steps": list(said.steps),
                "owner": said.owner,
                "retry_helps": said.retry_helps,
                "goes_on": said.goes_on,
            }
        )
    return found


def sentence(reason: Any, language: Language = "en") -> str | None:
    """The first problem's sentence, and how many more there are; None without a reason."""
    known = problems(reason)
    if not known:
        return None
    first = explain(known[0], language).title
    more = len(known) - 1
    if not more:
        return first
    return f"{first} (+{more} {'weitere' if language == 'de' else 'more'})"


def remark(code: str | None, language: Language = "en") -> str | None:
    """The sentence of a code that stands without a reason, e.g. of a retry; None where the catalogue has none."""
    return explain(Problem(code), language).title if code is not None and code in catalogue() else None


def step(stage: str, state: str, hop: Mapping[str, str], language: Language = "en") -> str:
    """What a transition did, e.g. "Order imported into Connect"; hop: source and target."""
    texts: Sequence[str] = STEPS.get((stage, state)) or STATES.get(state, (state, state))
    return texts[language == "en"].format_map(hop)
