"""The popovers: each is a form that says what it sets, and this makes the text of the filter from it.

They work without scripts, and the text stays the only state. Called by the lists' `/filter`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Literal

from shared.records import dates
from shared.records.filter import DATES, Atom, Filter, Term, parse
from shared.records.pasted import as_term

Set = Literal["state", "error", "ordered", "run", "numbers"]
SPANS = {"today": 0, "yesterday": 1, "7": 6, "30": 29}
"""What dates are offered in one click: name → how many days before today."""


def choose(written: Filter, word: str, values: Sequence[str]) -> str:
    """The filter with exactly these values of a word; without any, the word is not spoken of. Raises FilterError."""
    atoms = tuple(Atom(word, ":", value) for value in values if value)
    kept = tuple(term for term in written.terms if not _speaks_of(term, word))
    return _checked(replace(written, terms=(*kept, Term(atoms)) if atoms else kept))


def between(written: Filter, word: str, since: str, until: str) -> str:
    """The filter with a word between two dates as people write them; "" leaves a side open. Raises FilterError."""
    kept = tuple(term for term in written.terms if not _speaks_of(term, word))
    sides = ((">=", since.strip()), ("<=", until.strip()))
    added = tuple(Term((Atom(word, op, value),)) for op, value in sides if value)
    return _checked(replace(written, terms=(*kept, *added)))


def numbers(written: Filter, text: str) -> str:
    """The filter with a pasted list of numbers in place of one that was there. Raises FilterError."""
    kept = tuple(term for term in written.terms if not _is_list(term))
    return _checked(parse(f"{replace(written, terms=kept).text} {as_term(text)}", written.zone))


def offered(written: Filter, word: str, today: date) -> dict[str, str]:
    """By name of a span of days: the filter with it."""
    found = {}
    for name, days in SPANS.items():
        until = str(today - timedelta(days=1)) if name == "yesterday" else ""
        found[name] = between(written, word, str(today - timedelta(days=days)), until)
    return found


def said(written: Filter, word: str) -> list[str]:
    """The values of a word that are asked for: what a form shows as chosen."""
    return [atom.value for term in written.terms if not term.negated for atom in term.atoms if atom.word == word]


def sides(written: Filter, word: str) -> dict[str, str]:
    """The dates and times of a word on both sides, as the fields of a form want them."""
    found = {"since": "", "since_time": "", "until": "", "until_time": ""}
    for term in written.terms:
        if not _speaks_of(term, word) or len(term.atoms) != 1:
            continue
        (atom,) = term.atoms
        day, time = _day_and_time(atom.value, written)
        if atom.op in (":", ">=", ">"):
            found |= {"since": day, "since_time": time}
        if atom.op in (":", "<=", "<"):
            found |= {"until": day, "until_time": time}
    return found


def joined(day: str, time: str) -> str:
    """A day and a time of two fields as the filter writes them."""
    return f"{day.strip()}T{time.strip()}" if day.strip() and time.strip() else day.strip()


def _day_and_time(value: str, written: Filter) -> tuple[str, str]:
    start = dates.read(value, written.zone).start.astimezone(written.zone)
    return start.strftime("%Y-%m-%d"), start.strftime("%H:%M") if ":" in value else ""


def _speaks_of(term: Term, word: str) -> bool:
    return all(atom.word == word for atom in term.atoms) and (word in DATES or not term.negated)


def _is_list(term: Term) -> bool:
    return len(term.atoms) > 1 and not term.negated and all(not atom.word for atom in term.atoms)


def _checked(filter: Filter) -> str:
    return parse(filter.text, filter.zone).text
