"""A TCP gate in front of a server: it can freeze the connections that are open, and let new ones through.

That is what a half-dead switch or a paused host looks like to a client: the connection stays, and nothing comes. It can
also hold everything, new connections too, and let it go on later: that is a network that is cut for a while.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress


class Gate:
    """Listens on a free port of the loopback interface and hands on to `port` there."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._generation = 0
        self._held = False
        self._pumps: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="gate", daemon=True)
        self._thread.start()
        ready.wait()

    def freeze(self) -> None:
        """Every connection that is open now moves no more bytes, and is not closed either."""
        self._generation += 1

    def hold(self) -> None:
        """Nothing passes until `open`; nothing is closed, and what was on its way is not lost."""
        self._held = True

    def open(self) -> None:
        """Let it go on."""
        self._held = False
        self._loop.call_soon_threadsafe(lambda: (self._passing.set(), self._passing.clear()))

    def close(self) -> None:
        """Cut everything."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._passing = asyncio.Event()
        server = self._loop.run_until_complete(asyncio.start_server(self._connected, "127.0.0.1", 0))
        self.port = int(server.sockets[0].getsockname()[1])
        ready.set()
        self._loop.run_forever()
        server.close()
        for pump in self._pumps:
            pump.cancel()
        self._loop.run_until_complete(asyncio.gather(*self._pumps, return_exceptions=True))
        self._loop.close()

    async def _connected(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        await self._pass()
        try:
            far, forth = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            back.close()
            return
        born = self._generation
        for source, target in ((near, forth), (far, back)):
            task = asyncio.ensure_future(self._pump(born, source, target))
            self._pumps.add(task)
            task.add_done_callback(self._pumps.discard)

    async def _pass(self) -> None:
        while self._held:
            await self._passing.wait()

    async def _pump(self, born: int, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await source.read(65536):
                if born != self._generation:
                    await asyncio.Event().wait()  # frozen for good
                await self._pass()
                target.write(piece)
                await target.drain()
        if born == self._generation:
            with suppress(OSError):
                target.close()
