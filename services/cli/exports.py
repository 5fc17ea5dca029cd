"""`connect exports`: list, show, retry and export status and tracking, the flow order-export."""

from __future__ import annotations

from services.cli.bulk_commands import add_bulk_commands
from services.cli.facets import add_facets
from services.cli.record_words import OF_EXPORTS
from services.cli.records import group
from services.cli.requests import add_request

app = group(OF_EXPORTS)
add_bulk_commands(app, OF_EXPORTS)
add_facets(app, OF_EXPORTS)
add_request(app, OF_EXPORTS)
