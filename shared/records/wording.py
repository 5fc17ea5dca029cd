"""What a transition or a reason says in one plain sentence, German or English. Called by `listing` and `history`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.errors.catalogue import catalogue, explain
from shared.errors.entry import Language
from shared.errors.problem import Problem

STEPS: dict[tuple[str, str], tuple[str, str]] = {
    ("order-import/connect", "pending"): ("Auftrag im Shop erkannt", "Order seen in the shop"),
    ("order-import/connect", "done"): ("Auftrag zu Connect importiert", "Order imported into Connect"),
    ("erp", "pending"): ("Import des Auftrags ausstehend", "Import of the order is pending"),
    ("erp", "running"): ("Auftrag wird nach {target} übertragen", "Order is being sent to {target}"),
    ("erp", "waiting"): ("Import des Auftrags wartet", "Import of the order waits"),
    ("erp", "done"): ("Auftrag in {target} importiert", "Order imported into {target}"),
    ("erp", "warning"): ("Auftrag in {target} importiert, mit Hinweis", "Order imported into {target}, with a remark"),
    ("erp", "failed"): ("Import des Auftrags fehlgeschlagen", "Import of the order failed"),
    ("erp", "skipped"): ("Auftrag nicht übertragen", "Order not transferred"),
    ("order-export/connect", "pending"): ("Änderung in {source} erkannt", "Change seen in {source}"),
    ("stock/connect", "pending"): ("Bestandsänderung in {source} erkannt", "Change of stock seen in {source}"),
    ("order-export/connect", "done"): ("Auftragsstatus zu Connect importiert", "Order status imported into Connect"),
    ("marketplace", "pending"): ("Status-Update ausstehend", "Status update is pending"),
    ("marketplace", "running"): (
        "Status-Update wird nach {target} übertragen",
        "Status update is being sent to {target}",
    ),
    ("marketplace", "waiting"): ("Status-Update wartet", "Status update waits"),
    ("marketplace", "done"): ("Status-Update abgeschlossen", "Status update is finished"),
    ("marketplace", "warning"): (
        "Status-Update abgeschlossen, mit Hinweis",
        "Status update is finished, with a remark",
    ),
    ("marketplace", "failed"): ("Status-Update fehlgeschlagen", "Status update failed"),
    ("marketplace", "skipped"): ("Nichts zu übertragen", "Nothing to send"),
    ("marketplace", "never"): (
        "Es wurde noch kein Status-Update vorgenommen",
        "There has been no status update yet",
    ),
    ("status", "pending"): ("Auftragsstatus ausstehend", "Order status is pending"),
    ("status", "waiting"): ("Auftragsstatus wartet", "Order status waits"),
    ("status", "done"): ("Auftragsstatus{told} in den Shop exportiert", "Order status{told} exported to {target}"),
    ("status", "warning"): (
        "Auftragsstatus{told} in den Shop exportiert, mit Hinweis",
        "Order status{told} exported to {target}, with a remark",
    ),
    ("status", "failed"): ("Export des Auftragsstatus fehlgeschlagen", "Export of the order status failed"),
    ("status", "skipped"): ("Auftragsstatus nicht übertragen", "Order status not sent"),
    ("tracking", "pending"): ("Tracking ausstehend", "Tracking is pending"),
    ("tracking", "waiting"): ("Tracking wartet", "Tracking waits"),
    ("tracking", "done"): ("Tracking in den Shop exportiert", "Tracking exported to {target}"),
    ("tracking", "warning"): (
        "Tracking in den Shop exportiert, mit Hinweis",
        "Tracking exported to {target}, with a remark",
    ),
    ("tracking", "failed"): ("Export des Trackings fehlgeschlagen", "Export of the tracking failed"),
    ("tracking", "skipped"): ("Tracking nicht übertragen", "Tracking not sent"),
    ("stock/connect", "done"): ("Bestand zu Connect importiert", "Stock imported into Connect"),
    ("stock", "pending"): ("Bestands-Export ausstehend", "Export of the stock is pending"),
    ("stock", "running"): ("Bestand wird nach {target} übertragen", "Stock is being sent to {target}"),
    ("stock", "waiting"): ("Bestands-Export wartet", "Export of the stock waits"),
    ("stock", "done"): ("Bestand in den Shop exportiert", "Stock exported to {target}"),
    ("stock", "warning"): (
        "Bestand in den Shop exportiert, mit Hinweis",
        "Stock exported to {target}, with a remark",
    ),
    ("stock", "failed"): ("Bestands-Export fehlgeschlagen", "Export of the stock failed"),
    ("stock", "skipped"): ("Bestand nicht übertragen", "Stock not sent"),
}
"""(stage, or flow/stage where flows differ; state) → what happened, in German and in English."""

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


STATUSES: dict[str, tuple[str, str]] = {
    "released": ("freigegeben", "released"),
    "shipped": ("versendet", "shipped"),
    "partially_shipped": ("teilweise versendet", "partially shipped"),
    "cancelled": ("storniert", "cancelled"),
    "completed": ("abgeschlossen", "completed"),
}
"""What the ERP says of an order."""


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


def step(
    flow: str, stage: str, state: str, hop: Mapping[str, str], language: Language = "en", status: str | None = None
) -> str:
    """What a transition did, e.g. "Order imported into Connect". hop: source and target; status: that was told."""
    texts: Sequence[str] = (
        STEPS.get((f"{flow}/{stage}", state)) or STEPS.get((stage, state)) or STATES.get(state, (state, state))
    )
    word = STATUSES.get(status or "", (status or "",) * 2)[language == "en"]
    told = "" if not word else f" „{word}“" if language == "de" else f" “{word}”"
    return texts[language == "en"].format_map({**hop, "told": told})
