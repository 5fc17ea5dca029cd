"""What a GraphQL answer says: its data, or a RemoteError. Pure. Most failures arrive as HTTP 200."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.connectors.contract import Reason, RemoteError
from shared.connectors.http import LONGEST_RETRY_AFTER
from shared.connectors.worded import code, joined
from shared.errors.problem import Problem

SYSTEM = "Shopify"

_REASONS: Mapping[str, Reason] = {
    "THROTTLED": Reason.RATE_LIMITED,
    "ACCESS_DENIED": Reason.FORBIDDEN,
    "SHOP_INACTIVE": Reason.FORBIDDEN,
    "UNAUTHORIZED": Reason.UNAUTHORISED,
    "MAX_COST_EXCEEDED": Reason.TOO_LARGE,
    "INTERNAL_SERVER_ERROR": Reason.UNAVAILABLE,
    "TIMEOUT": Reason.UNAVAILABLE,
}


def data_of(operation: str, body: Any, *, changes: bool = False) -> Mapping[str, Any]:
    """The data of an answer with HTTP 200. Raises RemoteError.

    changes: whether it is the answer to a change. Errors beside its data mean that it was carried out and that only the
    answer is incomplete: the outcome is unknown. Without data nothing was carried out.
    """
    if not isinstance(body, Mapping):
        raise RemoteError(Reason.BROKEN_ANSWER, f"{operation}: the answer is no object", status=200)
    data, errors = body.get("data"), _errors(body)
    if not errors:
        if not isinstance(data, Mapping):
            raise RemoteError(Reason.BROKEN_ANSWER, f"{operation}: the answer holds no data", status=200)
        return data
    kind = _code(errors[0])
    partial = isinstance(data, Mapping) and any(value is not None for value in data.values())
    if partial and (changes or kind not in _REASONS):
        detail = f"{operation}: the answer is incomplete: {_message(errors[0])}"
        raise RemoteError(Reason.BROKEN_ANSWER, detail, status=200)
    reason = _REASONS.get(kind, Reason.INVALID)
    detail = f"{operation}: {kind or _message(errors[0])}"
    if reason is Reason.RATE_LIMITED:
        raise RemoteError(reason, detail, status=200, retry_after=seconds_to_wait(body))
    if reason is Reason.FORBIDDEN:
        detail = f"{operation}: {_message(errors[0])}"
    problems = [_problem("", _message(error)) for error in errors] if reason is Reason.INVALID else ()
    raise RemoteError(reason, detail, status=200, problems=problems)


def seconds_to_wait(body: Any) -> float | None:
    """Until the points that a throttled call asked for are there again; None where the answer does not say."""
    try:
        cost = body["extensions"]["cost"]
        status = cost["throttleStatus"]
        missing = float(cost["requestedQueryCost"]) - float(status["currentlyAvailable"])
        return min(max(missing / float(status["restoreRate"]), 0.0), LONGEST_RETRY_AFTER)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None


def user_errors(payload: Any, name: str = "userErrors") -> list[Mapping[str, Any]]:
    """What a change complains about, field by field; empty where it was carried out."""
    given = payload.get(name) if isinstance(payload, Mapping) else None
    if not isinstance(given, list):
        raise RemoteError(Reason.BROKEN_ANSWER, "the answer does not say whether it was carried out", status=200)
    return [each for each in given if isinstance(each, Mapping)]


def refused(operation: str, errors: Sequence[Mapping[str, Any]], reason: Reason = Reason.INVALID) -> RemoteError:
    """The error to raise for complaints of a change: it was not carried out."""
    problems = [_problem(joined(path_of(error)), _message(error)) for error in errors]
    return RemoteError(reason, f"{operation}: {_message(errors[0])}", status=200, problems=problems)


def path_of(error: Mapping[str, Any]) -> list[str]:
    """The input field that a complaint is about."""
    field = error.get("field")
    return [str(part) for part in field] if isinstance(field, list) else []


def _problem(field: str, message: str) -> Problem:
    return Problem("remote-refused", field, {"message": message, "detail": message, "system": SYSTEM})


def _errors(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The list of errors; refusals before GraphQL begins are a plain text."""
    given = body.get("errors")
    if isinstance(given, str):
        return [{"message": given}]
    return [each for each in given if isinstance(each, Mapping)] if isinstance(given, list) else []


def _code(error: Mapping[str, Any]) -> str:
    extensions = error.get("extensions")
    said = extensions.get("code") if isinstance(extensions, Mapping) else None
    return code(said) or ("THROTTLED" if error.get("message") == "Throttled" else "")


def _message(error: Mapping[str, Any]) -> str:
    return str(error.get("message") or "")[:300]
