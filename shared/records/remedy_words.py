"""The sentences of error card and groups that the error catalogue does not hold, German and English. Pure data."""

from __future__ import annotations

from collections.abc import Mapping

from shared.errors.entry import Language

WORDS: Mapping[str, tuple[str, str]] = {
    # where
    "nothing-sent-order": ("vor dem Anlegen, nichts gesendet", "before creating, nothing sent"),
    "nothing-sent": ("nichts gesendet", "nothing sent"),
    "maybe-sent": (
        "gesendet; vor dem nächsten Versuch sieht Connect nach, ob es angekommen ist",
        "sent; before the next try Connect looks whether it arrived",
    ),
    "sent": ("ein früherer Stand ist dort", "an earlier version is there"),
    "arrived": ("angekommen", "arrived"),
    # whose turn
    "you": ("Sie", "You"),
    "shop": ("Der Shop", "The shop"),
    "ERP admin": ("ERP-Verwaltung", "The ERP admin"),
    "nobody": ("Niemand, es heilt von selbst", "Nobody, it heals by itself"),
    "may-map": ("Zuordnungen darf Ihre Rolle ändern", "your role may change mappings"),
    "may-set": ("Schnittstellen darf Ihre Rolle bearbeiten", "your role may work on interfaces"),
    "may-retry": ("Wiederholen darf Ihre Rolle", "your role may retry"),
    "may-not": (
        "Ihre Rolle darf nur ansehen; geben Sie es an die Bearbeitung weiter",
        "your role may only look; hand it to somebody who may act",
    ),
    "at-system": ("bei {system}", "at {system}"),
    "in-system": ("in {system}", "in {system}"),
    # does a retry help
    "by-itself": ("Nicht nötig.", "Not needed."),
    "only-know": ("Es ist erledigt, nur zur Kenntnis.", "It is done, just so that you know."),
    "tries-again": ("Connect versucht es von selbst wieder.", "Connect tries again by itself."),
    "after-mapping": ("Erst nach der Zuordnung.", "Only once it is mapped."),
    "after-setting": ("Erst nach dem Speichern der Einstellung.", "Only once the setting is saved."),
    "after-article": ("Erst, wenn es den Artikel gibt.", "Only once the article exists."),
    "after-order": ("Erst, wenn der Auftrag da ist.", "Only once the order is there."),
    "after-breaker": ("Nicht nötig.", "Not needed."),
    "after-shop": ("Erst nach der Korrektur im Shop.", "Only once it is put right in the shop."),
    "fetch-again": (
        "Danach bitte neu vom Shop holen: Die Kopie hier bleibt, wie sie ist.",
        "Then fetch it again from the shop: the copy here stays as it is.",
    ),
    "after-fix": ("Erst nach der Behebung.", "Only once it is put right."),
    "may-succeed": ("Ja, es kann sofort gelingen.", "Yes, it may succeed at once."),
    "watched": (
        "Connect beobachtet {key} und macht dann von selbst weiter.",
        "Connect watches {key} and then goes on by itself.",
    ),
    "looked-for": (
        "Connect sieht regelmäßig in {system} nach und macht dann von selbst weiter.",
        "Connect looks regularly in {system} and then goes on by itself.",
    ),
    "breaker-watched": (
        "Sobald {system} wieder antwortet, geht es von selbst weiter.",
        "As soon as {system} answers again, it goes on by itself.",
    ),
    "unwatched": ("Danach bitte wiederholen.", "Then please retry."),
    "others-left": (
        "Erst wenn alle Probleme behoben sind, gelingt es.",
        "It succeeds only once every problem is solved.",
    ),
    # a text for somebody else
    "tell-order": ("{number} ({system}) kommt nicht weiter:", "{number} ({system}) is stuck:"),
    "tell-please": ("Bitte:", "Please:"),
    # actions
    "open-mapping": ("Zuordnung öffnen", "Open the mapping"),
    "open-settings": ("Schnittstelle öffnen", "Open the interface"),
    "open-test": ("Verbindung prüfen", "Test the connection"),
    # last time
    "mapping": ("durch eine Zuordnung", "by a mapping"),
    "setting": ("an der Schnittstelle", "at the interface"),
    "retried": ("durch Wiederholen", "by a retry"),
    "done-by-hand": ("von Hand", "by hand"),
    "itself": ("von selbst", "by itself"),
    "person": ("von Hand", "by a person"),
}
"""Name → German, English; `{key}`, `{number}` and `{system}` are filled in."""


def words(name: str, language: Language, **values: str) -> str:
    """One sentence. Raises KeyError for a name nobody wrote."""
    text = WORDS[name][language == "en"]
    for key, value in values.items():
        text = text.replace("{" + key + "}", value)
    return text
