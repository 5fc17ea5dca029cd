"""Waits for something that fills, with a bar on a terminal. Called by the commands that know `--wait`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

EVERY = 0.2


class Mark(NamedTuple):
    """How far it is. total None: nobody knows yet."""

    seen: int
    total: int | None
    finished: bool


def watch(
    look: Callable[[], dict[str, Any]], measure: Callable[[dict[str, Any]], Mark], patience: float, text: str
) -> dict[str, Any]:
    """Look until it is finished or the patience (seconds) is over; returns what was seen last."""
    until = time.monotonic() + patience
    with bar(text) as show:
        while True:
            found = look()
            mark = measure(found)
            show(mark)
            if mark.finished or time.monotonic() >= until:
                return found
            time.sleep(EVERY)


@contextmanager
def bar(text: str) -> Iterator[Callable[[Mark], None]]:
    """A bar that moves with the marks it is given; nothing where nobody looks."""
    if not sys.stderr.isatty():
        yield lambda _mark: None
        return
    columns = (TextColumn(text), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda mark: bar.update(task, completed=mark.seen, total=mark.total)
