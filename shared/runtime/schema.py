"""Before a service begins: the database answers, and its schema is that of this release. Called by `Lifecycle.run`,
and by the service of alarms, which begins without a database too, before it works on one."""

from __future__ import annotations

import structlog

from shared.db.connect import GONE
from shared.db.migrate import MigrationError, pending
from shared.settings import SettingsError


class Schema:
    """Looks, and says once that the database is away: whoever starts before it waits and does not end."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._away = False

    def there(self) -> bool:
        """Whether to begin; False while the database does not let us in. Blocks for about five seconds at most.

        Raises SettingsError when migrations are missing, or one was changed: waiting mends neither.
        """
        try:
            fits(self._url)
        except GONE as error:
            if not self._away:
                remedy = "waits until it lets us in; `connect doctor` says what is wrong"
                structlog.get_logger().warning("database.away", error=error, reason=remedy)
            self._away = True
            return False
        return True


def fits(database_url: str) -> None:
    """Raise SettingsError when the schema is not that of this release, and what the database raises when it is away."""
    try:
        missing = pending(database_url)
    except MigrationError as error:
        raise SettingsError(str(error)) from None
    if missing:
        raise SettingsError(f"the database lacks {', '.join(missing)}: run `connect migrate`")
