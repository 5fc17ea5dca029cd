"""The workers of a run: each case goes to whoever is free. One that dies is an error of its case, and is replaced."""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.faults.case import Case
from tests.support.sandbox import PROJECT

Line = dict[str, Any]


def work_off(cases: Iterable[Case], workers: int, events: int, done: Callable[[Line], None]) -> None:
    """Run all of them; `done` is called with each result, one at a time. Ctrl-C ends the workers too."""
    waiting: queue.SimpleQueue[Case] = queue.SimpleQueue()
    for case in cases:
        waiting.put(case)
    lock = threading.Lock()

    def say(line: Line) -> None:
        with lock:
            done(line)

    crew = [_Worker(waiting, events, say) for _ in range(workers)]
    try:
        for worker in crew:
            worker.thread.start()
        for worker in crew:
            worker.thread.join()
    finally:
        for worker in crew:
            worker.end()


class _Worker:
    """A process, and the thread that feeds it."""

    def __init__(self, waiting: queue.SimpleQueue[Case], events: int, done: Callable[[Line], None]) -> None:
        self._waiting, self._events, self._done = waiting, events, done
        self._process: subprocess.Popen[str] | None = None
        self._folder: Path | None = None
        self._ending = False
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._ending:
            try:
                case = self._waiting.get_nowait()
            except queue.Empty:
                break
            self._done(self._ask(case))
        self._dismiss()

    def _ask(self, case: Case) -> Line:
        process = self._process or self._hire()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(f"{case.id}\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except OSError:
            answer = ""
        if answer:
            return dict(json.loads(answer))
        self._dismiss()
        return {"case": case.id, "seed": case.seed, "verdict": "error", "error": "the worker died", "events": 0}

    def _hire(self) -> subprocess.Popen[str]:
        # Root's PostgreSQL may have to run as somebody else, who passes through here to a folder of their own.
        self._folder = Path(tempfile.mkdtemp(prefix="connect-faults-"))
        self._folder.chmod(0o711)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.worker", str(self._folder), str(self._events)], cwd=PROJECT,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        return self._process

    def end(self) -> None:
        """Whatever it is doing."""
        self._ending = True
        self._dismiss()

    def _dismiss(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
            try:
                process.wait(90)
            except subprocess.TimeoutExpired:
                process.kill()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
