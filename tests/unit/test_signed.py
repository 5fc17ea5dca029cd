"""Links of mails: each does its one thing, for its time, and nobody makes one up."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.alarms.signed import LASTS_DAYS, Links

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
LINKS = Links("a-key-of-sixteen-letters")


def test_a_link_does_what_it_was_made_for_until_its_end() -> None:
    for deed, days in LASTS_DAYS.items():
        link = LINKS.sign(deed, 7, NOW)
        assert LINKS.read(deed, link, NOW + timedelta(days=days)) == 7
        assert LINKS.read(deed, link, NOW + timedelta(days=days, seconds=1)) is None
        assert all(LINKS.read(other, link, NOW) is None for other in LASTS_DAYS if other != deed)
        assert link.isascii()
        assert not set(link) & set("/?#=+")


def test_nobody_makes_one_up() -> None:
    link = LINKS.sign("leave", 7, NOW)
    for place in range(len(link)):
        other = link[:place] + ("A" if link[place] != "A" else "B") + link[place + 1 :]
        assert LINKS.read("leave", other, NOW) is None
    for text in ("", "x", link[:-1], link + "A", link + "\n", link.replace("-", "+"), "ü" * 40, "A" * 5000):
        assert LINKS.read("leave", text, NOW) in (None, 7 if text == link else None)
    assert Links("another-key-of-letters").read("leave", link, NOW) is None


def test_it_outlives_another_key_as_long_as_the_ring_holds_its_own() -> None:
    link = LINKS.sign("leave", 7, NOW)
    both = Links("another-key-of-letters\na-key-of-sixteen-letters")
    assert both.read("leave", link, NOW) == 7
    assert LINKS.read("leave", both.sign("leave", 7, NOW), NOW) is None, "the newest signs"
    with pytest.raises(ValueError, match="no key"):
        Links(" \n")
