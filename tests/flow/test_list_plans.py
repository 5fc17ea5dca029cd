"""How PostgreSQL finds what lists, counts and histories show: through no table of records from end to end."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from benchmarks.journal_ground import fill
from shared.db.connect import Connection, connect
from shared.records.counts import counts_by_state
from shared.records.facets import facets
from shared.records.filter import parse
from shared.records.history import history
from shared.records.listing import list_records
from tests.support import servers

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]
ZONE = ZoneInfo("Europe/Berlin")
BIG = re.compile(r"Seq Scan on (records|payloads|parts|transitions\w*|attempts|shipments|articles|search_texts)\b.*")
RECORDS = 20_000
# What reading a page in its turn costs, so that these few pages weigh as much as those of ten million records.
COST = "SET seq_page_cost = 200; SET random_page_cost = 4"
HOT = [
    ("", "-updated"), ("", "number"), ("", "-ordered"), ("", "state"), ("state:failed|waiting", None),
    ("-state:done interface:otto-de", None), ("ordered:2026-11-01", None), ("ordered>=2026-11-01", "-updated"),
    ("received>=2026-11-01 received<=2026-11-02", None), ("changed:2026-11-01", None), ("run:2026-11-01", "number"),
    ("tracking:failed", None), ("tracking:open", None), ("tracking:exported", None), ("error:sku-unknown", None),
    ("test:yes", None), ("test:no", None), ("muller", None), ("mu", None), ("abc-4711", None),
    ("meyer-str state:failed", None), ("-muller", None), ("type:variant", None),
    ("due:24h", None), ("due:today", "number"), ("due:overdue interface:otto-de", "state"), ("-due:24h", None),
    ("due:24h|error:sku-unknown", None),
]  # fmt: skip

OF_FLOW = {"tracking": "order-export", "type": "stock"}


class Asked:
    """A connection that notes each statement with its parameters."""

    def __init__(self, conn: Connection) -> None:
        self._conn, self.statements = conn, [("SELECT 1", None)]

    def execute(self, statement: Any, values: Any = None, **how: Any) -> Any:
        self.statements.append((statement, values))
        return self._conn.execute(statement, values, **how)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._conn, name)


@pytest.fixture(scope="module")
def url(postgres_server: str) -> Iterator[str]:
    with servers.database(postgres_server, f"t{uuid.uuid4().hex}") as made:
        with connect(made, "tests") as conn:
            fill([conn], RECORDS, lambda _what, _share: None)
        yield made


def test_no_list_reads_a_big_table_from_end_to_end(url: str) -> None:
    """Nor a count, a facet, a history. The texts of the generator are the indexer's: `fill` compares them."""
    with connect(url, "tests") as conn:
        conn.execute(COST)
        for flow in ("order-import", "order-export", "stock"):
            for text, sort in HOT:
                if OF_FLOW.get(text.partition(":")[0], flow) != flow:
                    continue
                asked, filter = Asked(conn), parse(text, ZONE)
                list_records(asked, flow, filter, sort=sort)  # type: ignore[arg-type]
                counts_by_state(asked, flow, filter)  # type: ignore[arg-type]
                facets(asked, flow, filter)  # type: ignore[arg-type]
                assert_by_index(conn, asked.statements, f"{flow} {text} {sort}")
        asked = Asked(conn)
        assert history(asked, 4711)  # type: ignore[arg-type]
        assert_by_index(conn, asked.statements, "history")


def assert_by_index(conn: Connection, statements: list[tuple[Any, Any]], of: str) -> None:
    """No plan reads a big table."""
    for statement, values in statements:
        text = (
            statement
            if isinstance(statement, str)
            else (statement.decode() if isinstance(statement, bytes) else statement.as_string(conn))
        )
        plan = "\n".join(line for (line,) in conn.execute(f"EXPLAIN {text}".encode(), values).fetchall())
        found = BIG.search(plan)
        assert found is None, f"{of}: {found[0]}\n{text[:300]}\n{plan}"
