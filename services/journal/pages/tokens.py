"""The filter as tokens, drawn from its text: each can be taken away with one click."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shared.records.filter import Filter, Term

SHOWN = 3


@dataclass(frozen=True, slots=True)
class Token:
    """word: with its sign, "" of a bare word; value: shortened; whole: the term; without: the filter without it."""

    word: str
    value: str
    negated: bool
    whole: str
    without: str


def tokens(written: Filter) -> list[Token]:
    """The terms in the order of writing."""
    return [
        Token(_word(term), _value(term), term.negated, term.text, _without(written, index))
        for index, term in enumerate(written.terms)
    ]


def _without(written: Filter, index: int) -> str:
    return replace(written, terms=written.terms[:index] + written.terms[index + 1 :]).text


def _word(term: Term) -> str:
    first = term.atoms[0]
    return f"{'-' * term.negated}{first.word}{first.op}"


def _value(term: Term) -> str:
    shown = Term(term.atoms[:SHOWN]).text.removeprefix(f"{term.atoms[0].word}{term.atoms[0].op}")
    more = len(term.atoms) - SHOWN
    return f"{shown}|… +{more}" if more > 0 else shown
