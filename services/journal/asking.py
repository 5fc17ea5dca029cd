"""Answers to what cannot be understood (a filter, a sort, a cursor; names the term) and to what is not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from services.journal.problem_json import ApiProblem
from shared.records.filter import FilterError
from shared.records.listing import ListingError
from shared.records.selected import TooMany


@contextmanager
def understood() -> Iterator[None]:
    """400 with the term and, where there is one, what was probably meant."""
    try:
        yield
    except FilterError as error:
        more = {"term": error.term, "suggestion": error.suggestion}
        raise ApiProblem(400, "filter-not-understood", str(error), more) from None
    except ListingError as error:
        raise ApiProblem(400, "list-not-understood", str(error)) from None
    except TooMany as error:
        raise ApiProblem(413, "too-many", str(error)) from None


def there(found: dict[str, Any] | None, what: str) -> dict[str, Any]:
    """What was found; 404 for None."""
    if found is None:
        raise ApiProblem(404, "not-found", f"There is no such {what}.")
    return found
