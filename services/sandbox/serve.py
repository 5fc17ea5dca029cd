"""Serves the stand-in of every connector, each on its own port, all in one thread with one event loop."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from services.sandbox.faults import Sandbox
from services.sandbox.goods import goods
from services.sandbox.mails import MailCatcher
from services.sandbox.pace import keep_placing
from shared.connectors.contract import Connector


@contextmanager
def serving(
    connectors: Mapping[str, Connector],
    folder: Path,
    ports: Mapping[str, int],
    place_every: float | None = None,
    host: str = "127.0.0.1",
    *,
    mails: bool = False,
    may_move: bool = False,
) -> Iterator[dict[str, str]]:
    """Serve while inside; yields the address of each stand-in by connector.

    ports:       by connector; 0 or none takes a free one
    mails:       also catch mails: `smtp` takes them, `mails` shows them; both are among ports and addresses
    may_move:    a port that is taken is no failure: another one is used
    place_every: seconds between demo orders, and between the steps of what ERPs do by themselves; None: nothing moves
    host:        where they listen; the addresses are those of this machine
    """
    sandboxes = {key: build(connector, folder) for key, connector in connectors.items() if connector.sandbox}
    catcher = MailCatcher(folder / "mails") if mails else None
    names = [*sandboxes, *(("mails", "smtp") if catcher else ())]
    sockets = {name: _listen(host, ports.get(name, 0), may_move) for name in names}
    servers = {key: _server(sandbox) for key, sandbox in sandboxes.items()}
    if catcher:
        servers["mails"] = _server(catcher.app)
    ready, failure = threading.Event(), list[BaseException]()

    async def run() -> None:
        tasks = [asyncio.create_task(server.serve(sockets=[sockets[key]])) for key, server in servers.items()]
        if catcher:
            await asyncio.get_running_loop().create_server(catcher.smtp, sock=sockets["smtp"])
        placing = asyncio.create_task(keep_placing(sandboxes, place_every)) if place_every else None
        try:
            while not all(server.started or task.done() for server, task in zip(servers.values(), tasks, strict=True)):
                await asyncio.sleep(0.01)
            ready.set()
            await asyncio.gather(*tasks)
        finally:
            if placing:
                placing.cancel()

    def main() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:
            failure.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=main, name="sandbox", daemon=True)
    thread.start()
    ready.wait()
    try:
        if failure:
            raise failure[0]
        yield {
            name: f"{'smtp' if name == 'smtp' else 'http'}://127.0.0.1:{each.getsockname()[1]}"
            for name, each in sockets.items()
        }
    finally:
        for server in servers.values():
            server.should_exit = True
        thread.join(timeout=5)
        for each in sockets.values():
            each.close()


def build(connector: Connector, folder: Path) -> Sandbox:
    """One stand-in with its goods, its state in its own folder below `folder`."""
    assert connector.sandbox is not None
    app = connector.sandbox(folder / connector.key)
    app.state.add_products(goods(), mend=False)
    return Sandbox(app)


def _listen(host: str, port: int, may_move: bool) -> socket.socket:
    # asyncio switches Nagle's delay off only where the protocol is named; without that each answer takes 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    # A restart must not wait until the connections of the killed process have timed out.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        if not may_move:
            raise
        listener.bind((host, 0))
    return listener


def _server(app: Sandbox | FastAPI) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        lifespan="off",
        access_log=False,
        log_level="warning",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)
