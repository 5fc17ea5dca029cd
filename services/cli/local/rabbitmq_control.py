"""Makes vhosts on a private RabbitMQ and asks it things, from any process that knows its folder.

Enters: what `RabbitMQ.control` wrote down. Called by `rabbitmq.py` and the tests; plain data, so that it can be handed
from the process that runs the node to others.
"""

import base64
import json
import secrets
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from services.cli.local.ports import LOOPBACK
from shared.broker import users

NODE = "connect@localhost"
USER = "connect"


@dataclass(frozen=True, slots=True)
class Control:
    """Where the node is and how to speak to it."""

    port: int
    scripts: str
    erl_call: str | None
    environment: Mapping[str, str]
    password: str = field(repr=False)
    node: str = NODE

    def url(self, vhost: str, user: str = USER, password: str | None = None) -> str:
        """amqp://... of a vhost, for its administrator or for another user."""
        secret = quote(self.password if password is None else password, safe="")
        return f"amqp://{user}:{secret}@{LOOPBACK}:{self.port}/{quote(vhost, safe='')}"

    def let_in(self, vhost: str, passwords: Mapping[users.Kind, str]) -> dict[users.Kind, str]:
        """Make the users of a vhost, or change their passwords; returns each one's URL. Raises RuntimeError."""
        text = base64.b64encode(json.dumps(users.definitions(vhost, passwords)).encode()).decode()
        self.evaluate(f'rabbit_definitions:import_raw(base64:decode(<<"{text}">>)).')
        return {kind: self.url(vhost, users.name(vhost, kind), password) for kind, password in passwords.items()}

    def vhost(self, name: str) -> str:
        """Make an empty vhost and return its URL. Raises RuntimeError."""
        self.evaluate(
            f'rabbit_vhost:add(<<"{name}">>, <<"{USER}">>), rabbit_auth_backend_internal:set_permissions('
            f'<<"{USER}">>, <<"{name}">>, <<".*">>, <<".*">>, <<".*">>, <<"{USER}">>).'
        )
        return self.url(name)

    def drop(self, names: Sequence[str]) -> None:
        """Remove vhosts with all that is in them."""
        gone = ", ".join(f'<<"{name}">>' for name in names)
        self.evaluate(f'[catch rabbit_vhost:delete(V, <<"{USER}">>) || V <- [{gone}]].')

    def evaluate(self, expression: str, timeout: float = 60.0) -> str:
        """Run Erlang expressions on the node, separated by commas, with a full stop. Raises RuntimeError.

        With erl_call this takes milliseconds; rabbitmqctl, the way out where it is missing, starts a node of its own.
        """
        if self.erl_call:
            # A name of its own (-h): two callers of one name are not let in at the same time.
            name = f"caller-{secrets.token_hex(4)}"
            command = [self.erl_call, "-h", name, "-sname", self.node, "-timeout", str(int(timeout)), "-e"]
            text = expression + "\n"
        else:
            command, text = [f"{self.scripts}/rabbitmqctl", "-q", "eval", expression], ""
        done = subprocess.run(  # noqa: S603
            command, input=text, env=dict(self.environment), capture_output=True, text=True, timeout=timeout
        )
        if done.returncode != 0 or "{error" in done.stdout:
            raise RuntimeError(f"RabbitMQ refused {expression!r}: {done.stdout.strip()} {done.stderr.strip()}")
        return done.stdout
