"""Why a call did not get through, finer than `contract.Reason`.

For the test of a connection (`connection.py`), and in a few words for the Journal. `http.py` asks.
"""

from __future__ import annotations

import errno
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from urllib.parse import urlsplit

from shared.connectors.deadline import AddressRefused, NotCalled, Unencrypted


class Cause(StrEnum):
    """What kept a call from being answered as expected. `connections` has the texts."""

    NAME_UNKNOWN = "name-unknown"
    NAME_UNANSWERED = "name-unanswered"  # the name server did not answer
    ADDRESS_REFUSED = "address-refused"  # by us: a private address that nobody allowed
    UNENCRYPTED = "unencrypted"  # by us: plain http to where nobody allowed it
    REFUSED = "refused"  # the machine is there, nobody listens
    NO_ROUTE = "no-route"
    CONNECT_TIMEOUT = "connect-timeout"
    TLS_EXPIRED = "tls-expired"
    TLS_NOT_YET = "tls-not-yet"  # valid from later on: a clock is wrong
    TLS_UNTRUSTED = "tls-untrusted"
    TLS_OTHER_NAME = "tls-other-name"
    TLS_NONE = "tls-none"  # the port speaks plain HTTP
    TLS_FAILED = "tls-failed"
    REDIRECT = "redirect"
    HTML = "html"  # a page for people where data was expected


WORDS: Mapping[Cause, str] = {
    Cause.NAME_UNKNOWN: "the name {host} is unknown",
    Cause.NAME_UNANSWERED: "no name server answered for {host}",
    Cause.ADDRESS_REFUSED: "{host} is {address}, which CONNECT_ALLOWED_NETWORKS does not name",
    Cause.UNENCRYPTED: "{host} is {address}, where CONNECT_ALLOWED_NETWORKS allows no http:// without encryption",
    Cause.REFUSED: "{host} refused the connection",
    Cause.NO_ROUTE: "there is no way to {host}",
    Cause.CONNECT_TIMEOUT: "{host} did not take the connection in time",
    Cause.TLS_EXPIRED: "the certificate of {host} has expired",
    Cause.TLS_NOT_YET: "the certificate of {host} is not valid yet, or our clock is wrong",
    Cause.TLS_UNTRUSTED: "the certificate of {host} is not from an authority that is trusted here",
    Cause.TLS_OTHER_NAME: "the certificate is not for {host}",
    Cause.TLS_NONE: "{host} does not speak TLS on this port",
    Cause.TLS_FAILED: "TLS with {host} failed",
    Cause.REDIRECT: "a redirect to {location}; the address in the settings may be wrong",
    Cause.HTML: "a page for people instead of data",
}

_CERTIFICATE: Mapping[int, Cause] = {
    9: Cause.TLS_NOT_YET,
    10: Cause.TLS_EXPIRED,
    18: Cause.TLS_UNTRUSTED,
    19: Cause.TLS_UNTRUSTED,
    20: Cause.TLS_UNTRUSTED,
    21: Cause.TLS_UNTRUSTED,
    62: Cause.TLS_OTHER_NAME,
    63: Cause.TLS_OTHER_NAME,
    64: Cause.TLS_OTHER_NAME,
}
"""OpenSSL's numbers of what is wrong with a certificate."""

_NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE")
_SCOPE = re.compile(r'scope="?([\w:./ -]{1,200})"?')


def cause_of(error: BaseException) -> Cause | None:
    """Why no connection came about, out of everything that led to the client's error; None where nobody knows."""
    for each in _chain(error):
        match each:
            case AddressRefused():
                return Cause.ADDRESS_REFUSED
            case Unencrypted():
                return Cause.UNENCRYPTED
            case socket.gaierror():
                unanswered = each.errno in (socket.EAI_AGAIN, socket.EAI_FAIL)
                return Cause.NAME_UNANSWERED if unanswered else Cause.NAME_UNKNOWN
            case ssl.SSLCertVerificationError():
                return _CERTIFICATE.get(each.verify_code, Cause.TLS_FAILED)
            case ssl.SSLError():
                return Cause.TLS_NONE if getattr(each, "reason", "") in _NO_TLS else Cause.TLS_FAILED
            case ConnectionRefusedError():
                return Cause.REFUSED
            case TimeoutError():
                return Cause.CONNECT_TIMEOUT
            case OSError() if each.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL):
                return Cause.NO_ROUTE
    return None


def refused_addresses(error: BaseException) -> str:
    """The addresses that we did not call."""
    found = next((each for each in _chain(error) if isinstance(each, NotCalled)), None)
    return ", ".join(found.addresses[:3]) if found else ""


def scope_of(challenge: str | None) -> str:
    """Which scope a refused call would have needed, out of WWW-Authenticate; empty where it does not say."""
    found = _SCOPE.search(challenge or "")
    return found[1].strip() if found else ""


def clock_difference(date: str | None) -> float | None:
    """Seconds by which the remote system's clock is ahead of ours, out of its Date header; None without one."""
    when = http_date(date or "")
    return None if when is None else (when - datetime.now(UTC)).total_seconds()


def http_date(text: str) -> datetime | None:
    """The moment that a header names; without a zone it is UTC by definition. None where it is none."""
    try:
        when = parsedate_to_datetime(text)
        return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # also outside of the years that there are
        return None


def target_of(location: str) -> str:
    """Where a redirect leads: only what stands before the query, which may carry a token. Empty where it is none."""
    try:
        target = urlsplit(location)
        origin = f"{target.scheme}://{target.hostname}" if target.hostname else ""
    except ValueError:
        return ""
    return f"{origin}{target.path}"[:200]


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__
