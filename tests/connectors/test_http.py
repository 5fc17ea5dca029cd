"""The one way out: deadlines, caps, and what becomes of every answer and every broken connection."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from shared.connectors.contract import Reason, RemoteError
from shared.connectors.http import BODY_CAP, Http, reason_of, retry_after
from shared.errors.problem import Problem
from tests.connectors.conftest import Context

Talk = Callable[[socket.socket, int], None]


@contextmanager
def server(talk: Talk) -> Iterator[str]:
    """A server that speaks as it likes: `talk(connection, number of the connection)`, each in a thread."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve(connection: socket.socket, number: int) -> None:
        with connection:
            try:
                talk(connection, number)
            except OSError:
                return

    def accept() -> None:
        number = 0
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            number += 1
            threading.Thread(target=serve, args=(connection, number), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def request_of(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:
            return b""
        data += chunk
    return data


def answer(body: bytes = b"{}", status: str = "200 OK", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def says(text: bytes) -> Talk:
    def talk(connection: socket.socket, number: int) -> None:
        while request_of(connection):
            connection.sendall(text)

    return talk


def call(url: str, method: str = "GET", deadline: float = 1.0, **more: Any) -> Any:
    with Http.open(url, Context(), deadline) as http:
        return http.request_json("try", method, "/x", **more)


def refused(url: str, **more: Any) -> RemoteError:
    with pytest.raises(RemoteError) as caught:
        call(url, **more)
    return caught.value


@pytest.mark.parametrize("part", ["headers", "body"])
def test_a_trickling_answer_ends_at_the_deadline(part: str) -> None:
    def talk(connection: socket.socket, number: int) -> None:
        request_of(connection)
        if part == "body":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        else:
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while True:
            connection.sendall(b"a")
            time.sleep(0.02)

    with server(talk) as url:
        started = time.monotonic()
        assert refused(url, deadline=0.5).reason is Reason.TIMEOUT
        assert time.monotonic() - started < 1.5


def test_a_body_beyond_the_cap_is_not_read_to_its_end() -> None:
    with server(says(answer(b"[" + b" " * (BODY_CAP + 1) + b"]"))) as url:
        error = refused(url, deadline=5.0)
    assert (error.reason, "larger" in error.detail) == (Reason.BROKEN_ANSWER, True)


@pytest.mark.parametrize(
    "text",
    [
        answer(b"<html>"),
        answer(b"{", "200 OK"),
        answer(b"{}", "302 Found", Location="http://elsewhere.example/"),
        answer(b"{}", "204 No Content"),
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}",
    ],
)
def test_what_is_no_expected_json_is_a_broken_answer(text: bytes) -> None:
    def talk(connection: socket.socket, number: int) -> None:
        request_of(connection)
        connection.sendall(text)

    with server(talk) as url:
        assert refused(url).reason is Reason.BROKEN_ANSWER


def test_a_dead_kept_connection_is_replaced_once_for_a_read_and_never_for_a_write() -> None:
    seen: list[bytes] = []

    def talk(connection: socket.socket, number: int) -> None:
        seen.append(request_of(connection))
        connection.sendall(answer())
        if number in (1, 3, 5):
            # It looks alive until the next request arrives, and breaks without an answer.
            seen.append(request_of(connection))
            return
        request_of(connection)

    with server(talk) as url:
        for method, outcome in (("GET", "ok"), ("POST", "ok"), ("POST", "broken")):
            with Http.open(url, Context(), 2.0) as http:
                http.request_json("first", "GET", "/1")
                if outcome == "ok":
                    assert http.request_json("second", method, "/2", only_reads=method == "POST").status == 200
                else:
                    with pytest.raises(RemoteError) as caught:
                        http.request_json("second", method, "/2", json={})
                    assert caught.value.reason is Reason.BROKEN_ANSWER
    assert sum(request.startswith(b"POST") for request in seen) == 3, "the query twice, the write once"


def test_the_reason_of_each_status() -> None:
    expected = {
        401: Reason.UNAUTHORISED, 403: Reason.FORBIDDEN, 404: Reason.NOT_FOUND, 409: Reason.CONFLICT,
        413: Reason.TOO_LARGE, 429: Reason.RATE_LIMITED, 400: Reason.INVALID, 422: Reason.INVALID, 418: Reason.INVALID,
        500: Reason.UNAVAILABLE, 502: Reason.UNAVAILABLE, 599: Reason.UNAVAILABLE, 204: Reason.BROKEN_ANSWER,
        301: Reason.BROKEN_ANSWER,
    }  # fmt: skip
    assert {status: reason_of(status) for status in expected} == expected


def test_retry_after_in_seconds_or_as_a_date_is_capped() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert retry_after("7") == 7
    assert retry_after(later) == pytest.approx(100, abs=3)
    assert retry_after("999999999999") == retry_after("inf") == 3600
    assert retry_after("-5") == retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert retry_after(None) is retry_after("soon") is retry_after("nan") is None


def test_a_refusal_is_explained_by_its_body() -> None:
    def explain(status: int, body: Any) -> list[Problem]:
        return [Problem("remote-refused", body["field"], {"message": str(status)})]

    with server(says(answer(b'{"field": "a.b"}', "422 Unprocessable"))) as url:
        (problem,) = refused(url, explain=explain).problems
    assert (problem.field, problem.values["message"]) == ("a.b", "422")


def test_an_unknown_host_and_a_closed_port_are_unreachable() -> None:
    assert refused("http://nothing.invalid", deadline=3.0).reason is Reason.UNREACHABLE
    assert refused("http://127.0.0.1:9").reason is Reason.UNREACHABLE


def test_waiting_too_long_for_its_turn_sends_nothing() -> None:
    class Slow(Context):
        def before_call(self, operation: str) -> None:
            time.sleep(0.3)

    sent: list[int] = []
    with server(lambda _, number: sent.append(number)) as url, Http.open(url, Slow(), 0.4) as http:
        with pytest.raises(RemoteError) as caught:
            http.request_json("try", "POST", "/", json={})
        assert caught.value.reason is Reason.RATE_LIMITED
    assert not sent


def test_a_guard_is_asked_after_connecting_and_keeps_everything_back() -> None:
    class LeaseOver(Exception):
        pass

    class Over(Context):
        def before_send(self) -> None:
            raise LeaseOver

    got: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    with server(lambda connection, _: got.put(connection.recv(1000))) as url, Http.open(url, Over(), 2.0) as http:
        with pytest.raises(LeaseOver):
            http.request_json("try", "POST", "/", json={})
        assert got.get(timeout=5) == b"", "it was connected, and then nothing was sent"


def test_calls_are_reported_by_bounded_codes() -> None:
    context = Context()
    with server(says(answer(b"{}", "503 Busy", Retry_After="3"))) as url, Http.open(url, context, 1.0) as http:
        with pytest.raises(RemoteError) as caught:
            http.request_json("a", "GET", "/")
        assert caught.value.retry_after == 3
    with server(says(answer())) as url, Http.open(url, context, 1.0) as http:
        http.request_json("b", "GET", "/")
    hung_up = threading.Event()

    def hang(connection: socket.socket, number: int) -> None:
        while connection.recv(65536):
            pass
        hung_up.set()

    with server(hang) as url, Http.open(url, context, 0.3) as http, pytest.raises(RemoteError):
        http.request_json("c", "GET", "/")
    assert hung_up.wait(5), "the connection of a call that ran out of time is closed"
    assert context.calls == [("a", "5xx"), ("b", "2xx"), ("c", "timeout")]


@pytest.mark.parametrize(
    "url", ["ftp://x.example", "x.example", "https://user:pass@x.example", "https://x.example/?a=1"]
)
def test_an_address_with_credentials_or_none_at_all_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must"):
        Http.open(url, Context())


def test_many_threads_share_one_client() -> None:
    with server(says(answer(b'{"a": 1}'))) as url, Http.open(url, Context(), 5.0) as http:
        bodies: list[Any] = []

        def work() -> None:
            bodies.extend(http.request_json("try", "GET", "/").body for _ in range(20))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert bodies == [{"a": 1}] * 160


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\0b", "tök", "a\u2028b", " a", "a\x7f", "a\t"])
@pytest.mark.parametrize("always", [True, False])
def test_a_line_break_in_a_header_is_not_sent_and_shown_nowhere(value: str, always: bool) -> None:
    heard: list[bytes] = []

    def listen(connection: socket.socket, number: int) -> None:
        heard.append(request_of(connection))
        connection.sendall(answer())

    headers = {"X-Token": value}
    with server(listen) as url, Http.open(url, Context(), headers=headers if always else None) as http:
        with pytest.raises(RemoteError) as raised:
            http.request_json("create-order", "POST", "/orders", json={}, headers=None if always else headers)
        assert raised.value.reason is Reason.UNAUTHORISED, "nothing was sent, so nothing is looked up"
        assert "line break" in str(raised.value)
        assert "Evil" not in str(raised.value)
        assert heard == []
