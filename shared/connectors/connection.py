"""Tests the connection of one side of an interface: everything its connector can do is asked whether it would work, and
what is wrong is explained in German or English, with its fix. Nothing is changed there.

Called by the command line and by the Journal's API. The texts are those of the catalogue (connection.toml).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any

from shared.connectors.cause import Cause
from shared.connectors.contract import CallContext, Connector, OwnTokens, Reason, RemoteError
from shared.connectors.facts import is_secret
from shared.connectors.open import (
    Opened,
    open_sink,
    open_source,
    open_status_sink,
    open_status_source,
    open_stock_sink,
    open_stock_source,
)
from shared.errors.catalogue import explain
from shared.errors.entry import Language
from shared.errors.problem import Problem
from shared.networks import Networks

DEADLINE = 10.0
"""Seconds for one check."""

CLOCK_SECONDS = 60.0
"""A difference that systems which check timestamps do not forgive."""

Open = Callable[[Connector, Mapping[str, Any], CallContext, float, Networks | None], Opened[Any]]

CHECKS: Mapping[str, tuple[tuple[str, str, Open], ...]] = {
    "marketplace": (
        ("orders", "source", open_source),
        ("stock", "stock_sink", open_stock_sink),
        ("shipments", "status_sink", open_status_sink),
    ),
    "erp": (
        ("orders", "sink", open_sink),
        ("articles", "stock_source", open_stock_source),
        ("changes", "status_source", open_status_source),
    ),
}
"""Per side: what is checked, the capability of the manifest that it takes, how that is opened. The first one counts."""

_BY_REASON: Mapping[Reason, str] = {
    Reason.UNREACHABLE: "connection-unknown",
    Reason.ADDRESS_REFUSED: "connection-address-refused",
    Reason.UNENCRYPTED: "connection-unencrypted",
    Reason.TIMEOUT: "connection-slow",
    Reason.BROKEN_ANSWER: "connection-broken",
    Reason.UNAVAILABLE: "connection-down",
    Reason.RATE_LIMITED: "connection-busy",
    Reason.UNAUTHORISED: "connection-credentials",
    Reason.FORBIDDEN: "connection-permission",
    Reason.NOT_FOUND: "connection-path",
}
_CLOCK_MATTERS = (Reason.UNAUTHORISED, Reason.FORBIDDEN, Reason.INVALID)


class NoContext:
    """A `CallContext` for calls by hand: no rate limit, no metrics, a token of its own."""

    def __init__(self) -> None:
        self.tokens = OwnTokens()
        self.at_once = 1

    def before_call(self, operation: str) -> None:
        """Nothing is waited for."""

    def before_send(self) -> None:
        """Nothing is kept back."""

    def after_call(self, operation: str, code: str, seconds: float) -> None:
        """Nothing is counted."""


def examine(
    connector: Connector,
    side: str,
    values: Mapping[str, Any],
    networks: Networks | None = None,
    language: Language = "en",
    deadline: float = DEADLINE,
) -> dict[str, Any]:
    """{"system", "ok", "code", "problem", "fix", "checks": [{"name", "ok", "code", "problem", "fix"}]}.

    ok is False where orders do not go through, or anything else fails for another reason than a missing permission: who
    grants no access to stock may not want it. Never raises for a remote system or for wrong settings.
    """
    checks = list(_checks(connector, side, values, networks, language, deadline))
    bad = [one for one in checks if not one["ok"]]
    heavy = [one for one in bad if one is checks[0] or one["code"] != _BY_REASON[Reason.FORBIDDEN]]
    first = (heavy or bad or [{"code": None, "problem": None, "fix": None}])[0]
    told = {name: first[name] for name in ("code", "problem", "fix")}
    return {"system": connector.title, "ok": not heavy, **told, "checks": checks}


def _checks(
    connector: Connector,
    side: str,
    values: Mapping[str, Any],
    networks: Networks | None,
    language: Language,
    deadline: float,
) -> Iterator[dict[str, Any]]:
    """One after the other; what keeps every call from getting through ends it."""
    for name, capability, opener in CHECKS[side]:
        if getattr(connector, capability) is None:
            continue
        problem, last = None, False
        try:
            opened, http = opener(connector, values, NoContext(), deadline, networks)
            with closing(http):
                opened.ping()
        except RemoteError as error:
            problem = problem_of(error, connector, name)
            last = error.reason not in (Reason.FORBIDDEN, Reason.NOT_FOUND, Reason.INVALID)
        except ValueError as error:
            detail = str(error).splitlines()[0]
            problem, last = Problem("connection-settings", "", {"system": connector.title, "detail": detail}), True
        if problem is None:
            yield {"name": name, "ok": True, "code": None, "problem": None, "fix": None}
            continue
        said = explain(problem, language)
        yield {
            "name": name,
            "ok": False,
            "code": problem.code,
            "problem": f"{said.title} {said.cause}",
            "fix": " ".join(said.steps),
        }
        if last:
            return


def problem_of(error: RemoteError, connector: Connector, check: str) -> Problem:
    """The catalogue's problem for a call that failed, with everything its text names."""
    clues = error.clues
    off = abs(float(clues.get("clock", "0")))
    secret = [name for name, field in connector.settings.model_fields.items() if is_secret(field)]
    values = {
        "system": connector.title,
        "host": clues.get("host") or connector.title,
        "address": clues.get("address", ""),
        "location": clues.get("location") or "–",
        "status": str(error.status or "–"),
        "detail": next((each.values["message"] for each in error.problems if "message" in each.values), error.detail),
        "seconds": f"{off:.0f}",
        "permission": clues.get("scope") or connector.permissions.get(check) or check,
        "settings": ", ".join(secret) or "–",
    }
    return Problem(_code(error, off), "", values)


def _code(error: RemoteError, clock_off: float) -> str:
    if error.reason in _CLOCK_MATTERS and clock_off > CLOCK_SECONDS:
        return "connection-clock"
    if error.cause == Cause.HTML and error.reason in (Reason.UNAUTHORISED, Reason.FORBIDDEN, Reason.UNAVAILABLE):
        return _BY_REASON[error.reason]  # many systems answer these with a page
    if error.cause is not None:
        return f"connection-{error.cause}"
    return _BY_REASON.get(error.reason, "connection-request")
