"""What makes two failures one: the code, and what would have to come true for both.

Used by the alarms (an incident is about one cause) and wherever failures are put together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from shared.errors.catalogue import UNCLASSIFIED, entry


class CodeAndKey(NamedTuple):
    """key: e.g. `payment:PAYPAL`, the mark of an unclassified error, or empty where nothing tells two apart."""

    code: str
    key: str


def cause_of(code: str | None, problems: Sequence[Mapping[str, Any]]) -> CodeAndKey:
    """The cause of a record that stands so; problems as stored (`Problem.as_json`), the first one counts."""
    first = problems[0] if problems else {}
    named = code or str(first.get("code") or UNCLASSIFIED)
    values = {str(name): str(value) for name, value in dict(first.get("values") or {}).items()}
    if named == UNCLASSIFIED:
        return CodeAndKey(named, values.get("fingerprint", ""))
    return CodeAndKey(named, entry(named).key_for(values) or "")
