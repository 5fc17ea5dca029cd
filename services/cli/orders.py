"""`connect orders`: list, show, retry and import orders of the flow order-import."""

from __future__ import annotations

from services.cli.record_words import OF_ORDERS
from services.cli.records import group
from services.cli.requests import add_request

app = group(OF_ORDERS)
add_request(app, OF_ORDERS)
