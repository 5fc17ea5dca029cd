"""A group in words: its title, whose turn it is, what helps, and a text to hand on. Pure; for API, pages and CLI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.errors.catalogue import ASIDE, entry
from shared.errors.entry import VARIABLE, Language
from shared.people.actor import Actor
from shared.records.remedy import Sides, Situation, remedy
from shared.records.resources import OF_FLOW
from shared.records.wording import problems

OF_EVERY_CASE = {"system", "place", "interface"}
"""Variables that do not differ within a group, or are left out of its title."""


def told(
    group: Mapping[str, Any], titles: Mapping[str, str], language: Language, actor: Actor | None = None
) -> dict[str, Any]:
    """The group with `title`, `example` (the title shows the values of one record of several), `hop`, `remedy`,
    `resource`. titles: connector key → its name for people."""
    (problem,) = problems([group["problem"]]) or problems([{"code": group["code"]}])
    title = entry(problem.code).texts(language).title
    general = type(problem)(problem.code, "" if ASIDE in title else problem.field, problem.values)
    sides = Sides(
        group["interface"], *(titles.get(group[name]) or group[name].title() for name in ("marketplace", "erp"))
    )
    states = group["states"]
    state = next((one for one in ("failed", "waiting", "warning") if states.get(one)), "failed")
    explained = remedy(general, sides, Situation(group["flow"], state, frozenset(group["watched"])), language, actor)
    varying = set(VARIABLE.findall(title)) - OF_EVERY_CASE
    kept = {name: value for name, value in group.items() if name not in ("watched", "problem", "marketplace", "erp")}
    return kept | {
        "state": state,
        "title": explained["sentence"],
        "example": bool(varying) and group["value"] is None and group["count"] > 1,
        "hop": {"source": "Connect", "target": sides.target(group["flow"])},
        "remedy": explained,
        "resource": OF_FLOW[group["flow"]].name,
    }
