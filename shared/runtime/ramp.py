"""After an outage calls at once grow 1, 2, 4 … while they succeed: a system that has just come back is not run over."""

from __future__ import annotations


class Ramp:
    """Of one lane; belongs to the work loop. full: from so many on there is no limit any more."""

    def __init__(self, full: int) -> None:
        self._full = full
        self._limit: int | None = None
        self._well = 0

    @property
    def limit(self) -> int | None:
        """How many records may be in hand now; None: as many as ever."""
        return self._limit

    def begin(self) -> None:
        """The remote system is away: whenever it is back, one call at a time is the beginning."""
        self._limit, self._well = 1, 0

    def note(self, *, away: bool) -> None:
        """How a record fared. The limit doubles once as many went well as it allows; a failure puts it back."""
        if self._limit is None:
            return
        if away:
            self.begin()
            return
        self._well += 1
        if self._well >= self._limit:
            self._limit, self._well = 2 * self._limit, 0
        if self._limit >= self._full:
            self._limit = None
