"""What went wrong, for a person: one plain sentence with the next step, and the exit code. Called by `__main__`."""

from __future__ import annotations

import psycopg
import typer.exceptions

from shared.broker.delivery import BrokerGone
from shared.db.migrate import MigrationError
from shared.people.tokens import TokenError
from shared.people.users import UserError
from shared.records.filter import FilterError
from shared.records.listing import ListingError
from shared.records.selected import TooMany
from shared.seal import SealError
from shared.settings import SettingsError

FAILED = 1
USAGE = 2


class Trouble(Exception):
    """The command cannot do what was asked. code: FAILED or USAGE."""

    def __init__(self, sentence: str, code: int = FAILED) -> None:
        super().__init__(sentence)
        self.code = code


def say(error: BaseException) -> tuple[str, int]:
    """The sentence and the exit code for anything that a command raised."""
    match error:
        case Trouble():
            return str(error), error.code
        case typer.exceptions.TyperException():
            text = error.format_message()
            if text.startswith("Usage:"):  # a group without a command answers with its help
                return text, USAGE
            return f"{text} `--help` behind the command shows what it takes.", USAGE
        case SettingsError() | FilterError() | ListingError() | UserError() | TokenError() | TooMany():
            return str(error), USAGE
        case MigrationError() | SealError():
            return str(error), FAILED
        case BrokerGone():
            return f"The broker cannot be used: {_first_line(error)}. `connect doctor` says what is wrong.", FAILED
        case psycopg.errors.UndefinedTable() | psycopg.errors.UndefinedColumn():
            return "The database has no schema of this release yet: run `connect migrate`.", FAILED
        case psycopg.errors.InsufficientPrivilege():
            return (
                f"The database's role may not do this: {_first_line(error)}. Name the owner in CONNECT_DATABASE_URL"
                " for it; `connect db roles` says which roles there are."
            ), FAILED
        case psycopg.errors.QueryCanceled():
            return "The database took too long: narrow the filter and try again.", FAILED
        case psycopg.OperationalError():
            return (
                f"The database cannot be used: {_first_line(error)}. Start it, or check CONNECT_DATABASE_URL;"
                " `connect doctor` looks at everything."
            ), FAILED
        case KeyboardInterrupt() | typer.Abort():
            return "Stopped.", FAILED
        case OSError() if error.filename:
            return f"{error.filename}: {error.strerror}.", FAILED
    return (
        f"Something unexpected happened ({type(error).__name__}: {_first_line(error)})."
        " Run it again with `connect --debug …` and report what it prints."
    ), FAILED


def _first_line(error: BaseException) -> str:
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return text.rstrip(".")
