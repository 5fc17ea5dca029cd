"""What the audit's verbs and details say to people, German and English. Called by the Journal and `connect audit`.

A verb is `<what>.<deed>`; a test finds every verb that is audited anywhere and asks for its sentence here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

Language = Literal["de", "en"]

SENTENCES: dict[str, tuple[str, str]] = {
    "orders.retry": ("Aufträge wiederholt", "Retried orders"),
    "exports.retry": ("Exporte wiederholt", "Retried exports"),
    "articles.retry": ("Artikel wiederholt", "Retried articles"),
    "orders.ignore": ("Aufträge ignoriert", "Ignored orders"),
    "exports.ignore": ("Exporte ignoriert", "Ignored exports"),
    "articles.ignore": ("Artikel ignoriert", "Ignored articles"),
    "orders.unignore": ("Aufträge nicht mehr ignoriert", "Stopped ignoring orders"),
    "exports.unignore": ("Exporte nicht mehr ignoriert", "Stopped ignoring exports"),
    "articles.unignore": ("Artikel nicht mehr ignoriert", "Stopped ignoring articles"),
    "orders.import": ("Aufträge zum Import angefragt", "Asked for orders to be imported"),
    "orders.fetch": ("Aufträge neu vom Shop geholt", "Fetched orders again"),
    "orders.edit": ("Daten eines Auftrags berichtigt", "Corrected the data of an order"),
    "exports.export": ("Auftragsstatus und Tracking exportieren lassen", "Had order status and tracking exported"),
    "articles.sync": ("Artikel synchronisieren lassen", "Had articles synced"),
    "orders.done-by-hand": ("Auftrag als von Hand angelegt eingetragen", "Marked an order as created by hand"),
    "articles.listing": ("Liste der Artikel neu lesen lassen", "Had the listing read again"),
    "articles.drift": (
        "Bestände mit dem Marktplatz vergleichen lassen",
        "Had quantities compared with the marketplace",
    ),
    "bulk.cancel": ("Lauf abgebrochen", "Cancelled a run"),
    "bulk.resume": ("Lauf fortgesetzt", "Resumed a run"),
    "groups.note": ("Notiz zu einer Ursache geschrieben", "Wrote a note on a cause"),
    "groups.assign": ("Ursache zugewiesen", "Assigned a cause"),
    "groups.ack": ("Ursache bestätigt", "Acknowledged a cause"),
    "groups.unack": ("Bestätigung einer Ursache zurückgenommen", "Took back the acknowledgement of a cause"),
    "rejections.resubmit": ("Ablehnung erneut eingereicht", "Submitted a rejection again"),
    "rejections.resubmit-all": ("Ablehnungen gleicher Ursache erneut eingereicht", "Submitted alike rejections again"),
    "rejections.set-aside": ("Ablehnung beiseitegelegt", "Set a rejection aside"),
    "rejections.reopen": ("Ablehnung wieder geöffnet", "Opened a rejection again"),
    "interfaces.add": ("Schnittstelle angelegt", "Added an interface"),
    "interfaces.import": ("Schnittstelle aus einer Datei geändert", "Changed an interface from a file"),
    "interfaces.set": ("Einstellungen geändert", "Changed settings"),
    "interfaces.map": ("Zuordnung gespeichert", "Saved a mapping"),
    "interfaces.unmap": ("Zuordnung entfernt", "Removed a mapping"),
    "interfaces.mode": ("Betrieb umgestellt", "Switched the mode"),
    "interfaces.rehearsal": ("Prüfung der Generalprobe gestartet", "Started a look of the rehearsal"),
    "interfaces.test-connection": ("Verbindungen getestet", "Tested the connections"),
    "interfaces.listing": ("Filter der gelisteten Artikel geändert", "Changed the filter of listed articles"),
    "interfaces.return-numbers": ("Retourennummern hinzugefügt", "Added return numbers"),
    "interfaces.cancels": ("Umgang mit Stornierungen geändert", "Changed what cancellations do"),
    "interfaces.webhook": ("Webhook eingerichtet", "Set up a webhook"),
    "privacy.find": ("Daten einer Person gesucht", "Looked up a person's data"),
    "privacy.export": ("Daten einer Person herausgegeben", "Handed out a person's data"),
    "privacy.erase": ("Daten einer Person löschen lassen", "Had a person's data erased"),
    "privacy.erased": ("Daten einer Person sind gelöscht", "A person's data is erased"),
    "archive.run": ("Alte Aufträge ins Archiv gelegt", "Put old orders into the archive"),
    "archive.restore": ("Aufträge aus dem Archiv zurückgeholt", "Brought orders back from the archive"),
    "privacy.hold": ("Löschsperre gesetzt", "Held an order's data"),
    "privacy.release": ("Löschsperre aufgehoben", "Released an order's data"),
    "privacy.returned": ("Gelöschte Daten kamen mit einem Ereignis wieder", "Erased data came back with an event"),
    "secrets.rotate": ("Zugangsdaten neu verschlüsselt", "Sealed the credentials anew"),
    "alarms.add": ("Alarm erstellt", "Created an alarm"),
    "alarms.change": ("Alarm geändert", "Changed an alarm"),
    "alarms.remove": ("Alarm gelöscht", "Deleted an alarm"),
    "alarms.pause": ("Alarm angehalten", "Paused an alarm"),
    "alarms.resume": ("Alarm fortgesetzt", "Resumed an alarm"),
    "maintenance.plan": ("Wartung geplant", "Planned maintenance"),
    "maintenance.end": ("Wartung beendet", "Ended maintenance"),
    "calendar.add": ("Freie Tage eingetragen", "Entered free days"),
    "calendar.remove": ("Freie Tage entfernt", "Removed free days"),
    "limits.change": ("Altersgrenze geändert", "Changed a limit of age"),
    "alarms.test": ("Testmail eines Alarms geschickt", "Sent a test mail of an alarm"),
    "alarms.leave": ("Von einem Alarm abgemeldet", "Unsubscribed from an alarm"),
    "alarms.confirm": ("Adresse für einen Alarm bestätigt", "Confirmed an address for an alarm"),
    "incidents.acknowledge": ("Vorfall bestätigt", "Acknowledged an incident"),
    "incidents.snooze": ("Vorfall verschoben", "Snoozed an incident"),
    "views.save": ("Ansicht gespeichert", "Saved a view"),
    "views.delete": ("Ansicht gelöscht", "Deleted a view"),
    "records.reveal": ("Personendaten eingesehen", "Looked at personal data"),
    "me.change": ("Eigene Sprache oder Zeitzone geändert", "Changed own language or time zone"),
    "me.password": ("Eigenes Passwort geändert", "Changed own password"),
    "me.sessions": ("Eigene Sitzung beendet", "Ended an own session"),
    "users.add": ("Benutzer angelegt", "Added a user"),
    "users.change": ("Benutzer geändert", "Changed a user"),
    "users.password": ("Passwort gesetzt", "Set a password"),
    "users.lock": ("Benutzer gesperrt", "Locked a user"),
    "users.unlock": ("Benutzer entsperrt", "Unlocked a user"),
    "users.log-out": ("Sitzungen eines Benutzers beendet", "Ended the sessions of a user"),
    "login.done": ("Angemeldet", "Logged in"),
    "login.refused": ("Anmeldung abgewiesen", "Login refused"),
    "tokens.create": ("Token erzeugt", "Created a token"),
    "tokens.revoke": ("Token widerrufen", "Revoked a token"),
}
"""Verb → what was done, for a line that begins with who did it."""

LABELS: dict[str, tuple[str, str]] = {
    "interface": ("Schnittstelle", "interface"),
    "flow": ("Datenfluss", "flow"),
    "mode": ("Betrieb", "mode"),
    "from": ("Aufträge ab", "orders since"),
    "missing": ("Nicht nachgewiesen", "not proved"),
    "filter": ("Filter", "filter"),
    "record": ("Datensatz", "record"),
    "run": ("Lauf", "run"),
    "receipt": ("Quittung", "receipt"),
    "errand": ("Auftrag an Connect", "errand"),
    "matched": ("gefunden", "matched"),
    "done": ("ausgeführt", "done"),
    "skipped": ("ausgelassen", "left out"),
    "count": ("Anzahl", "count"),
    "fields": ("Felder", "fields"),
    "payload_no": ("Fassung", "copy"),
    "kind": ("Art", "kind"),
    "source": ("Wort", "word"),
    "target": ("jetzt", "now"),
    "before": ("vorher", "before"),
    "due": ("laufen weiter", "go on"),
    "rejection": ("Ablehnung", "rejection"),
    "outcome": ("Ergebnis", "result"),
    "edited": ("bearbeitet", "edited"),
    "code": ("Ursache", "cause"),
    "group": ("Ursache", "cause"),
    "erp_number": ("ERP-Nummer", "ERP number"),
    "dry_run": ("nur angesehen", "only looked"),
    "side": ("Seite", "side"),
    "names": ("Geändert", "changed"),
    "changed": ("Geändert", "changed"),
    "carrier": ("Versanddienst", "carrier"),
    "new": ("neu", "new"),
    "cancels": ("storniert mit", "cancels too"),
    "url": ("Adresse", "address"),
    "user": ("Benutzer", "user"),
    "role": ("Rolle", "role"),
    "active": ("aktiv", "active"),
    "may_reveal": ("darf Käuferdaten sehen", "may see buyers' data"),
    "language": ("Sprache", "language"),
    "time_zone": ("Zeitzone", "time zone"),
    "token": ("Token", "token"),
    "deed": ("Vorgang", "request"),
    "sought": ("gesucht nach", "looked up by"),
    "number": ("Nummer", "number"),
    "part": ("Teil des Archivs", "part of the archive"),
    "month": ("Monat", "month"),
    "left_alone": ("bleiben", "left alone"),
    "records": ("Datensätze", "records"),
    "days": ("Tage", "days"),
    "network": ("aus dem Netz", "from the network"),
    "through": ("mit", "with"),
}
YES_NO = {True: ("ja", "yes"), False: ("nein", "no")}


def sentence(verb: str, language: Language = "en") -> str:
    """What was done, e.g. "Retried orders"; the verb itself where nobody wrote a sentence."""
    return SENTENCES[verb][language == "en"] if verb in SENTENCES else verb


def details(target: Mapping[str, Any], language: Language = "en") -> Iterator[tuple[str, str, str]]:
    """(name, its label, its value as text) of everything a line holds that says something."""
    order = {name: place for place, name in enumerate(LABELS)}
    for name, value in sorted(target.items(), key=lambda item: order.get(item[0], len(order))):
        if isinstance(value, Mapping) and value.keys() == {"before", "now"}:
            was, now = (_text("–" if value[key] is None else value[key], language) for key in ("before", "now"))
            yield name, LABELS[name][language == "en"] if name in LABELS else name, f"{was} → {now}"
        elif isinstance(value, Mapping):
            yield from details(value, language)
        elif value not in (None, "", [], False) or name == "cancels":
            label = LABELS[name][language == "en"] if name in LABELS else name
            yield name, label, _text(value, language)


def _text(value: Any, language: Language) -> str:
    if isinstance(value, bool):
        return YES_NO[value][language == "en"]
    if isinstance(value, list):
        return ", ".join(_text(one, language) for one in value)
    return str(value)
