"""A record's history as people read it, each hop once. Called by its page; the API tells every transition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from shared.records.history import newest_first
from shared.records.parts import LANE, NAMES
from shared.records.wording import step


def hops(
    happened: Iterable[Mapping[str, Any]], flow: str, seen: Mapping[str, Any], language: Any
) -> list[dict[str, Any]]:
    """The transitions worth a line. seen: the first copy of the event, which says when the other side knew of it.

    Left out are claims that ended, and what an export as a whole became where its parts say it.
    """
    moved = [dict(one) for one in happened if one["kind"] == "transition"]
    ended = {(one["claim_no"], one["stage"]) for one in moved if one["from_state"] == "running"}
    by_parts = {one["claim_no"] for one in moved if one["stage"] in NAMES}
    told = [
        one
        for one in moved
        if not (one["to_state"] == "running" and (one["claim_no"], one["stage"]) in ended)
        and not (one["stage"] == LANE and one["from_state"] == "running" and one["claim_no"] in by_parts)
    ]
    told = list({(one["at"], one["sentence"]): one for one in told}.values())  # both parts may say the same
    first = next((one for one in told if one["stage"] == "connect" and one["from_state"] is None), None)
    at = _time(seen.get("time"))
    if first and at and at <= first["at"]:
        said = step(flow, "connect", "pending", first, language)
        told.append({**first, "at": at, "seq": 0, "to_state": "seen", "sentence": said, "claim_no": None})
    return newest_first(told)


def _time(text: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
