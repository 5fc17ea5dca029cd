"""The events of a file, each as one line: JSON Lines, or one JSON document as people and editors write it.

Enters: a path. Leaves: bytes without line ends. Called by `events`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

WHOLE_BYTES = 32 * 1024 * 1024
"""What is larger is read line by line without a look at the whole."""


@contextmanager
def events_of(file: Path, blank: bool = False) -> Iterator[Iterator[bytes]]:
    """One event a line; of `-` from standard input. Blank lines only where `blank`. Raises OSError.

    A file that is one object over several lines is one event, and one that is an array holds an event each.
    """
    if str(file) == "-":
        yield _lines(sys.stdin.buffer, blank)
        return
    with file.open("rb") as stream:
        one = _document(file, stream)
        yield _lines(stream, blank) if one is None else iter(one)


def _document(file: Path, stream: BinaryIO) -> list[bytes] | None:
    """The events of a file that is one document; None where it is lines, which are left to be read."""
    first = stream.readline(WHOLE_BYTES).strip()
    stream.seek(0)
    if first[:1] not in (b"{", b"[") or file.stat().st_size > WHOLE_BYTES:
        return None
    if first[:1] == b"{" and _read(first) is not None:
        return None
    whole = stream.read()
    stream.seek(0)
    found = _read(whole)
    if isinstance(found, dict):
        # In JSON a line end stands only between values, so the event stays what it was.
        return [whole.translate(bytes.maketrans(b"\r\n", b"  ")).strip()]
    if isinstance(found, list):
        return [json.dumps(one, ensure_ascii=False).encode("utf-8", "surrogatepass") for one in found]
    return None


def _read(text: bytes) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _lines(stream: BinaryIO, blank: bool) -> Iterator[bytes]:
    for line in stream:
        if blank or line.strip():
            yield line.rstrip(b"\r\n")
