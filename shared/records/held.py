"""Why a record is held: it waits for its turn, and its flow is in test or paused. Told when it is shown, never stored.

So that it is right at every moment, whoever switches whatever. Called by `listing` and `history`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.errors.entry import Language
from shared.errors.problem import Problem
from shared.records.modes import Standing
from shared.records.wording import explained

CODES = {"test": "held-in-test", "paused": "held-paused"}


def held(row: Mapping[str, Any], known: Mapping[str, Standing]) -> Problem | None:
    """What holds the record; None where nothing does, or where a person wants it to run all the same."""
    standing = known.get(row["interface"])
    if standing is None or row["state"] not in ("pending", "waiting") or row["forced"]:
        return None
    code = CODES.get(standing.mode(row["flow"]))
    return None if code is None else Problem(code, values={"interface": row["interface"]})


def said(
    reason: dict[str, Any] | None, problem: Problem | None, language: Language
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The reason and what holds it, in words: where the record has no reason of its own, that it is held is one."""
    if problem is None:
        return reason, None
    told = explained([problem.as_json()], language)
    holds = {"code": problem.code, "sentence": told[0]["sentence"]}
    return reason or {"sentence": told[0]["sentence"], "problems": told}, holds
