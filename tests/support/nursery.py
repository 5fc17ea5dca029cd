"""Services as forks of a process that has imported them already: a start costs a tenth of the processor's time.

    test ── module, environment, log file ──▶ nursery ── fork ──▶ python -m services.importer
         ◀── a pipe for each child: its pid, then its exit code ──

What runs is a process of its own, with its own signals, files and memory; only the reading of Python's modules is left
out. Where that is what counts (memory over time, another release's code) a process is started in the usual way.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, NoReturn

PREFIX = "services."
MESSAGE_BYTES = 1 << 18
START_SECONDS = 120.0


class Child:
    """What `subprocess.Popen` is of a process that it started itself."""

    def __init__(self, answers: int, args: Sequence[str]) -> None:
        self.args = list(args)
        self.returncode: int | None = None
        self._answers = answers
        self._said = b""
        self._read(START_SECONDS, 1)
        assert self._said, f"the nursery could not start {args}"
        self.pid = int(self._said.split()[0])

    def poll(self) -> int | None:
        """Its exit code, minus the signal's number where one ended it; None while it lives."""
        if self.returncode is None:
            self._read(0.0, 2)
            words = self._said.split()
            if len(words) == 2:
                self.returncode = int(words[1])
                os.close(self._answers)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Until it has ended. Raises `subprocess.TimeoutExpired`."""
        if self.poll() is None:
            self._read(timeout, 2)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Nothing happens to one that has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _read(self, seconds: float | None, lines: int) -> None:
        """What the nursery says of it, until so many lines are there."""
        while self._said.count(b"\n") < lines and select.select([self._answers], [], [], seconds)[0]:
            more = os.read(self._answers, 100)
            if not more:
                self._said += b"\n-9\n"  # the nursery is gone, and nobody else knows
                return
            self._said += more


Process = subprocess.Popen[bytes] | Child


def start(module: Sequence[str], cwd: Path, environment: Mapping[str, str], log: IO[bytes]) -> Child:
    """`python -m MODULE ARGUMENTS…`, with its output into a file."""
    answers, say = os.pipe()
    os.set_inheritable(say, True)
    message = json.dumps({"module": list(module), "cwd": str(cwd), "environment": dict(environment)}).encode()
    try:
        socket.send_fds(_nursery(os.getpid()), [message], [log.fileno(), say])
    finally:
        os.close(say)
    return Child(answers, [sys.executable, "-m", *module])


@cache
def _nursery(_pid: int) -> socket.socket:
    """One for each process that starts services; it ends with that process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.nursery", str(theirs.fileno())], pass_fds=[theirs.fileno()],
            cwd=Path(__file__).parents[2], stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def end() -> None:
        ours.close()
        process.wait(10)

    atexit.register(end)
    return ours


class Nursery:
    """The process that forks: one thread, so that a fork is safe."""

    def __init__(self, orders: socket.socket) -> None:
        self._orders = orders
        self._children: dict[int, int] = {}  # pid -> where to say its exit code
        self._woken, wake = os.pipe()
        for end in (self._woken, wake):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, who end what they started
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self._wake = wake

    def run(self) -> None:
        """Until the tests are gone."""
        while True:
            ready, _, _ = select.select([self._orders, self._woken], [], [])
            if self._woken in ready:
                with suppress(BlockingIOError):
                    os.read(self._woken, 1000)
                self._bury()
            if self._orders in ready:
                message, files, _, _ = socket.recv_fds(self._orders, MESSAGE_BYTES, 2)
                if not message:
                    return
                self._bear(json.loads(message), *files)

    def _bear(self, order: Mapping[str, object], log: int, say: int) -> None:
        module = order["module"]
        assert isinstance(module, list)
        if module[0].startswith(PREFIX):
            importlib.import_module(f"{module[0]}.__main__")
        gc.collect()
        gc.freeze()
        pid = os.fork()
        if pid == 0:
            self._become(order, module, log, say)
        os.write(say, f"{pid}\n".encode())
        os.close(log)
        self._children[pid] = say

    def _become(self, order: Mapping[str, object], module: list[str], log: int, say: int) -> NoReturn:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.dup2(log, 1)
            os.dup2(log, 2)
            self._orders.close()
            for file in (log, say, self._woken, self._wake, *self._children.values()):
                os.close(file)
            os.chdir(str(order["cwd"]))
            environment = order["environment"]
            assert isinstance(environment, dict)
            os.environ.clear()
            os.environ.update(environment)
            sys.argv = module
            sys.modules.pop(f"{module[0]}.__main__", None)
            runpy.run_module(module[0], run_name="__main__", alter_sys=True)
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:
            traceback.print_exc()
        finally:
            with suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def _bury(self) -> None:
        while self._children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            say = self._children.pop(pid, None)
            if say is not None:
                with suppress(BrokenPipeError):
                    os.write(say, f"{os.waitstatus_to_exitcode(status)}\n".encode())
                os.close(say)


if __name__ == "__main__":
    Nursery(socket.socket(fileno=int(sys.argv[1]))).run()
