"""What looking at hints brings: the events to publish, and which hints are answered by them. Part of `hinted`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from shared.connectors.contract import RemoteError
from shared.db.connect import Connection
from shared.records.hints import Mark
from shared.records.interfaces import Interface
from shared.runtime.erp_events import Made


@dataclass(slots=True)
class Seen:
    """What one look saw. looked: the hints that it answers; error ended it before the others."""

    looked: Sequence[Mark]
    events: list[Made] = field(default_factory=list)
    error: RemoteError | None = None


class Look(Protocol):
    """Looks at hints in an ERP, opened for one interface."""

    def look(self, conn: Connection, slug: str, marks: Sequence[Mark]) -> Seen:
        """Read what the hints name. Raises RemoteError where nothing of it counts."""
        ...


OpenLook = Callable[[Interface], tuple[Look, Callable[[], None]]]
"""Opens a look at one interface, and how to close it. Raises ValueError where the settings do not fit."""
