"""A loop that takes turns over the database until it is told to stop. Used by `runner` and `keeping`."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from shared.db.connect import GONE, Connection
from shared.errors.fingerprint import fingerprint
from shared.failpoint import Planted

TROUBLE_SECONDS = 5.0


class Turns:
    """Takes one after the other on a connection that it opens again when it is gone.

    name: of its lines in the log; once: a turn, False where there is nothing to do for `look_seconds`.
    """

    def __init__(
        self, name: str, connect: Callable[[], Connection], once: Callable[[Connection], bool], look_seconds: float
    ) -> None:
        self._name, self._connect, self._once, self._look_seconds = name, connect, once, look_seconds
        self._log = structlog.get_logger()

    def run(self, beat: Callable[[], None], stopping: Callable[[], bool], pause: Callable[[float], None]) -> None:
        """Until stopping. What nobody foresaw is logged and tried again: nothing of the turn has happened."""
        while not stopping():
            beat()
            try:
                with self._connect() as conn:
                    while not stopping():
                        beat()
                        if not self._once(conn):
                            pause(self._look_seconds)
            except GONE as error:
                self._log.warning(f"{self._name}.database-gone", error=error)
                pause(self._look_seconds)
            except Planted:
                raise
            except Exception as error:
                self._log.error(
                    f"{self._name}.unclassified", error=error, fingerprint=fingerprint(error), exc_info=True
                )
                pause(TROUBLE_SECONDS)
