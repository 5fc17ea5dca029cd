"""Log lines leave whole, or are counted: a full pipe, a reader that is gone and a full disk hold nobody up."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import TextIO

from shared import outlet
from shared.outlet import Outlet


def said(count: int) -> str:
    return f"lost {count}\n"


@contextmanager
def pipe() -> Iterator[tuple[int, TextIO]]:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        yield reading, stream
        stream.close()


def taken(reading: int) -> str:
    """All that is in the pipe now."""
    os.set_blocking(reading, False)
    found = b""
    try:
        while piece := os.read(reading, 1 << 20):
            found += piece
    except BlockingIOError:
        pass
    return found.decode()


def test_a_line_of_any_length_leaves_whole_while_somebody_reads() -> None:
    with pipe() as (reading, stream):
        lines = ["short\n", "ä" * 20_000 + "\n", "last\n"]
        out = Outlet(stream, said)
        for line in lines:
            out.write(line)
        assert taken(reading) == "".join(lines)
        os.close(reading)


def test_a_full_pipe_holds_up_one_line_for_a_moment_and_no_further_one() -> None:
    with pipe() as (reading, stream):
        out = Outlet(stream, said)
        began = time.monotonic()
        for number in range(2000):
            out.write(f"{number} {'x' * 1000}\n")
        assert time.monotonic() - began < outlet.PATIENCE_SECONDS + 2
        before = taken(reading)
        assert before.startswith("0 x")
        out.write("again\n")
        whole = [line for line in before.split("\n") if len(line) > 1000]
        after = taken(reading).lstrip("\n").splitlines()
        assert after == [f"lost {2000 - len(whole)}", "again"]
        out.write("and on\n")
        assert taken(reading) == "and on\n"
        os.close(reading)


def test_a_reader_that_is_gone_is_no_error() -> None:
    with pipe() as (reading, stream):
        os.close(reading)
        out = Outlet(stream, said)
        began = time.monotonic()
        for _ in range(100):
            out.write("nobody\n")
        assert time.monotonic() - began < 1


def test_a_full_disk_is_no_error_and_what_was_torn_ends_before_the_next_line(tmp_path: Path) -> None:
    file = tmp_path / "log"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with file.open("w") as stream:
        out = Outlet(stream, said)
        resource.setrlimit(resource.RLIMIT_FSIZE, (25, before[1]))
        try:
            for number in range(5):
                out.write(f"line {number:05}\n")  # eleven bytes: two and a part fit
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        out.write("room again\n")
    assert file.read_text() == "line 00000\nline 00001\nlin\nlost 3\nroom again\n"


def test_what_is_no_file_is_written_to_as_it_is() -> None:
    stream = StringIO()
    out = Outlet(stream, said)
    out.write("one\n")
    stream.close()
    out.write("two\n")
