"""What the items of a rehearsal's checklist say, German and English. Called by `rehearsal`."""

from __future__ import annotations

from shared.errors.entry import Language

TITLES: dict[str, tuple[str, str]] = {
    "connection": ("{system} antwortet und nimmt die Zugangsdaten an", "{system} answers and accepts the credentials"),
    "history": ("Bisherige Aufträge des Shops gelesen", "The shop's recent orders are read"),
    "payment": (
        "Ein Auftrag mit der Zahlungsart {value} ist übertragen",
        "An order paid by {value} has been transferred",
    ),
    "shipping": (
        "Ein Auftrag mit der Versandart {value} ist übertragen",
        "An order shipped by {value} has been transferred",
    ),
    "tax": ("Ein Auftrag mit {value} % Steuer ist übertragen", "An order with {value} % tax has been transferred"),
    "mappings": ("Alle Zuordnungen sind vollständig", "All mappings are complete"),
    "stock-sample": ("Bestände stichprobenweise gelesen und verglichen", "A sample of stock is read and compared"),
    "alarm-mail": ("Eine Test-Mail der Alarme ist angekommen", "A test mail of the alarms has arrived"),
}
SAYS: dict[str, tuple[str, str]] = {
    "not-tested": ("Noch nicht geprüft.", "Not tested yet."),
    "changed": (
        "Die Einstellungen wurden seit der letzten Prüfung geändert.",
        "The settings have changed since the last test.",
    ),
    "answered": ("Geprüft.", "Tested."),
    "not-read": ("Noch nicht gelesen.", "Not read yet."),
    "refused": ("Es ließ sich nicht lesen ({code}).", "It could not be read ({code})."),
    "read": ("{orders} Aufträge seit {since} gelesen.", "{orders} orders since {since} were read."),
    "read-some": (
        "{orders} Aufträge seit {since} gelesen; es gibt mehr.",
        "{orders} orders since {since} were read; there are more.",
    ),
    "none": (
        "Der Shop zeigt keinen Auftrag seit {since}; es gibt nichts zu proben.",
        "The shop shows no order since {since}; there is nothing to rehearse.",
    ),
    "unproved": (
        "{count} der gelesenen Aufträge, z. B. {example}. Noch keiner davon ist im ERP.",
        "{count} of the orders that were read, e.g. {example}. None of them is in the ERP yet.",
    ),
    "proved": ("Auftrag {number} ist im ERP.", "Order {number} is in the ERP."),
    "mapped": ("Den gelesenen Aufträgen fehlt keine.", "The orders that were read lack none."),
    "gaps": ("Es fehlen: {gaps}.", "Missing: {gaps}."),
    "compared": (
        "{read} Bestände im ERP gelesen; {compared} zeigt der Marktplatz, {equal} davon gleich.",
        "{read} quantities read from the ERP; the marketplace shows {compared} of them, {equal} the same.",
    ),
    "nothing-read": (
        "Das ERP kennt keinen der Artikel aus den Aufträgen und der Liste.",
        "The ERP knows none of the articles of the orders and the listing.",
    ),
    "sent-by-hand": ("{sku} wurde übertragen.", "{sku} has been sent."),
    "no-stock": (
        "Diese beiden Systeme tauschen keinen Bestand aus.",
        "These two systems exchange no stock.",
    ),
    "no-alarms": (
        "Noch kein Alarm überwacht {slug}; ohne ihn erfährt niemand per Mail, wenn etwas steht. Es hindert das"
        " Liveschalten nicht.",
        "No alarm watches {slug} yet; without one nobody is told by mail what stands still. It does not keep you"
        " from going live.",
    ),
    "not-mailed": (
        "Ein Alarm ist angelegt, aber noch keine Mail kam beim Mailserver an.",
        "There is an alarm, but no mail of it has reached the mail server yet.",
    ),
    "mailed": ("Der Mailserver hat eine Mail des Alarms angenommen.", "The mail server has taken a mail of the alarm."),
}
FIXES: dict[str, tuple[str, str]] = {
    "look": (
        "Starten Sie die Prüfung: connect interfaces rehearsal {slug}",
        "Start the test: connect interfaces rehearsal {slug}",
    ),
    "import": (
        "Übertragen Sie einen von Hand: connect orders import --interface {slug} {example}",
        "Transfer one by hand: connect orders import --interface {slug} {example}",
    ),
    "map": ("Ergänzen Sie: {commands}", "Add: {commands}"),
    "mail": (
        "Schicken Sie eine Testmail: connect alarms list, dann connect alarms test NUMMER",
        "Send a test mail: connect alarms list, then connect alarms test NUMBER",
    ),
    "sync": (
        "Übertragen Sie einen Artikel von Hand: connect articles sync --interface {slug} SKU",
        "Send an article by hand: connect articles sync --interface {slug} SKU",
    ),
}


def word(table: dict[str, tuple[str, str]], name: str, language: Language, **values: object) -> str:
    """A text with its values."""
    return table[name][language == "en"].format_map(values)
