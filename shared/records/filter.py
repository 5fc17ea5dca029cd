"""The one filter language: URL, API, CLI, CSV and bulk scope. `state:failed ordered>=2026-11-01 4711|4712 -erika`.

Terms are ANDed, `a|b` is OR, `-` negates, quotes hold a value with blanks. Days are those of the installation's
time zone. In: the text. Out: `Filter`, whose `text` is its canonical spelling, or `FilterError`. SQL: `filter_sql`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from shared.errors.catalogue import catalogue
from shared.records import dates
from shared.records.search import fold

STATES = ("never", "pending", "running", "waiting", "done", "warning", "failed", "skipped")
CHOICES: dict[str, tuple[str, ...]] = {
    "state": STATES,
    "stage": ("connect", "erp", "status", "tracking", "stock"),
    "flow": ("order-import", "order-export", "stock"),
    "type": ("parent", "variant", "simple"),
    "tracking": ("exported", "open", "failed"),
    "drift": ("yes", "no"),
    "due": ("24h", "today", "overdue"),
    "test": ("yes", "no"),
}
DATES = {"ordered": "ordered_at", "received": "received_at", "changed": "changed_at", "run": "updated_at"}
WORDS = (*CHOICES, "interface", "error", "group", "assignee", *DATES)
LONGEST = 20_000

SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
FINGERPRINT = re.compile(r"[A-Za-z_]\w*-[0-9a-f]{8}")
GROUP = re.compile(r"([a-z0-9-]{1,60})-[0-9a-f]{8}")
"""The name of a group: the error's code, and what tells its causes from each other."""

WORD = re.compile(r"([^\W\d]+)(>=|<=|[:=<>])")
EXAMPLE = "group:payment-unmapped-1f0a93bc"
QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
PLAIN = re.compile(r"[^\s|]+")


class FilterError(ValueError):
    """The filter cannot be understood. term: what part of it; suggestion: what was probably meant, or None; choices:
    the values that there are, where they are few."""

    def __init__(self, term: str, message: str, suggestion: str | None = None, choices: Collection[str] = ()) -> None:
        super().__init__(f"{term}: {message}" + (f" Did you mean {suggestion}?" if suggestion else ""))
        self.term = term
        self.message = message
        self.suggestion = suggestion
        self.choices = choices


@dataclass(frozen=True, slots=True)
class Atom:
    """One alternative. word "" is a search for a bare word; op is one of `:`, `>=`, `<=`, `>`, `<`."""

    word: str
    op: str
    value: str


@dataclass(frozen=True, slots=True)
class Term:
    """Alternatives of which one must hold, or, negated, none."""

    atoms: tuple[Atom, ...]
    negated: bool = False

    @property
    def text(self) -> str:
        """The canonical spelling."""
        parts, before = [], ("", "")
        for atom in self.atoms:
            if (atom.word, atom.op) == before:
                parts.append(_quote(atom.value))
            else:
                parts.append(f"{atom.word}{atom.op}{_quote(atom.value)}")
            before = (atom.word, atom.op)
        return "-" * self.negated + "|".join(parts)


@dataclass(frozen=True, slots=True)
class Filter:
    """What must hold for a record, in order of writing. No terms: every record."""

    terms: tuple[Term, ...]
    zone: ZoneInfo

    @property
    def text(self) -> str:
        """The canonical spelling, which parses to the same filter."""
        return " ".join(term.text for term in self.terms)


def parse(text: str, zone: ZoneInfo, known_interfaces: Collection[str] | None = None) -> Filter:
    """Read a filter. known_interfaces: names that `interface:` may say; None accepts every well-formed one.

    Raises FilterError, and nothing else, naming the first term that is not understood.
    """
    if len(text) > LONGEST:
        raise FilterError(f"{text[:20]}…", f"The filter is longer than {LONGEST} characters.")
    odd = next((char for char in text if char == "\0" or "\ud800" <= char <= "\udfff"), None)
    if odd is not None:
        raise FilterError(f"U+{ord(odd):04X}", "This character occurs in no record.")
    terms, at = [], 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        term, at = _term(text, at, zone, known_interfaces)
        terms.append(term)
    return Filter(tuple(terms), zone)


def suggest(word: str, choices: Iterable[str]) -> str | None:
    """The choice that looks most like the word, or None."""
    return next(iter(difflib.get_close_matches(word.lower(), list(choices), n=1, cutoff=0.5)), None)


