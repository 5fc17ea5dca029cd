"""Says of an address as it is entered that Connect would not call it: plain http to where the operator allowed none.

The name may answer differently later, so the socket decides at each call (`shared.connectors.deadline`); this is only
so that nobody waits for the test of the connection to hear of it. Called by `interfaces add`, `set` and `import`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpcore2

from services.cli.printing import Printer
from shared.connectors.deadline import NotCalled, Unencrypted, allowed
from shared.errors.catalogue import explain
from shared.errors.entry import Language
from shared.errors.problem import Problem
from shared.networks import Networks
from shared.records.interfaces import NewSide

HTTP_PORT = 80


def not_called(base_url: str, networks: Networks, language: Language) -> str:
    """What is wrong with an http:// address, and its remedy; empty where it may be called, or nobody knows its name."""
    try:
        parts = urlsplit(base_url.strip())
        host, port = parts.hostname, parts.port or HTTP_PORT
    except ValueError:  # the connector's settings say it better
        return ""
    if parts.scheme != "http" or not host:
        return ""
    try:
        allowed(host, port, networks, encrypted=False)
    except NotCalled as error:
        code = "connection-unencrypted" if isinstance(error, Unencrypted) else "connection-address-refused"
        said = explain(Problem(code, "", {"host": host, "address": ", ".join(error.addresses[:3])}), language)
        return " ".join((said.title, said.cause, *said.steps))
    except httpcore2.ConnectError:
        return ""
    return ""


def of_sides(sides: Mapping[str, NewSide], say: Callable[[str], str]) -> list[str]:
    """The same for every side's `base_url`, with the side's name in front. say: see `not_called`."""
    given: dict[str, Any] = {name: side.settings.get("base_url") for name, side in sides.items()}
    told = {name: say(str(url)) for name, url in given.items() if url}
    return [f"[{name}] {text}" for name, text in told.items() if text]


def print_remarks(printer: Printer, remarks: list[str]) -> None:
    """One line each."""
    for remark in remarks:
        printer.line((remark, "remark"))
