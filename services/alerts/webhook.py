"""Alertmanager's webhook, version 4: `POST /alertmanager` on the port of /metrics.

Who may post: anybody on this machine while the port listens on the loopback address; else whoever says the token of
CONNECT_ALERTMANAGER_TOKEN, or one of `connect tokens create --role publisher` (not limited to interfaces). It answers
200 after the commit; 4xx for what will never be taken, 503 while the database is away, which Alertmanager repeats.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from ipaddress import ip_address
from typing import Annotated, Any, Literal

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from shared.alarms import received, signs
from shared.db.connect import GONE, Connection
from shared.metrics import Metrics
from shared.people.tokens import token_holder

WATCHDOG = "Watchdog"
"""The alert of Prometheus that always fires: a sign of life, not a trouble."""

MILD = frozenset({"warning", "info", "none", "ticket"})
FINGERPRINT = re.compile(r"[0-9a-f]{8,64}")
Labels = Annotated[dict[str, Annotated[str, Field(max_length=4096)]], Field(max_length=64)]


class _Alert(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    status: Literal["firing", "resolved"]
    labels: Labels
    annotations: Labels = {}
    startsAt: AwareDatetime  # their names
    endsAt: AwareDatetime | None = None
    fingerprint: Annotated[str, Field(max_length=64)] = ""

    def alert(self) -> received.Alert:
        """As it is kept. A label or a text is cut and cleaned: it may be anything."""
        name = _plain(self.labels.get("alertname", ""), 80)
        said = self.annotations.get("summary") or self.annotations.get("description") or ""
        key = self.fingerprint if FINGERPRINT.fullmatch(self.fingerprint) else _hash(self.labels)
        return received.Alert(
            key,
            name,
            _plain(self.labels.get("interface", ""), 63),
            self._with_runbook(_plain(said, 300) or name),
            "warning" if self.labels.get("severity", "").lower() in MILD else "error",
            self.startsAt,
            _ever(self.endsAt),
            self.status == "resolved",
        )

    def _with_runbook(self, said: str) -> str:
        """Where to read on stands behind what is said, in the mail as in the list of incidents."""
        page = _plain(self.annotations.get("runbook") or self.annotations.get("runbook_url") or "", 90)
        return f"{said[:200]} → {page}" if page else said


class _Notification(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    version: Literal["4"]
    alerts: Annotated[list[_Alert], Field(max_length=1000)]
    truncatedAlerts: Annotated[int, Field(ge=0)] = 0


class Webhook:
    """Takes notifications. Called by the threads of the port."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        metrics: Metrics,
        wake: Callable[[], None],
        *,
        host: str,
        token: str | None,
        failpoint: Callable[[str], None] = lambda _: None,
    ) -> None:
        """connect: opens a connection; wake: asks for a round; host: where the port listens; token: of the settings."""
        self._connect, self._metrics, self._wake = connect, metrics, wake
        self._open, self._token, self._failpoint = is_loopback(host), token, failpoint

    def take(self, body: bytes, authorization: str | None) -> tuple[int, object]:
        """Status and answer to one notification."""
        try:
            status, answer = self._taken(body, authorization)
        except GONE as error:
            structlog.get_logger().warning("alertmanager.database-away", error=error)
            status, answer = 503, _problem(503, "The database does not answer: the same again later, please.")
        self._metrics.alerts_received.labels(
            "taken" if status == 200 else "later" if status == 503 else "refused"
        ).inc()
        return status, answer

    def _taken(self, body: bytes, authorization: str | None) -> tuple[int, object]:
        said = (authorization or "").removeprefix("Bearer ").strip()
        if not self._open and not said:
            return 401, _problem(401, "Who are you? Send the header “Authorization: Bearer …” with a token of Connect.")
        known = self._open or (self._token is not None and hmac.compare_digest(said.encode(), self._token.encode()))
        if not known:
            with self._connect() as conn:
                if not _may(conn, said):
                    return 403, _problem(403, "This token is unknown, revoked, or not one that may post alerts.")
        try:
            found = _Notification.model_validate(json.loads(body))
        except ValidationError as error:
            return 422, _problem(422, "This is not a notification of Alertmanager, version 4.") | {
                "problems": [
                    {"field": ".".join(map(str, one["loc"])), "message": one["msg"]}
                    for one in error.errors(include_input=False, include_url=False, include_context=False)[:20]
                ]
            }
        except (ValueError, RecursionError):
            return 400, _problem(400, "The body is not JSON.")
        missing = [n for n, one in enumerate(found.alerts) if not _plain(one.labels.get("alertname", ""), 80)]
        if missing:
            problems = [{"field": f"alerts.{n}.labels.alertname", "message": "is missing"} for n in missing[:20]]
            return 422, _problem(422, "An alert without a name.") | {"problems": problems}
        return 200, self._keep(found)

    def _keep(self, found: _Notification) -> dict[str, Any]:
        watchdogs = [one for one in found.alerts if one.labels["alertname"] == WATCHDOG]
        alerts = {(kept := one.alert()).key: kept for one in found.alerts if one.labels["alertname"] != WATCHDOG}
        with self._connect() as conn, conn.transaction():
            received.keep(conn, alerts.values())
            if any(one.status == "firing" for one in watchdogs):
                signs.seen(conn, signs.WATCHDOG)
        self._failpoint("alertmanager.kept")
        if alerts:
            self._wake()
        counts = Counter("resolved" if one.over else "firing" for one in alerts.values())
        structlog.get_logger().info("alertmanager.taken", counts=dict(counts), count=len(watchdogs))
        return {"firing": counts["firing"], "resolved": counts["resolved"], "watchdog": bool(watchdogs)}


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a port that listens there."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _may(conn: Connection, token: str) -> bool:
    holder = token_holder(conn, token)
    return holder is not None and holder.interfaces is None and holder.may_post_for("")


def _plain(text: str, most: int) -> str:
    """One line of printable characters: what somebody else wrote, on its way into a mail."""
    return " ".join("".join(c if c.isprintable() else " " for c in text[: most * 4]).split())[:most]


def _hash(labels: dict[str, str]) -> str:
    text = json.dumps(labels, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _ever(at: datetime | None) -> datetime | None:
    """Alertmanager writes the year 1 for what has no end yet."""
    return None if at is None or at.year < 1970 else at


def _problem(status: int, title: str) -> dict[str, Any]:
    return {"title": title, "status": status}
