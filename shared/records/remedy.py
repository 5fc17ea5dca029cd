"""What to do about a problem, beyond the catalogue's text: whose turn it is, with a link, and what goes on by itself.

Pure. Called by the error card and by groups, so that both promise the same. Promises only what is watched: a key that
no record waits for is raised for nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from shared.errors.catalogue import entry, explain
from shared.errors.entry import Entry, Language
from shared.errors.problem import Problem
from shared.people.actor import Actor
from shared.records.remedy_words import words

MOST_STEPS = 3
FILLED_ON_THE_INTERFACE = ("return-number-missing", "ship-from-missing", "location-unknown")
"""Their keys are settings of the interface itself and no mappings."""


@dataclass(frozen=True, slots=True)
class Sides:
    """An interface as people know it: its slug, and what its two systems are called."""

    slug: str
    marketplace: str
    erp: str

    def target(self, flow: str) -> str:
        """The system a flow sends to."""
        return self.erp if flow == "order-import" else self.marketplace


@dataclass(frozen=True, slots=True)
class Situation:
    """How the record stands, as far as it decides what helps. watched: keys that will set it due when they come true.

    alone: it has this problem only.
    """

    flow: str
    state: str
    watched: frozenset[str]
    alone: bool = True


def remedy(
    problem: Problem, sides: Sides, situation: Situation, language: Language, actor: Actor | None = None
) -> dict[str, Any]:
    """What a person needs to know: sentence, cause, turn, steps with links, action, retry. Ready for JSON."""
    system = sides.target(situation.flow)
    filled = Problem(problem.code, problem.field, {"system": system, **problem.values})
    said, known = explain(filled, language), entry(problem.code)
    key = known.key_for({"interface": sides.slug, **filled.values})
    link, action = _link(known, filled, sides)
    steps = [{"text": step, "link": link if n == 0 else None} for n, step in enumerate(said.steps[:MOST_STEPS])]
    return {
        "code": problem.code,
        "field": problem.field,
        "sentence": said.title,
        "cause": said.cause,
        "turn": _turn(known, sides, language, actor),
        "steps": steps,
        "action": action and {"label": words(action, language), "link": link},
        "retry": _retry(known, key, system, situation, language),
    }


def _link(known: Entry, problem: Problem, sides: Sides) -> tuple[str | None, str | None]:
    """Where it is put right within Connect, and what the way there is called."""
    place = f"/interfaces/{quote(sides.slug)}"
    if known.code in FILLED_ON_THE_INTERFACE:
        return place, "open-settings"
    if known.cleared_by in ("mapping", "setting"):
        key = known.key_for(problem.values)
        if key is not None:
            kind, source = key.split(":", 1)
            return f"{place}/mappings?{urlencode({'kind': kind, 'source': source})}", "open-mapping"
    if known.kind == "auth" or (known.kind == "connection" and known.owner == "you"):
        return place, "open-test"
    return None, None


def _turn(known: Entry, sides: Sides, language: Language, actor: Actor | None) -> dict[str, Any]:
    """Whose turn it is; `may`: whether the reader's role allows it, None where it happens elsewhere or nobody asks."""
    where = {"shop": sides.marketplace, "ERP admin": sides.erp}.get(known.owner)
    may = actor.at_least("operator") if actor is not None and known.owner == "you" else None
    if may is False:
        aside = words("may-not", language)
    elif may:
        kind = "may-map" if known.cleared_by == "mapping" else "may-retry"
        aside = words("may-set" if known.cleared_by == "setting" or known.kind == "auth" else kind, language)
    else:
        at = "at-system" if known.owner == "shop" else "in-system"
        aside = words(at, language, system=where) if where else ""
    return {"owner": known.owner, "who": words(known.owner, language), "aside": aside, "may": may}


def _retry(known: Entry, key: str | None, system: str, situation: Situation, language: Language) -> dict[str, Any]:
    """Whether pressing retry helps now, what goes on by itself, and how that is said: `answer` and `more`."""
    helps, goes_on, answer, more = False, False, "after-fix", ""
    watched = key is not None and key in situation.watched
    if situation.state == "warning":
        answer = "only-know"
    elif known.retry == "when the key clears" and key is not None:
        answer = f"after-{known.cleared_by}"
        name = {"article": "looked-for", "breaker": "breaker-watched"}.get(known.cleared_by or "", "watched")
        goes_on = watched or known.cleared_by == "breaker"
        more = words(name if goes_on else "unwatched", language, key=key, system=system)
    elif situation.state == "waiting":
        goes_on, answer, more = True, "by-itself", words("tries-again", language)
    elif known.retry in ("now", "backoff"):
        helps, answer = True, "may-succeed"
    elif known.owner == "shop" and situation.flow == "order-import":
        answer, more = "after-shop", words("fetch-again", language)
    if not situation.alone and not helps and situation.state == "failed":
        more = f"{more} {words('others-left', language)}".strip()
    return {
        "helps": helps,
        "goes_on": goes_on,
        "key": key if known.retry == "when the key clears" else None,
        "answer": words(answer, language),
        "more": more,
    }
