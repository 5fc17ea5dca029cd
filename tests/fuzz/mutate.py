"""Bends inputs: values of a JSON document that nobody expects, and bytes that are no document any more."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from random import Random
from typing import Any

TEXTS = (
    "", " ", "\0", "a\0b", "\ud83d", "\udc00x", "NaN", "Infinity", "-0", "0.00", "1e999", "1E-9", "19.99",
    "-4.90", "+1",
    "9" * 12, "9" * 13, "0.00001", "1_000", "٣", "１９", "²", "½", "\u202e4711", "\ufeff", "\u2028", "\x7f",
    "\x1b[31m", "😀",
    "ß", "İ", "ﬁ", "e\u0301", "a" * 101, "ä" * 301, "x" * 1001, "\r\nBcc: a@b.c", "' OR 1=1 --", "%s%n", "{0}", "=1+1",
    "<script>", "../..", "null", "true", "DE", "de", "DEU", "EUR", "eur", "XXX", "open", "cancelled", "announced",
    "2026-11-23T10:00:00Z", "2026-11-23T10:00:00+23:59", "2026-11-23T10:00:00", "2026-11-23", "2026-02-30T00:00:00Z",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2026-11-23T23:59:60Z", "2026-11-23t10:00:00.123456789z",
    "20261123T100000Z", "1700000000", "2030-01-01T00:00:00Z", "order-imported.v1", "order-changed.v1",
    "stock-changed.v2",
)  # fmt: skip
NUMBERS = (
    0, -1, 1, 2, 3, 100, 1_000_000, 1_000_001, 2**31, 2**53, 2**53 + 1, 2**63, 2**64, 10**30, -(10**9), 0.1, -0.0, 1.5,
    19.999999999999996, 1e15, 1e22, 1e308, 1e-7, 1e-320, float("nan"), float("inf"), float("-inf"),
)  # fmt: skip
TOKENS = (
    b"{", b"}", b"[", b"]", b'"', b",", b":", b"\\", b"\\u0000", b"\\ud800", b"\\uDFFF", b"\xff", b"\xc0\x80",
    b"\xed\xa0\x80", b"\xef\xbb\xbf", b"NaN", b"-Infinity", b"1e400", b"null", b"true", b"\0", b"\r\n", b"/*",
    b"[" * 70,
    b"[" * 1100, b'{"a":' * 70, b"-", b"00", b"0x1F", b"\\", b'\\"',
)  # fmt: skip
DEPTHS = (2, 30, 63, 64, 65, 200, 900, 1020)
DEEP = re.compile(r'"@([\[{])([0-9]+)"')
Path = tuple[str | int, ...]


def odd(chance: Random) -> Any:
    """A value out of its place."""
    kind = chance.random()
    if kind < 0.45:
        return chance.choice(TEXTS)
    if kind < 0.75:
        return chance.choice(NUMBERS)
    if kind < 0.9:
        return chance.choice((None, True, False, [], {}, [None], [[]], [{}], {"": None}, [1, "1", 1.0]))
    if kind < 0.92:
        return f"@{chance.choice('[{')}{chance.choice(DEPTHS)}"  # becomes so many brackets when it is written
    return "".join(
        chr(chance.randrange(chance.choice((128, 0x3000, 0x110000)))) for _ in range(chance.randrange(1, 12))
    )


def places(node: Any, path: Path = ()) -> list[Path]:
    """The path of every value in a document."""
    found: list[Path] = [path]
    if isinstance(node, dict):
        for name, each in node.items():
            found += places(each, (*path, name))
    elif isinstance(node, list):
        for number, each in enumerate(node):
            found += places(each, (*path, number))
    return found


def bent(document: Any, where: Sequence[Path], chance: Random, most: int = 4) -> Any:
    """A copy with up to `most` values changed, taken out, doubled or moved. where: `places` of the document."""
    copy = _copied(document)
    for _ in range(min(most, int(chance.expovariate(0.7)))):
        path = where[chance.randrange(len(where))]
        if not path:
            continue
        holder, known = copy, True
        for step in path[:-1]:
            try:
                holder = holder[step]
            except (KeyError, IndexError, TypeError):
                known = False
                break
        if known:
            _change(holder, path[-1], chance)
    return copy


def _change(holder: Any, name: str | int, chance: Random) -> None:
    if isinstance(holder, dict) and isinstance(name, str):
        kind = chance.random()
        if kind < 0.7:
            holder[name] = odd(chance)
        elif kind < 0.85:
            holder.pop(name, None)
        elif kind < 0.95:
            holder[chance.choice(TEXTS)] = odd(chance)
        else:
            other = chance.choice(list(holder) or [name])
            holder[name], holder[other] = holder.get(other), holder.get(name)
    elif isinstance(holder, list) and isinstance(name, int) and name < len(holder):
        kind = chance.random()
        if kind < 0.6:
            holder[name] = odd(chance)
        elif kind < 0.8:
            del holder[name]
        else:
            holder.extend([holder[name]] * chance.choice((1, 2, 20)))


def _copied(node: Any) -> Any:
    """As `copy.deepcopy`, many times faster for what JSON has."""
    if isinstance(node, dict):
        return {name: _copied(each) for name, each in node.items()}
    if isinstance(node, list):
        return [_copied(each) for each in node]
    return node


def written(document: Any, chance: Random) -> bytes:
    """The document as somebody might have written it, now and then with what is no JSON."""
    spaced = (", ", ": ") if chance.random() < 0.5 else (",", ":")
    text = json.dumps(document, ensure_ascii=chance.random() < 0.5, separators=spaced)
    if '"@' in text:
        text = DEEP.sub(_brackets, text)
    return text.encode("utf-8", "surrogatepass")


def _brackets(found: re.Match[str]) -> str:
    depth = int(found[2])
    return "[" * depth + "]" * depth if found[1] == "[" else '{"a":' * depth + "1" + "}" * depth


def broken(body: bytes, chance: Random) -> bytes:
    """The bytes with a few flipped, cut out, put in, doubled or cut off."""
    found = bytearray(body)
    for _ in range(1 + min(4, int(chance.expovariate(1.0)))):
        at = chance.randrange(len(found) + 1)
        match chance.randrange(6):
            case 0 if at < len(found):
                found[at] ^= 1 << chance.randrange(8)
            case 1:
                found[at:at] = chance.choice(TOKENS)
            case 2:
                del found[at : at + chance.choice((1, 2, 8, 100))]
            case 3:
                found[at:at] = found[at : at + chance.choice((1, 10, 200))]
            case 4:
                del found[at:]
            case _:
                found[at : at + 1] = bytes((chance.randrange(256),))
    return bytes(found)
