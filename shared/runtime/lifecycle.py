"""A service's life: loops on threads, signals, a watchdog, and the port with /livez, /readyz and /metrics.

SIGTERM or SIGINT: loops see `stopping`, finish what they hold and end; a second signal leaves at once. A loop that
raises ends the process with 1, a loop without progress ends it with 70 after writing every thread's stack: both are for
the supervisor to start again, because a process in an unknown state is worse than a new one. Time in which the whole
process stood still is nobody's fault and counts for no loop. Settings or a schema that do not fit end it with 2, which
a person has to mend.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType

import structlog
from prometheus_client.exposition import choose_encoder

from shared.failpoint import Planted
from shared.metrics import Metrics
from shared.runtime.posted import Take, Unheard, read_body
from shared.runtime.spare import give_back, large_apart, set_aside
from shared.runtime.supervisor import ALIVE, READY, STOPPING, Supervisor
from shared.settings import SettingsError, environment

STALL_SECONDS = 60.0
GRACE_SECONDS = 40.0
LAST_WORDS_SECONDS = 10.0
"""For saying why it ends; a log that nobody takes must not keep it from ending."""

AGAIN_SECONDS = 1.0
WATCH_SECONDS = 1.0
GIVE_BACK_SECONDS = 15.0
AWAY_SECONDS = 2.0
"""When the watchdog itself comes so much too late, the whole process stood still, as on a suspended machine."""

EXIT_CRASHED = 1
EXIT_UNFIT = 2
EXIT_STALLED = 70


@dataclass(slots=True)
class Loop:
    """One thread of a service. `beat` says that it makes progress."""

    name: str
    thread: threading.Thread
    stall_seconds: float
    at: float

    def beat(self) -> None:
        """Progress."""
        self.at = time.monotonic()


Check = Callable[[], str | None]
"""None when well, else what is wrong in a few words."""


class Lifecycle:
    """The frame of one service process."""

    def __init__(self, service: str, metrics: Metrics, port: int, host: str = "127.0.0.1") -> None:
        self.service = service
        self._metrics = metrics
        self._stop = threading.Event()
        self._loops: list[Loop] = []
        self._checks: dict[str, Check] = {}
        self._conditions: list[Callable[[], bool]] = []
        self._takes: dict[str, Take] = {}
        self._exit = 0
        self._looked = time.monotonic()
        self._log = structlog.get_logger()
        self._supervisor = Supervisor(environment())
        self._server = ThreadingHTTPServer((host, port), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]

    def stopping(self) -> bool:
        """Whether to finish."""
        return self._stop.is_set()

    def pause(self, seconds: float) -> None:
        """Sleep, but not past a stop."""
        self._stop.wait(seconds)

    def check(self, name: str, check: Check) -> None:
        """Add a condition of /readyz. It runs per request and must be quick."""
        self._checks[name] = check

    def begin_once(self, condition: Callable[[], bool]) -> None:
        """Start no loop before this holds. It is asked each second, while /livez and /readyz answer.

        What it raises, `run` raises.
        """
        self._conditions.append(condition)

    def take(self, path: str, take: Take) -> None:
        """Answer POSTs to this path, too."""
        self._takes[path] = take

    def loop(self, name: str, run: Callable[[Callable[[], None]], None], stall_seconds: float = STALL_SECONDS) -> None:
        """Add a loop; `run` gets its `beat` and returns when stopping."""
        loop = Loop(name, threading.Thread(name=name, daemon=True), stall_seconds, time.monotonic())

        def guarded() -> None:
            try:
                run(loop.beat)
                if not self.stopping():
                    raise RuntimeError(f"the loop {name} ended")
            except Exception as error:
                self.fatal(error)

        loop.thread = threading.Thread(target=guarded, name=name, daemon=True)
        self._loops.append(loop)

    def fatal(self, error: BaseException) -> None:
        """End the process now: what is in hand is protected by leases and by unacked messages."""
        if isinstance(error, SettingsError):
            self._end_unfit(error)
        _end_soon(EXIT_CRASHED)
        self._log.error("service.crashed", error=error, exc_info=not isinstance(error, Planted))
        sys.stderr.flush()
        os._exit(EXIT_CRASHED)

    def _end_unfit(self, error: SettingsError) -> None:
        _end_soon(EXIT_UNFIT)
        self._log.error("service.not-started", problems=str(error))
        sys.stderr.flush()
        os._exit(EXIT_UNFIT)

    def run(self) -> int:
        """Start everything, wait for a signal, stop everything. Returns the exit code."""
        large_apart()
        set_aside()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._signalled)
        threading.Thread(target=self._server.serve_forever, name="health", daemon=True).start()
        self._supervisor.tell(READY)  # it answers: a database that is away is no reason to end it
        begun = self._begin()
        gave = time.monotonic()
        while not self._stop.wait(WATCH_SECONDS):
            self._watch()
            if self._looked - gave > GIVE_BACK_SECONDS:
                give_back()
                gave = time.monotonic()
            self._supervisor.tell(ALIVE)
        self._supervisor.tell(STOPPING)
        end = time.monotonic() + GRACE_SECONDS
        for loop in begun:
            loop.thread.join(max(0.0, end - time.monotonic()))
        late = [loop.name for loop in begun if loop.thread.is_alive()]
        self._server.shutdown()
        self._log.info("service.stopped", names=late)
        return self._exit

    def _begin(self) -> list[Loop]:
        """Start the loops once all conditions hold; returns them, or nothing when a stop came first."""
        while not all(holds() for holds in self._conditions):
            self._supervisor.tell(ALIVE)
            self.pause(AGAIN_SECONDS)
            if self.stopping():
                return []
        self._looked = time.monotonic()
        for loop in self._loops:
            loop.at = time.monotonic()
            loop.thread.start()
        self._log.info("service.started", port=self.port, pid=os.getpid())
        return self._loops

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Only the port, for tests of what it answers."""
        threading.Thread(target=self._server.serve_forever, name="health", daemon=True).start()
        try:
            yield
        finally:
            self._server.shutdown()
            self._server.server_close()

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        if self._stop.is_set():
            os._exit(128 + number)
        self._stop.set()

    def _watch(self) -> None:
        now = time.monotonic()
        away, self._looked = now - self._looked - WATCH_SECONDS, now
        if away > AWAY_SECONDS:  # no loop could go on either: each has as much time left as it had before
            self._log.warning("service.stood-still", seconds=round(away))
        for loop in self._loops:
            if away > AWAY_SECONDS:
                loop.at = min(now, loop.at + away)
            self._metrics.loop_age.labels(loop.name).set(time.time() - (now - loop.at))
            if now - loop.at > loop.stall_seconds:
                _end_soon(EXIT_STALLED)
                self._log.error("service.stalled", loop=loop.name, seconds=round(now - loop.at))
                faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
                sys.stderr.flush()
                os._exit(EXIT_STALLED)

    def _ready(self) -> dict[str, str]:
        problems = {}
        for name, check in self._checks.items():
            try:
                wrong = check()
            except Exception as error:
                wrong = type(error).__name__
            if wrong is not None:
                problems[name] = wrong
        return problems

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        frame = self

        class Handler(BaseHTTPRequestHandler):
            """GET, and POST where somebody takes it."""

            timeout = 10

            def do_POST(self) -> None:
                take = frame._takes.get(self.path.partition("?")[0])
                self.close_connection = True  # what is left unread must not be taken for the next request
                try:
                    if take is None:
                        raise Unheard(404, "Not found")
                    with take.room():
                        status, value = take.answer(read_body(self, take.most_bytes), self.headers["Authorization"])
                except Unheard as error:
                    status, value = error.status, error.problem()
                except OSError:
                    return  # whoever asked is gone
                self._json(status, value, retry=status == 503)

            def do_GET(self) -> None:
                with suppress(OSError):  # whoever asked is gone
                    self._get(self.path.partition("?")[0])

            def _get(self, path: str) -> None:
                if path == "/metrics":
                    encode, content_type = choose_encoder(self.headers.get("Accept", ""))
                    self._answer(200, content_type, encode(frame._metrics.registry))
                elif path == "/livez":
                    self._json(200, {"service": frame.service, "alive": True})
                elif path == "/readyz":
                    problems = frame._ready()
                    self._json(503 if problems else 200, {"service": frame.service, "problems": problems})
                else:
                    self._json(404, {"title": "Not found", "status": 404})

            def _json(self, status: int, value: object, *, retry: bool = False) -> None:
                self._answer(status, "application/json", json.dumps(value).encode(), retry=retry)

            def _answer(self, status: int, content_type: str, body: bytes, *, retry: bool = False) -> None:
                self.send_response(status)
                if retry:
                    self.send_header("Retry-After", "10")
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Scrapes every two seconds are not news."""

        return Handler


def _end_soon(code: int) -> None:
    """End by `code` in any case, whatever still has to be said."""
    timer = threading.Timer(LAST_WORDS_SECONDS, os._exit, (code,))
    timer.daemon = True
    timer.start()
