"""What Tryton says when it does not do something: as HTTP 200 with a list of errors. The list → a `RemoteError`.

["UserError", ["message", "description", …]]    refused for a reason that a person can read; nothing was changed
["UserWarning", ["name", "message", …]]         would like a person to confirm
["ConcurrencyException", "…"]                   somebody else changed the record
["LoginException", […]]                         wants more than the password
["text of an exception", "traceback"]           anything else: a fault of the server, or something it lacks
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from shared.connectors.contract import Reason, RemoteError
from shared.connectors.worded import place
from shared.errors.problem import Problem

SYSTEM = "Tryton"
_NAMED = re.compile(r"^'?[A-Za-z_][A-Za-z0-9_.:-]{0,99}'?$")
"""What a missing module or field sounds like: the bare name of it."""


def refused(operation: str, error: Any) -> RemoteError:
    """The error to raise. The texts of unknown exceptions are not passed on: they may hold anything."""
    parts = list(error) if isinstance(error, Sequence) and not isinstance(error, str) else [error]
    kind = parts[0] if parts and isinstance(parts[0], str) else ""
    content = parts[1] if len(parts) > 1 else ""
    if kind in ("UserError", "UserWarning"):
        texts = content if isinstance(content, list) else [content]
        first = 0 if kind == "UserError" else 1
        return _complaint(operation, " ".join(str(text) for text in texts[first : first + 2] if text))
    if kind == "ConcurrencyException":
        return RemoteError(Reason.CONFLICT, f"{operation}: somebody else changed the record")
    if kind == "LoginException":
        return RemoteError(Reason.UNAUTHORISED, f"{operation}: more than a password is asked for")
    if _NAMED.match(kind):
        return _complaint(operation, f"there is no {place(kind.strip(chr(39))) or 'such thing'}")
    # Nothing was committed before the exception, but what runs after a commit may have raised it as well.
    return RemoteError(Reason.UNAVAILABLE, f"{operation}: an exception on the server")


def _complaint(operation: str, message: str) -> RemoteError:
    text = message[:300]
    problem = Problem("remote-refused", "", {"message": text, "detail": text, "system": SYSTEM})
    return RemoteError(Reason.INVALID, f"{operation}: refused", problems=(problem,))
