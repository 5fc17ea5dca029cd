"""Turns a filter, a sort or a cursor that cannot be understood into an answer that names the term."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from services.journal.problem_json import ApiProblem
from shared.records.bulk import TooMany
from shared.records.filter import FilterError
from shared.records.listing import ListingError


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
