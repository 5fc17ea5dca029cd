"""What each user of the broker may do, and that RabbitMQ itself refuses everything else."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pika
import pika.exceptions
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from services.cli.__main__ import main
from services.cli.local.rabbitmq_control import Control
from shared.broker.address import parse
from shared.broker.apply import apply, check, depths
from shared.broker.delivery import BrokerGone, Fate, Message
from shared.broker.open import open_publisher
from shared.broker.queues import queues
from shared.broker.topology import DEAD_EXCHANGE, EVENTS_EXCHANGE, PROBE, UNROUTED, connect_topology, dead_queue
from shared.broker.users import LIMITS, Kind, name
from tests.support.brokers import consuming, gather

pytestmark = pytest.mark.servers
KEY = "order-imported.v1.otto-de"
QUEUE = "order-imported"
Act = Callable[[BlockingChannel], object]

TAKES: dict[str, Act] = {
    "consume": lambda channel: channel.basic_consume(QUEUE, lambda *_: None),
    "get": lambda channel: channel.basic_get(QUEUE),
    "get a dead letter": lambda channel: channel.basic_get(dead_queue(QUEUE)),
    "purge": lambda channel: channel.queue_purge(QUEUE),
}
DECLARES: dict[str, Act] = {
    "declare a queue": lambda channel: channel.queue_declare("planted", durable=True),
    "declare a queue of its own": lambda channel: channel.queue_declare("", exclusive=True),
    "declare a queue of ours again": lambda channel: channel.queue_declare(
        UNROUTED, durable=True, arguments=dict(connect_topology().queues[6].arguments)
    ),
    "declare an exchange": lambda channel: channel.exchange_declare("planted", "fanout"),
    "delete a queue": lambda channel: channel.queue_delete(QUEUE),
    "delete an exchange": lambda channel: channel.exchange_delete(EVENTS_EXCHANGE),
    "bind": lambda channel: channel.queue_bind(QUEUE, EVENTS_EXCHANGE, "#"),
    "unbind": lambda channel: channel.queue_unbind(QUEUE, EVENTS_EXCHANGE, f"{QUEUE}.#"),
}
PUTS_ELSEWHERE: dict[str, Act] = {
    "publish to the dead letters": lambda channel: channel.basic_publish(DEAD_EXCHANGE, dead_queue(QUEUE), b"1"),
    "publish to the unrouted": lambda channel: channel.basic_publish(UNROUTED, KEY, b"1"),
    "publish to another exchange": lambda channel: channel.basic_publish("amq.topic", KEY, b"1"),
}
PUTS_INTO_A_QUEUE: dict[str, Act] = {"publish into a queue": lambda channel: channel.basic_publish("", QUEUE, b"1")}


def refused(url: str, acts: dict[str, Act]) -> list[str]:
    """Which of these RabbitMQ refuses with 403."""
    found = []
    connection = pika.BlockingConnection(pika.URLParameters(url))
    for what, act in acts.items():
        try:
            channel = connection.channel()
            channel.confirm_delivery()
            act(channel)
            channel.close()
        except pika.exceptions.ChannelClosedByBroker as error:
            if error.reply_code == 403:
                found.append(what)
    connection.close()
    return found


def test_each_user_does_its_work_and_nothing_else(
    amqp_url: str, user_urls: dict[Kind, str], rabbitmq_server: Control
) -> None:
    forbidden = {
        "publisher": TAKES | DECLARES | PUTS_ELSEWHERE | PUTS_INTO_A_QUEUE,
        "services": DECLARES | PUTS_ELSEWHERE,
        "declarer": PUTS_INTO_A_QUEUE,
    }
    before = depths(amqp_url)
    for kind, acts in forbidden.items():
        assert refused(user_urls[kind], acts) == list(acts), kind  # type: ignore[index]
    assert depths(amqp_url) == before
    assert check(amqp_url) == []

    publisher = open_publisher(user_urls["publisher"], name="tests")
    assert publisher.publish([Message(b"1", KEY), Message(b"2", "misspelt")]) == [Fate.CONFIRMED] * 2
    publisher.close()
    with pytest.raises(BrokerGone, match="ACCESS_REFUSED"), consuming(user_urls["publisher"], QUEUE):
        pass
    services = open_publisher(user_urls["services"], name="tests")
    assert services.publish([Message(b"3", KEY), Message(b"4", PROBE, exchange="")]) == [Fate.CONFIRMED] * 2
    services.wake("erp", ["otto-de"])
    services.close()
    with consuming(user_urls["services"], QUEUE, UNROUTED, PROBE, "connect.wake.erp", dead_queue(QUEUE)) as consumer:
        found = gather(consumer, 5)
        assert {delivery.body for delivery in found} == {b"1", b"2", b"3", b"4", b"otto-de"}
        consumer.ack(found)
    assert not any(queue.missing for queue in queues(user_urls["services"]))
    assert check(user_urls["services"]) == []
    problems = apply(user_urls["services"])
    assert problems
    assert all("as one who has configure rights" in problem for problem in problems)

    vhost = parse(amqp_url).path
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    for queue in connect_topology().queues:
        connection.channel().queue_delete(queue.name)
    assert check(amqp_url) != []
    assert apply(user_urls["declarer"]) == []
    assert check(amqp_url) == []

    for url in (user_urls["monitoring"], urlsplit(user_urls["publisher"])._replace(path="/%2F").geturl()):
        with pytest.raises(pika.exceptions.ProbableAccessDeniedError):
            pika.BlockingConnection(pika.URLParameters(url))
    said = rabbitmq_server.evaluate(f'rabbit_auth_backend_internal:lookup_user(<<"{name(vhost, "monitoring")}">>).')
    assert "monitoring" in said.replace(name(vhost, "monitoring"), "")

    channel = connection.channel()
    for number in range(LIMITS["max-queues"] - len(connect_topology().queues)):
        channel.queue_declare(f"planted-{number}", exclusive=True)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="limit"):
        channel.queue_declare("one-too-many", exclusive=True)
    connection.close()


def test_the_command_makes_them_over_http_or_prints_what_is_imported(
    amqp_url: str,
    rabbitmq_server: Control | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The management plugin is stood in for; what it is handed, the real node imports."""
    assert rabbitmq_server is not None
    monkeypatch.setenv("CONNECT_AMQP_URL", amqp_url)
    vhost = parse(amqp_url).path
    (tmp_path / "word").write_text("a new word\n")
    asked = ["topology", "users", f"services=@{tmp_path / 'word'}"]
    posted: list[tuple[str, str | None, dict[str, Any]]] = []

    class Management(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            posted.append((self.path, self.headers["Authorization"], body))
            self.send_response(204 if len(posted) == 1 else 401)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Management)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    there = f"http://127.0.0.1:{server.server_port}"
    try:
        assert main([*asked, "--management", there, "--dry-run"]) == 0
        assert posted == []
        assert "would get this password" in capsys.readouterr().out
        assert main([*asked, "--management", there, "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"made": [name(vhost, "services")]}
        [(path, login, body)] = posted
        assert path == "/api/definitions"
        who = parse(amqp_url)
        assert login == "Basic " + base64.b64encode(f"{who.user}:{who.password}".encode()).decode()
        assert main([*asked, "--management", there]) == 1
        assert "is no administrator" in capsys.readouterr().err
    finally:
        server.shutdown()
        server.server_close()
    assert main([*asked, "--management", there]) == 1
    assert "cannot be reached" in capsys.readouterr().err
    assert main(asked) == 0
    printed = json.loads(capsys.readouterr().out)
    assert "a new word" not in json.dumps([body, printed])
    for found in (body, printed):
        text = base64.b64encode(json.dumps(found).encode()).decode()
        rabbitmq_server.evaluate(f'rabbit_definitions:import_raw(base64:decode(<<"{text}">>)).')
        with consuming(rabbitmq_server.url(vhost, name(vhost, "services"), "a new word"), QUEUE):
            pass
    rabbitmq_server.evaluate(f'rabbit_auth_backend_internal:delete_user(<<"{name(vhost, "services")}">>, <<"tests">>).')
