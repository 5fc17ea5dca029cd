"""Raw bodies on a page: nothing in them misleads, and what is readable is what was sent."""

import json

from hypothesis import given
from hypothesis import strategies as st

from services.journal.bodies_shown import MOST_MARKS, shown, to_edit
from shared.unseen import UNSEEN


def test_what_cannot_be_seen_is_named() -> None:
    found = shown("a\u202eb\u200bc\x00".encode())
    assert found.pieces == [
        ("a", "U+202E Right-To-Left Override"),
        ("b", "U+200B Zero Width Space"),
        ("c", "U+0000"),
        ("", ""),
    ]
    many = shown(("\u200b" * (MOST_MARKS + 5)).encode()).pieces
    assert len(many) == MOST_MARKS + 1
    assert not UNSEEN.search("".join(text for text, _ in many))


def test_numbers_are_shown_as_they_were_written() -> None:
    found = shown(b'{"a":1.10,"b":1e400,"c":[10000000000000000000001],"d":"1.10"}')
    assert found.readable is not None
    assert "".join(text for text, _ in found.readable).split() == [
        "{", '"a":', "1.10,", '"b":', "1e400,", '"c":', "[", "10000000000000000000001", "],", '"d":', '"1.10"', "}",
    ]  # fmt: skip


def test_a_name_that_is_there_twice_is_left_as_it_came() -> None:
    assert to_edit(b'{"a":1,"a":2}') == '{"a":1,"a":2}'


def test_binary_is_dumped() -> None:
    found = shown(b"\xff\x00PNG")
    assert found.dump == f"00000000  {'ff 00 50 4e 47':<47}  ..PNG"
    assert found.readable is None


@given(st.binary(max_size=200))
def test_any_bytes_can_be_shown(raw: bytes) -> None:
    assert not UNSEEN.search("".join(text for text, _ in shown(raw).pieces))


VALUES = st.recursive(
    st.none() | st.booleans() | st.text(max_size=5) | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(VALUES)
def test_what_is_edited_means_what_came(value: object) -> None:
    raw = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    try:
        raw.decode()
    except UnicodeDecodeError:
        return
    assert json.loads(to_edit(raw)) == value