def _term(text: str, at: int, zone: ZoneInfo, known: Collection[str] | None) -> tuple[Term, int]:
    begin = at
    negated = text[at] == "-"
    at += negated
    atoms: list[Atom] = []
    word, op = "", ""
    while True:
        named = WORD.match(text, at)
        if named is not None:
            at = named.end()
            word, op = _word(named[1], named[2], named[0] + (PLAIN.match(text, at) or [""])[0])
        value, at = _value(text, at, begin)
        atoms.append(_checked(Atom(word, op, value), zone, known))
        if not text.startswith("|", at):
            return Term(tuple(atoms), negated), at
        at += 1


def _word(written: str, op: str, term: str) -> tuple[str, str]:
    word, op = written.lower(), ":" if op == "=" else op
    if word not in WORDS:
        near = suggest(word, WORDS)
        message = f"The filter knows no word “{written}”. To search for a text with this sign, put it in quotes."
        raise FilterError(term, message, term.replace(written, near, 1) if near else None)
    if op != ":" and word not in DATES:
        raise FilterError(
            term, f"“{written}” cannot be compared, only {', '.join(DATES)} can.", term.replace(op, ":", 1)
        )
    return word, op


def _value(text: str, at: int, begin: int) -> tuple[str, int]:
    if text.startswith('"', at):
        quoted = QUOTED.match(text, at)
        if quoted is None:
            raise FilterError(text[begin : begin + 40], "A quote is opened and not closed.")
        end = quoted.end()
        if end < len(text) and text[end] != "|" and not text[end].isspace():
            raise FilterError(text[begin : end + 1], "Behind a closing quote there must be a blank or |.")
        return re.sub(r"\\(.)", r"\1", quoted[1]), end
    plain = PLAIN.match(text, at)
    if plain is None:
        raise FilterError(text[begin:at] or "|", "A value is missing here.")
    return plain[0], plain.end()


def _checked(atom: Atom, zone: ZoneInfo, known: Collection[str] | None) -> Atom:
    """The atom with its value in canonical form, or FilterError."""
    word, value = atom.word, atom.value
    if not word:
        if not fold(value):
            raise FilterError(value or '""', "There is no letter and no digit to search for.")
        return atom
    if word in DATES:
        try:
            dates.read(value, zone)
        except (ValueError, OverflowError):
            example = f"{word}{atom.op}2026-11-01"
            raise FilterError(
                f"{word}{atom.op}{value}", f"“{value}” is no date. Write it like {example} or {example}T10:30."
            ) from None
        return atom
    return Atom(word, ":", _CHECKS.get(word, _free)(word, value, known))


def _choice(word: str, value: str, choices: Collection[str], what: str, *, few: bool = False) -> str:
    if value.lower() in choices:
        return value.lower()
    near = suggest(value, choices)
    raise FilterError(f"{word}:{value}", what, f"{word}:{near}" if near else None, choices if few else ())


def _listed(word: str, value: str, _known: Collection[str] | None) -> str:
    message = f"There is no {word} “{value}”, only {', '.join(CHOICES[word])}."
    return _choice(word, value, CHOICES[word], message, few=True)


def _interface(word: str, value: str, known: Collection[str] | None) -> str:
    if known is None and SLUG.fullmatch(value.lower()):
        return value.lower()
    return _choice(word, value, known or (), f"There is no interface “{value}”.")


def _error(word: str, value: str, _known: Collection[str] | None) -> str:
    if FINGERPRINT.fullmatch(value):
        return value
    return _choice(word, value, catalogue().keys(), f"There is no error “{value}” in the catalogue.")


def _group(word: str, value: str, _known: Collection[str] | None) -> str:
    """A group that is gone is no mistake: it may return. One of an error that cannot be is. A code means all of its."""
    named = GROUP.fullmatch(value.lower())
    code = named[1] if named else value.lower()
    if code in catalogue() or (named and FINGERPRINT.fullmatch(code)):
        return value.lower()
    mistake = f"There is no group “{value}”. The page of groups and every error card name theirs, like {EXAMPLE}."
    near = suggest(code, catalogue().keys())
    raise FilterError(f"{word}:{value}", mistake, f"{word}:{near}{value[len(code) :]}" if near else None)


def _free(word: str, value: str, _known: Collection[str] | None) -> str:
    if not value.strip():
        raise FilterError(f'{word}:"{value}"', "A value is missing here.")
    return value


_CHECKS: dict[str, Callable[[str, str, Collection[str] | None], str]] = {
    **dict.fromkeys(CHOICES, _listed),
    "interface": _interface,
    "error": _error,
    "group": _group,
}


def _quote(value: str) -> str:
    plain = PLAIN.fullmatch(value) and not value.startswith(("-", '"')) and not WORD.match(value)
    if plain:
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
