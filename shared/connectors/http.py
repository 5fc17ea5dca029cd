"""The one way out: HTTP calls to remote systems with a deadline, and their failures in the words of `contract.Reason`.

One `Http` belongs to one opened side of an interface and is shared by its threads. What enters is an operation's name
and a request; what leaves is an `Answer`, or a `RemoteError` that holds no header, no body and no credential.
Nothing is repeated here but a read on a kept connection that turned out to be dead.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

import httpx2
import orjson
from pydantic import AfterValidator

from shared.connectors.cause import WORDS, Cause, cause_of, clock_difference, refused_addresses, scope_of, target_of
from shared.connectors.contract import CallContext, Reason, RemoteError, Tokens
from shared.connectors.deadline import CallClock, transport
from shared.connectors.depth import too_deep
from shared.connectors.exchange import Exchange, credentials, note
from shared.connectors.header_values import LONGEST_RETRY_AFTER as LONGEST_RETRY_AFTER
from shared.connectors.header_values import UNFIT, fit
from shared.connectors.header_values import retry_after as retry_after
from shared.connectors.redacted import forms
from shared.errors.problem import Problem
from shared.networks import Networks

CONNECT_SECONDS = 5.0
DEADLINE_SECONDS = 20.0
BODY_CAP = 2 * 1024 * 1024

# Many servers close a kept connection after five idle seconds. Leaving first avoids most broken ones.
KEEP_IDLE_SECONDS = 4.0

PUBLIC_ONLY = Networks()
"""What may be called where nobody says more."""

Explain = Callable[[int, Any], Sequence[Problem]]
"""Reads a refusal's body (status, parsed JSON or None) and names what the remote system complained about."""


