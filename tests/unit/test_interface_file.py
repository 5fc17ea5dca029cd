"""An interface as TOML: whatever it holds comes back the same, secrets are not in it, differences are named."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.cli.interface_file import Change, changes, written
from shared.connectors.registry import discover
from shared.records.masked import MASK, Masked, MaskedSide

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
VALUES = st.one_of(
    TEXTS,
    st.booleans(),
    st.integers(-(2**60), 2**60),
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(TEXTS),
)
CONNECTORS = discover()


def masked(**more: Any) -> Masked:
    side = MaskedSide("otto", {"client_id": "id", "base_url": "https://x.example"}, ("client_secret",), 20.0, 8)
    whole = Masked(
        "otto-de", "OTTO", "otto", "xentral", "test", None, 900, 900, 1, True,
        {"marketplace": side, "erp": MaskedSide("xentral", {"base_url": "https://y.example"}, (), 1.5, 4)},
        {"payment": {"PAYPAL": "3"}}, {"skus": ["A/1"]}, [],
    )  # fmt: skip
    return replace(whole, **more)


@given(st.dictionaries(TEXTS.filter(bool), VALUES, max_size=4), st.dictionaries(TEXTS, TEXTS, max_size=4), TEXTS)
def test_what_is_written_reads_the_same(settings: dict[str, Any], pairs: dict[str, str], title: str) -> None:
    side = MaskedSide("otto", settings, ("client_secret",), 20.0, 8)
    whole = masked(title=title, sides={"marketplace": side}, mappings={"payment": pairs})
    read = tomllib.loads(written(whole, CONNECTORS))
    limits = {"connector": "otto", "calls_per_second": 20.0, "calls_at_once": 8}
    assert read["marketplace"] == {**settings, **limits}
    assert read["mappings"]["payment"] == pairs
    assert read["title"] == title


def test_secrets_are_named_in_comments_and_never_there() -> None:
    text = written(masked(), CONNECTORS)
    assert "import FILE marketplace.client_secret=@FILE erp.token=@FILE" in text
    assert MASK not in text
    assert "token" not in tomllib.loads(text)["erp"]


def test_each_difference_is_named_once_with_both_values() -> None:
    new = {
        "title": "Shirts",
        "marketplace": {"connector": "otto", "client_id": "id", "calls_per_second": 20.0, "calls_at_once": 8},
        "mappings": {"payment": {"PAYPAL": "4", "BILL": "5"}},
        "listing": {"skus": ["A/1"]},
    }
    assert changes(masked(), new, ["marketplace.client_secret"]) == [
        Change("title", "OTTO", "Shirts"),
        Change("marketplace.base_url", "https://x.example", None),
        Change("marketplace.client_secret", MASK, MASK),
        Change("mappings.payment.PAYPAL", "3", "4"),
        Change("mappings.payment.BILL", None, "5"),
    ]
    assert changes(masked(), tomllib.loads(written(masked(), CONNECTORS)), []) == []
