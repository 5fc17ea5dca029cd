"""How the open incidents are kept between two rounds: as JSON, and read back. Called by `round`."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from shared.alarms.incidents import Cause, Incidents, Standing

_LIST: TypeAdapter[list[tuple[Cause, Standing]]] = TypeAdapter(list[tuple[Cause, Standing]])


def to_json(incidents: Incidents) -> Any:
    """A JSON value."""
    return _LIST.dump_python(list(incidents.standing.items()), mode="json")


def from_json(value: Any) -> Incidents:
    """What `to_json` made."""
    return Incidents(dict(_LIST.validate_python(value)))
