"""What a diagnosis says in plain sentences, German or English. Called by `diagnosis`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.errors.entry import Language
from shared.records.wording import state_word

TITLES: dict[str, tuple[str, str]] = {
    "here": ("Ist in der Liste: {state}", "It is in the list: {state}"),
    "filtered": ("Vorhanden, aber ausgefiltert: {state}", "It is there, but filtered out: {state}"),
    "older": ("Älter als der Produktivstart", "Older than the go-live"),
    "rejected": ("Abgelehnt", "Rejected"),
    "resubmitted": ("Abgelehnt, danach neu eingereicht", "Rejected, then submitted again"),
    "asking": ("Angefragt, die Antwort steht aus", "Asked for, the answer is on its way"),
    "not-found": ("Dort, wo gefragt wurde, unbekannt", "Unknown where it was asked for"),
    "never": ("Nie empfangen", "Never received"),
}
DETAILS: dict[str, tuple[str, str]] = {
    "here": ("Gehört zu {interface}.", "It belongs to {interface}."),
    "filtered": ("Gehört zu {interface}; es fehlt wegen {hidden}.", "It belongs to {interface}; hidden by {hidden}."),
    "older": (
        "{interface} überträgt nur Aufträge, die nach dem Produktivstart bestellt wurden.",
        "{interface} only transfers orders that were placed after it went live.",
    ),
    "rejected": (
        "Der Eingang ist aufbewahrt und kann ergänzt und neu eingereicht werden.",
        "What came in is kept; it can be mended and submitted again.",
    ),
    "resubmitted": (
        "Der neu eingereichte Eingang nennt eine andere Nummer oder wartet noch.",
        "What was submitted instead names another number, or still waits.",
    ),
    "asking": ("Von {by} angefragt bei {interface}.", "{by} asked {interface} for it."),
    "not-found": (
        "{by} hat bei {interface} danach gefragt; dort ist die Nummer nicht bekannt.",
        "{by} asked {interface} for it; the number is not known there.",
    ),
    "never": (
        "Keine Liste, keine Ablehnung und keine Anfrage kennt diese Nummer.",
        "No list, no rejection and no request knows this number.",
    ),
}


def say(answer: Mapping[str, Any], language: Language) -> dict[str, str]:
    """title and detail of a diagnosis."""
    english = language == "en"
    values = {
        "state": state_word(answer.get("state") or "", language),
        "interface": answer.get("interface") or "?",
        "hidden": ", ".join(answer.get("hidden_by") or ()),
        "by": answer.get("by") or "?",
    }
    title = TITLES[answer["verdict"]][english].format(**values)
    why = answer.get("why")
    return {
        "title": f"{title}: {why}" if why and answer["verdict"] in ("rejected", "resubmitted") else title,
        "detail": DETAILS[answer["verdict"]][english].format(**values),
    }
