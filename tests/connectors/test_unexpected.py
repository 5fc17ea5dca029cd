"""What could not be read of an answer is told with its place; a mistake of ours is not taken for the answer's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from shared import log
from shared.connectors.contract import Reason, RemoteError
from shared.connectors.http import Http
from shared.connectors.unexpected import careful
from tests.connectors.conftest import Context
from tests.connectors.test_http import answer, says, server

CANARY = "erika@example.org"


class Reader:
    """Reads `data.id` of an answer, and has some mistakes of its own."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def read(self) -> str:
        return str(self._http.request_json("read", "GET", "/x").body["data"]["id"])

    def asks_the_answer(self) -> Any:
        return self._http.request_json("read", "GET", "/x").body["data"].name

    def calls_what_the_answer_is(self) -> Any:
        return self._http.request_json("read", "GET", "/x").body["data"]()

    def misspelt(self) -> Any:
        self._http.request_json("read", "GET", "/x")
        return self.reed()  # type: ignore[attr-defined]

    def misspelt_module(self) -> Any:
        self._http.request_json("read", "GET", "/x")
        return json.lods("{}")  # type: ignore[attr-defined]

    def too_many(self) -> Any:
        self._http.request_json("read", "GET", "/x")
        return self.read(1)  # type: ignore[call-arg]

    def unknown_word(self) -> Any:
        self._http.request_json("read", "GET", "/x")
        return self.read(page=1)  # type: ignore[call-arg]

    def too_few(self) -> Any:
        self._http.request_json("read", "GET", "/x")
        return _of_two(1)  # type: ignore[call-arg]

    def pages(self) -> Iterator[str]:
        yield self.read()
        yield self.reed()  # type: ignore[attr-defined]


def _of_two(one: int, two: int) -> int:
    return one + two


def reader(url: str) -> Reader:
    http = Http.open(url, Context(), 5.0)
    return careful(Reader(http), http)


@pytest.mark.parametrize("method", ["read", "asks_the_answer", "calls_what_the_answer_is"])
def test_an_answer_of_another_form_is_broken_and_the_log_has_the_place(
    method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    log.set_up("importer", "json")
    try:
        with server(says(answer(json.dumps({"data": [CANARY]}).encode()))) as url, pytest.raises(RemoteError) as caught:
            getattr(reader(url), method)()
    finally:
        structlog.reset_defaults()
    assert caught.value.reason is Reason.BROKEN_ANSWER
    assert "test_unexpected.py" in caught.value.detail
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "answer.unread" in line]
    said = json.loads(line)
    assert said["operation"] == method
    (stack,) = said["exception"]
    assert stack["frames"][-1]["filename"].endswith("test_unexpected.py")
    assert CANARY not in line


@pytest.mark.parametrize(
    ("method", "error"),
    [
        ("misspelt", AttributeError),
        ("misspelt_module", AttributeError),
        ("too_many", TypeError),
        ("unknown_word", TypeError),
        ("too_few", TypeError),
    ],
)
def test_a_mistake_of_ours_stays_one_though_something_was_answered(method: str, error: type[Exception]) -> None:
    with server(says(answer(b'{"data": {"id": 1}}'))) as url, pytest.raises(error):
        getattr(reader(url), method)()


def test_a_mistake_of_ours_behind_a_page_stays_one() -> None:
    with server(says(answer(b'{"data": {"id": 1}}'))) as url:
        pages = reader(url).pages()
        assert next(pages) == "1"
        with pytest.raises(AttributeError):
            next(pages)
