"""Reads several things at the same time, where a remote system has one call for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from shared.connectors.http import Http

Asked = TypeVar("Asked")
Read = TypeVar("Read")

MOST = 4
"""Readings at the same time: the other calls are for orders, and for everything that a person waits for."""


def at_once(http: Http, read: Callable[[Asked], Read], asked: Sequence[Asked]) -> list[Read]:
    """What `read`, which calls `http`, says of each, in the order in which it is asked for.

    As many at the same time as the side may have calls under way, and no more than MOST. Raises the first error, in
    that order; what had not begun by then is not begun. What was answered counts as answered to the caller's thread.
    """
    readers = min(MOST, http.at_once, len(asked))
    if readers < 2:
        return [read(each) for each in asked]
    answers: list[int] = []

    def counted(each: Asked) -> Read:
        before = http.clock.answers
        try:
            return read(each)
        finally:
            answers.append(http.clock.answers - before)

    try:
        with ThreadPoolExecutor(readers, "reading") as threads:
            return list(threads.map(counted, asked))
    finally:
        http.clock.answers += sum(answers)
