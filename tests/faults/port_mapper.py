"""Tells Erlang nodes where their neighbours listen, as epmd does; every node asks one of its own.

So a node can be told the port of a gate in place of its neighbour's own, and what lies between two nodes can be cut,
without root and without network namespaces.
"""

from __future__ import annotations

import secrets
import socketserver
import struct
import threading
from collections.abc import Callable
from contextlib import suppress

from services.cli.local.ports import LOOPBACK

REGISTER, ASK, NAMES = 120, 122, 110
REGISTERED, FOUND = 118, 119
NODE_TYPE, PROTOCOL, HIGHEST, LOWEST = 77, 0, 6, 5


class Registry:
    """name -> the port that a living node has told. Shared by the mappers of a cluster; thread-safe."""

    def __init__(self) -> None:
        self._ports: dict[str, int] = {}
        self._lock = threading.Lock()

    def put(self, name: str, port: int) -> None:
        """A node is up."""
        with self._lock:
            self._ports[name] = port

    def drop(self, name: str, port: int) -> None:
        """It is gone, unless another one came under its name."""
        with self._lock:
            if self._ports.get(name) == port:
                del self._ports[name]

    def all(self) -> dict[str, int]:
        """Every living node."""
        with self._lock:
            return dict(self._ports)


class PortMapper:
    """Serves the protocol of epmd on the given port. shown: from a name and its port to the port that is answered."""

    def __init__(self, port: int, registry: Registry, shown: Callable[[str, int], int]) -> None:
        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError, struct.error):
                    _serve(self, port, registry, shown)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._server = Server((LOOPBACK, port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="port mapper", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


def _serve(
    handler: socketserver.BaseRequestHandler, own: int, registry: Registry, shown: Callable[[str, int], int]
) -> None:
    """One request: a node's registration holds the connection for as long as the node lives."""
    connection = handler.request
    with connection.makefile("rb") as file:
        (size,) = struct.unpack(">H", file.read(2))
        body = file.read(size)
        kind, rest = body[0], body[1:]
        if kind == REGISTER:
            port, (length,) = struct.unpack(">H", rest[:2])[0], struct.unpack(">H", rest[8:10])
            name = rest[10 : 10 + length].decode()
            registry.put(name, port)
            connection.sendall(struct.pack(">BBI", REGISTERED, 0, secrets.randbelow(2**31) + 4))
            try:
                file.read(1)
            finally:
                registry.drop(name, port)
        elif kind == ASK:
            name = rest.decode()
            known = registry.all().get(name)
            if known is None:
                connection.sendall(struct.pack(">BB", FOUND, 1))
                return
            head = struct.pack(">BBHBBHH", FOUND, 0, shown(name, known), NODE_TYPE, PROTOCOL, HIGHEST, LOWEST)
            connection.sendall(head + struct.pack(">H", len(name)) + name.encode() + struct.pack(">H", 0))
        elif kind == NAMES:
            lines = "".join(f"name {name} at port {port}\n" for name, port in registry.all().items())
            connection.sendall(struct.pack(">I", own) + lines.encode())