def _checked_url(value: str) -> str:
    parts = urlsplit(value.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address such as https://api.example.org")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must not contain credentials, a query or a fragment")
    return value.strip().rstrip("/")


BaseUrl = Annotated[str, AfterValidator(_checked_url)]
"""A remote system's address. Credentials in it are refused, because addresses are shown and logged."""

_REASONS: Mapping[int, Reason] = {
    401: Reason.UNAUTHORISED,
    402: Reason.FORBIDDEN,
    403: Reason.FORBIDDEN,
    404: Reason.NOT_FOUND,
    408: Reason.TIMEOUT,
    409: Reason.CONFLICT,
    410: Reason.NOT_FOUND,
    413: Reason.TOO_LARGE,
    429: Reason.RATE_LIMITED,
}

_NOT_CALLED: Mapping[Cause, Reason] = {
    Cause.ADDRESS_REFUSED: Reason.ADDRESS_REFUSED,
    Cause.UNENCRYPTED: Reason.UNENCRYPTED,
}
"""What is not even tried until a setting is another one."""


def reason_of(status: int) -> Reason:
    """The reason behind a status that the caller did not expect."""
    if status in _REASONS:
        return _REASONS[status]
    if status >= 500:
        return Reason.UNAVAILABLE
    return Reason.INVALID if status >= 400 else Reason.BROKEN_ANSWER


@dataclass(frozen=True, slots=True)
class Answer:
    """An expected answer. `body` is the parsed JSON, None where there was none; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: Any


class Http:
    """Calls to one remote system. Safe for many threads; close it when its side is closed."""

    def __init__(
        self,
        base_url: str,
        context: CallContext,
        deadline: float,
        client: httpx2.Client,
        clock: CallClock,
        secrets: tuple[str, ...] = (),
    ) -> None:
        self.base_url = base_url
        self.deadline = deadline
        self._context = context
        self._client = client
        self.clock = clock
        self._secrets = secrets
        self._fit = True

    @classmethod
    def open(
        cls,
        base_url: str,
        context: CallContext,
        deadline: float = DEADLINE_SECONDS,
        headers: Mapping[str, str] | None = None,
        networks: Networks | None = None,
        secrets: Sequence[str] = (),
    ) -> Self:
        """Prepare calls to `base_url`; nothing is connected yet. `deadline` is seconds for one whole call.

        networks: the private addresses that may be called, and those that may be called without encryption; without
        them public ones only, over https.
        secrets: of the settings; they are taken out of whatever is kept of an exchange.
        """
        clock, given = CallClock(), headers or {}
        base_url = _checked_url(base_url)
        client = httpx2.Client(
            base_url=base_url,
            # Without compression a small answer cannot grow into a huge one past the cap.
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": "connect",
                **(given if fit(given) else {}),
            },
            timeout=httpx2.Timeout(deadline, connect=min(CONNECT_SECONDS, deadline)),
            follow_redirects=False,
            trust_env=False,
            transport=transport(clock, base_url, networks or PUBLIC_ONLY, KEEP_IDLE_SECONDS),
        )
        http = cls(base_url, context, deadline, client, clock, forms(secrets))
        http._fit = fit(given)
        return http

    def __repr__(self) -> str:
        return f"Http({self.base_url})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    @property
    def tokens(self) -> Tokens:
        """Access tokens of this side, shared with all workers."""
        return self._context.tokens

    @property
    def at_once(self) -> int:
        """How many calls of this side may be under way at the same time."""
        return self._context.at_once

    def close(self) -> None:
        """Close the kept connections."""
        self._client.close()

    def request_json(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        params: Sequence[tuple[str, str]] = (),
        json: Any = None,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        expect: Collection[int] = (200,),
        explain: Explain | None = None,
        only_reads: bool = False,
        private: bool = False,
    ) -> Answer:
        """Make one call and return its answer, or raise RemoteError. All of it ends within the deadline.

        operation: a bounded name for limits and metrics, e.g. `create-order`
        path:      relative to the base address; its parts are quoted by the caller
        json/data: the body, as JSON or as a form
        expect:    statuses that are a success; their body must be JSON or empty
        explain:   turns the body of a 4xx into problems, field by field
        only_reads: it changes nothing although it is no GET, as a GraphQL query
        private:    its bodies hold credentials and are kept nowhere; so are those of every form
        """
        ends = time.monotonic() + self.deadline
        if not (self._fit and fit(headers or {})):
            raise RemoteError(Reason.UNAUTHORISED, f"{operation}: {UNFIT}")
        content = None if json is None else orjson.dumps(json)
        kind = {} if json is None else {"Content-Type": "application/json"}
        request = self._client.build_request(
            method, path, params=list(params) or None, content=content, data=data, headers={**kind, **(headers or {})}
        )
        reads = only_reads or method == "GET"
        target = request.url.raw_path.decode("ascii", "replace")
        secrets = (*self._secrets, *credentials(headers or {}))
        said = Exchange(operation, method, target, content, not reads, private or data is not None, secrets)
        self._context.before_call(operation)
        started = time.monotonic()
        code = "error"
        try:
            if ends - started < self.deadline / 2:
                # What is left would be too short for an answer, and the outcome would be unknown for no reason.
                code = "unsent"
                raise RemoteError(Reason.RATE_LIMITED, f"{operation}: waited too long for its turn", retry_after=1.0)
            answer = self._exchange(said, request, ends, expect, explain)
            code = _code(answer.status)
            return answer
        except RemoteError as error:
            said.wrong = f"{error.reason}: {error.detail}"
            if code != "unsent":
                code = "timeout" if error.reason is Reason.TIMEOUT else _code(error.status)
            raise
        finally:
            said.seconds = time.monotonic() - started
            self._context.after_call(operation, code, said.seconds)
            note(said)

    def _exchange(
        self,
        said: Exchange,
        request: httpx2.Request,
        ends: float,
        expect: Collection[int],
        explain: Explain | None,
    ) -> Answer:
        """Send and read; a read that met a dead kept connection is sent once more."""
        operation = said.operation
        for attempt in (1, 2):
            try:
                encrypted = request.url.scheme == "https"
                with self.clock.running(ends, self._context.before_send, encrypted=encrypted):
                    response = self._client.send(request, stream=True)
                    said.status = response.status_code
                    try:
                        body = said.response = _read(operation, response)
                        self.clock.answers += 1
                    finally:
                        response.close()
            except (httpx2.TransportError, httpx2.StreamError, httpx2.DecodingError) as error:
                dead = isinstance(error, (httpx2.NetworkError, httpx2.RemoteProtocolError))
                if attempt == 1 and dead and not said.writes and not self.clock.connected:
                    continue
                # `from None`: the exception holds the request with its credentials.
                raise _failure(operation, error, request.url.host) from None
            return _judge(operation, response, body, expect, explain)
        raise AssertionError("unreachable")


def _read(operation: str, response: httpx2.Response) -> bytes:
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > BODY_CAP:
            detail = f"{operation}: the answer is larger than {BODY_CAP >> 20} MiB"
            raise RemoteError(Reason.BROKEN_ANSWER, detail, status=response.status_code)
    return bytes(body)


def _judge(
    operation: str, response: httpx2.Response, body: bytes, expect: Collection[int], explain: Explain | None
) -> Answer:
    """The only place where a status becomes a reason."""
    status = response.status_code
    parsed, readable = _parse(body)
    if status in expect and readable:
        return Answer(status, {name.lower(): value for name, value in response.headers.items()}, parsed)
    problems = tuple(explain(status, parsed)) if explain and 400 <= status < 500 else ()
    detail = f"{operation}: HTTP {status}"
    cause, clues = _seen(response, readable)
    if cause is not None:
        detail += f", {WORDS[cause].format_map(clues)}"
    elif status in expect:
        detail = f"{operation}: the answer is not JSON"
    raise RemoteError(
        Reason.BROKEN_ANSWER if status in expect else reason_of(status),
        detail,
        status=status,
        retry_after=retry_after(response.headers.get("Retry-After")) if status in (429, 503) else None,
        problems=problems,
        cause=cause,
        clues=clues,
    )


def _seen(response: httpx2.Response, readable: bool) -> tuple[Cause | None, dict[str, str]]:
    """What an unexpected answer tells about its cause: where it points, what it is, what it asks for, its clock."""
    headers = response.headers
    clues = {"host": response.request.url.host}
    if scope := scope_of(headers.get("WWW-Authenticate")):
        clues["scope"] = scope
    if (ahead := clock_difference(headers.get("Date"))) is not None:
        clues["clock"] = f"{ahead:.0f}"
    if 300 <= response.status_code < 400:
        clues["location"] = target_of(headers.get("Location", ""))
        return Cause.REDIRECT, clues
    if not readable and "html" in headers.get("Content-Type", "").lower():
        return Cause.HTML, clues
    return None, clues


def _parse(body: bytes) -> tuple[Any, bool]:
    """The JSON and whether it could be read; an empty body is no JSON and fine."""
    if not body.strip():
        return None, True
    try:
        return (None, False) if too_deep(body) else (orjson.loads(body), True)
    except orjson.JSONDecodeError:
        return None, False


def _failure(operation: str, error: Exception, host: str) -> RemoteError:
    """The only place where an exception of the client becomes a reason."""
    detail = f"{operation}: {type(error).__name__}"
    if isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)):
        cause = Cause.CONNECT_TIMEOUT if isinstance(error, httpx2.ConnectTimeout) else cause_of(error)
        clues = {"host": host, "address": refused_addresses(error)}
        if cause is not None:
            detail = f"{operation}: {WORDS[cause].format_map(clues)}"
        reason = _NOT_CALLED.get(cause, Reason.UNREACHABLE) if cause else Reason.UNREACHABLE
        return RemoteError(reason, detail, cause=cause, clues=clues)
    if isinstance(error, httpx2.TimeoutException):
        return RemoteError(Reason.TIMEOUT, detail, clues={"host": host})
    return RemoteError(Reason.BROKEN_ANSWER, detail, clues={"host": host})


def _code(status: int | None) -> str:
    """The bounded metric label of a finished call."""
    if status is None:
        return "error"
    if status == 429:
        return "429"
    return f"{status // 100}xx" if status // 100 in (2, 4, 5) else "error"
