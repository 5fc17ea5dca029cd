"""An address that Connect would not call is told when it is entered, and not only at the first call."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from services.cli.entered import not_called, of_sides
from services.cli.guide import guided
from services.cli.printing import Printer
from shared.connectors.registry import discover
from shared.networks import LOOPBACK, Networks
from shared.records.interfaces import NewSide

HERE = Networks.parse(LOOPBACK)
NAMES = {"shop.example.org": "93.184.215.14", "erp.local": "10.0.0.7"}


@pytest.fixture(autouse=True)
def _names(monkeypatch: pytest.MonkeyPatch) -> None:
    look_up = socket.getaddrinfo

    def resolved(host: str, port: int, *more: Any, **other: Any) -> list[Any]:
        if host.endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        if host in NAMES:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (NAMES[host], port))]
        return look_up(host, port, *more, **other)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)


@pytest.mark.parametrize(
    ("url", "networks", "words"),
    [
        ("http://shop.example.org/api", HERE, ("shop.example.org", "93.184.215.14", "https://")),
        ("http://SHOP.example.org:8080", HERE, ("shop.example.org",)),
        ("http://erp.local:8000", HERE, ("erp.local", "10.0.0.7", "CONNECT_ALLOWED_NETWORKS=erp.local")),
        ("http://erp.local:8000", Networks.parse("10.0.0.0/24"), ()),
        ("http://erp.local:8000", Networks.parse("erp.local"), ()),
        ("http://127.0.0.1:8092", HERE, ()),
        ("https://shop.example.org", HERE, ()),
        ("http://nothing.invalid", HERE, ()),
        ("http://x:99999", HERE, ()),
        ("http://[", HERE, ()),
        ("", HERE, ()),
    ],
)
def test_what_would_not_be_called_is_told_with_its_remedy(url: str, networks: Networks, words: tuple[str, ...]) -> None:
    for language in ("en", "de"):
        said = not_called(url, networks, language)  # type: ignore[arg-type]
        assert bool(said) is bool(words)
        assert all(word in said for word in words)


def test_the_side_is_named() -> None:
    sides = {
        "marketplace": NewSide({}, {}, 1.0, 8),
        "erp": NewSide({"base_url": "http://shop.example.org"}, {}, 1.0, 8),
    }
    found = of_sides(sides, lambda url: not_called(url, HERE, "en"))
    assert [one[:25] for one in found] == ["[erp] shop.example.org is"]


def test_it_is_told_while_the_interface_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    replies = iter(["", "otto", "", "id", "secret", "", "", "xentral", "http://shop.example.org", "t"])
    document = guided(
        "a", discover(), lambda _label, _secret: next(replies, ""), Printer(), lambda url: not_called(url, HERE, "en")
    )
    assert document["erp"]["base_url"] == "http://shop.example.org"
    said = " ".join(capsys.readouterr().out.split())
    assert said.count("shop.example.org is not called without encryption.") == 1
