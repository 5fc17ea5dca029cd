"""An answer whose form nobody expects is a broken answer, whatever the reading of it raised. Called by `open`.

Connectors read what vendors document. A text where a list should be is no reason to stop with an error of Python: the
runtime knows what to do about a broken answer, of a read as of a call whose outcome is unknown by then.

A mistake of ours stays an error of Python, also where an answer was read before: what no value of JSON can bring about.
Either way the log has the place.
"""

from __future__ import annotations

import functools
import re
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import structlog

from shared.connectors.contract import Reason, RemoteError
from shared.connectors.http import Http

Capability = TypeVar("Capability")
MISREAD = (AttributeError, LookupError, TypeError, ValueError, ArithmeticError, RecursionError)
"""What reading raises that trusts a form. Before anything was answered it is a mistake of ours, and stays one."""

JSON = (dict, list, str, int, float, bool, type(None))
OUR_CALL = re.compile(r"\(\) (missing \d+ required|takes |got (an unexpected|some positional-only|multiple values))")
"""How Python says that a function was called as it is not written."""


def careful(capability: Capability, http: Http) -> Capability:
    """The same object, whose methods raise RemoteError(BROKEN_ANSWER) where they could not read an answer of `http`."""
    for name in dir(type(capability)):
        method = getattr(capability, name)
        if not name.startswith("_") and callable(method):
            setattr(capability, name, _guarded(name, method, http))
    return capability


def _guarded(name: str, method: Callable[..., Any], http: Http) -> Callable[..., Any]:
    @functools.wraps(method)
    def guarded(*values: Any, **named: Any) -> Any:
        before = http.clock.answers
        try:
            found = method(*values, **named)
        except MISREAD as error:
            raise _told(name, error, http.clock.answers > before) from error
        return _pages(name, found, http) if isinstance(found, Iterator) else found

    return guarded


def _pages(name: str, pages: Iterator[Any], http: Http) -> Iterator[Any]:
    """What a method yields, read with the same care."""
    before = http.clock.answers
    try:
        yield from pages
    except MISREAD as error:
        raise _told(name, error, http.clock.answers > before) from error


def _told(name: str, error: Exception, answered: bool) -> Exception:
    """As a broken answer, with the place that could not read it; no value, which may be personal."""
    if not answered or _ours(error):
        return error
    structlog.get_logger().warning("answer.unread", operation=name, error=error, exc_info=error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{type(error).__name__} in {Path(last.filename).name}, line {last.lineno}"
    return RemoteError(Reason.BROKEN_ANSWER, f"{name.replace('_', '-')}: the answer has an unexpected form ({place})")


def _ours(error: Exception) -> bool:
    """Whether no answer can have raised it: an attribute of what is no JSON, or a call with wrong arguments."""
    if isinstance(error, AttributeError):
        return not isinstance(error.obj, JSON)
    return isinstance(error, TypeError) and OUR_CALL.search(str(error)) is not None
