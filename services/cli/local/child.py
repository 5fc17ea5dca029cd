"""One child process: own process group, own log file, gone when its parent goes.

Enters: a command, an environment, a log file. Leaves: pid, liveness, exit code. Used by the servers of this folder
and by `supervise.py`. Each child has a thread that starts it and waits for it: the kernel ties a parent-death signal
to the *thread* that forked, and this one lives exactly as long as the child; it also reaps at once, so that no
zombie is taken for a living process.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

LAUNCHER = Path(__file__).with_name("launch.py")
LOG_LIMIT_BYTES = 16 * 1024 * 1024
LOOK_AT_LOG_SECONDS = 5.0


class Child:
    """A process that this one starts and stops. `start` may be called again after an end."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str],
        output: Path | None = None,
        become: Sequence[str] = (),
        death_signal: signal.Signals = signal.SIGKILL,
        on_exit: Callable[["Child", int], None] | None = None,
    ) -> None:
        """`output` takes stdout where it must be read apart from the log; `become` are options of launch.py."""
        self.name = name
        self.command = list(command)
        self.log = log
        self.environment = dict(environment)
        self.output = output
        self.started_at = 0.0
        self._become = list(become)
        self._death_signal = death_signal
        self._on_exit = on_exit
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = threading.Event()
        self._ended.set()

    @property
    def pid(self) -> int | None:
        """The process id while it runs, else None."""
        return self._process.pid if self._process is not None and not self._ended.is_set() else None

    @property
    def exit_code(self) -> int | None:
        """How it ended: a code, minus the signal, or None while it runs or before it ever ran."""
        return self._process.returncode if self._process is not None and self._ended.is_set() else None

    def alive(self) -> bool:
        """Whether the process runs right now."""
        return not self._ended.is_set()

    def start(self) -> int:
        """Start it and return its pid. Raises OSError where the system cannot make a process."""
        if self.alive():
            raise RuntimeError(f"{self.name} runs already")
        ready = threading.Event()
        problem: list[Exception] = []
        # daemon: a supervisor that is told to go must not hang in a wait for its children.
        watch = threading.Thread(target=self._run, args=(ready, problem), name=f"watch {self.name}", daemon=True)
        watch.start()
        ready.wait()
        if problem:
            raise problem[0]
        assert self._process is not None
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process itself; nothing happens when it is gone."""
        pid = self.pid
        if pid is not None:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                return

    def send_group(self, number: signal.Signals) -> None:
        """Send a signal to the process and all that it started in its group."""
        if self._process is not None:
            try:
                os.killpg(self._process.pid, number)
            except (ProcessLookupError, PermissionError):
                return

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it has ended; False when it still runs after `timeout` seconds."""
        return self._ended.wait(timeout)

    def stop(self, grace: float = 10.0, *, first: signal.Signals = signal.SIGTERM) -> int | None:
        """Ask with `first`, wait `grace` seconds, then kill its group. Returns the exit code."""
        self.send(first)
        if not self.wait(grace):
            self.send_group(signal.SIGKILL)
            self.wait(5)
        return self.exit_code

    def last_lines(self, count: int = 5) -> str:
        """The end of its log, for a message that says why it did not start."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, self.log.stat().st_size - 4096))
                return "\n".join(log.read().decode(errors="replace").splitlines()[-count:])
        except OSError:
            return ""

    def _run(self, ready: threading.Event, problem: list[Exception]) -> None:
        launcher = [sys.executable, "-I", "-S", str(LAUNCHER), "--parent", str(os.getpid())]
        launcher += ["--death-signal", str(int(self._death_signal)), *self._become, "--"]
        try:
            bound_log(self.log)
            with (
                open(self.log, "ab", opener=_private) as log,
                open(self.output or os.devnull, "wb", opener=_private) as output,
            ):
                process = subprocess.Popen(  # noqa: S603
                    [*launcher, *self.command],
                    stdin=subprocess.DEVNULL,
                    stdout=output if self.output else log,
                    stderr=log,
                    env=self.environment,
                    start_new_session=True,  # Ctrl-C reaches the supervisor only, which stops all in order
                )
        except Exception as error:  # raised again in `start`, whatever it is
            problem.append(error)
            ready.set()
            return
        self._process = process
        self.started_at = time.monotonic()
        self._ended.clear()
        ready.set()
        while True:
            try:
                code = process.wait(LOOK_AT_LOG_SECONDS)
                break
            except subprocess.TimeoutExpired:
                bound_log(self.log)
        self._ended.set()
        if self._on_exit is not None:
            self._on_exit(self, code)


def bound_log(path: Path, limit: int = LOG_LIMIT_BYTES) -> None:
    """Keep a log file at about `limit` bytes, with one older part beside it (`.1`).

    Copied and cut, not renamed: the writer holds the file open, in append mode, so it goes on at the new end.
    """
    try:
        if path.stat().st_size > limit:
            shutil.copyfile(path, path.with_name(path.name + ".1"))
            os.truncate(path, 0)
    except FileNotFoundError:
        return


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
