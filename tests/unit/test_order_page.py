"""The address of an order's page as an operator writes it down."""

from __future__ import annotations

import re

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.connectors.order_page import OrderPage, order_page

CHECKED: TypeAdapter[str] = TypeAdapter(OrderPage)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("shop.example.org/{order}", "https://"),
        ("javascript://x/{order}", "https://"),
        ("https://erika:secret@shop.example.org/{order}", "without a user"),
        ("https://[/{order}", "https://"),
        ("https://shop.example.org/orders", "{order}"),
        ("https://{order}.example.org/", "behind the host"),
        ("https://shop.example.org/{order}/{order}", "once"),
    ],
)
def test_what_is_no_such_address_is_refused_with_what_to_write(written: str, says: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(says)):
        CHECKED.validate_python(written)


def test_the_id_is_put_in_as_text() -> None:
    written = CHECKED.validate_python(" https://shop.example.org/a?id={order}&x=1 ")
    assert order_page({"order_page": written}, "4 7&b") == "https://shop.example.org/a?id=4%207%26b&x=1"
    assert CHECKED.validate_python(" ") == ""
    assert order_page({"order_page": ""}, "4711") is order_page({}, "4711") is None
