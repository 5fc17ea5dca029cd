"""The same string finds the same records wherever it is written: page, API, sheets, command line, bulk, alarm."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import uuid
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import httpx2
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from services.cli.__main__ import main
from shared.alarms.hours import Slots
from shared.alarms.incidents import Cause, Happening, Kind, Severity
from shared.alarms.plan import Wish
from shared.alarms.subscriptions import Matching, Subscription
from shared.records.filter import parse
from shared.records.interfaces import modes
from shared.records.resources import RESOURCES, Resource
from shared.records.selected import selected
from tests.support import servers
from tests.support.assorted import FILTERS, fill
from tests.support.site import Site, site_over

pytestmark = pytest.mark.servers
NOW = datetime(2026, 11, 24, tzinfo=UTC)
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
ROW = re.compile(r'<tr data-id="(\d+)"')


@dataclass
class Surfaces:
    """Where a filter may be written. keys: id → (interface, key), which sheets name instead."""

    site: Site
    page: httpx2.Client
    api: httpx2.Client
    happened: list[Happening]
    keys: dict[int, tuple[str, str]]

    def of(self, resource: Resource, text: str) -> dict[str, list[Any]]:
        """The ids of each surface, in order; of sheets the keys."""
        name, query = resource.name, {"filter": text, "sort": "number"}
        shown = self.page.get(f"/{name}", params={**query, "size": "100"})
        assert shown.status_code == 200, shown.text
        called = self.api.get(f"/api/v1/{name}", params={**query, "limit": "100"}).json()
        sheet = self.api.get(f"/api/v1/{name}", params={**query, "format": "csv"})
        assert sheet.status_code == 200, sheet.text
        book = self.api.get(f"/api/v1/{name}", params={**query, "format": "xlsx"})
        assert book.status_code == 200, book.text
        dry = {"filter": text, "dry_run": True}
        planned = self.api.post(f"/api/v1/{name}/retry", json=dry).json() if text else None
        conn = self.site.conn
        wanted = parse(text, self.site.journal.zone, modes(conn))
        chosen = selected(conn, resource.flow, None, wanted)
        assert planned is None or planned["counts"]["matched"] == len(chosen), planned
        asked = ("--filter", text, "--sort", "number")
        return {
            "page": [int(id_) for id_ in ROW.findall(shown.text)],
            "api": [one["id"] for one in called["items"]],
            "command": [one["id"] for one in json.loads(said(name, "list", *asked, "--json"))["items"]],
            "bulk": chosen,
            "alarm": [int(one.cause.key) for one in self._alarmed(resource, text)],
            "sheet": _keys(csv.DictReader(io.StringIO(sheet.text.removeprefix("\ufeff")))),
            "book": _keys(_rows(book.content)),
            "command's sheet": _keys(
                csv.DictReader(io.StringIO(said(name, "list", *asked, "--csv").removeprefix("\ufeff")))
            ),
        }

    def _alarmed(self, resource: Resource, text: str) -> list[Happening]:
        """Each record is an incident of its own; those of them that an alarm with this filter would tell of."""
        wish = Wish(on=frozenset(Severity), slots=Slots(frequency="immediately"), zone=self.site.journal.zone.key)
        about = [one for one in self.happened if one.cause.flow == resource.flow]
        return list(Matching(self.site.conn, about).of(Subscription(0, wish, text)))


def said(*words: str) -> str:
    """What a command prints."""
    with redirect_stdout(io.StringIO()) as out:
        assert main(words) == 0
    return out.getvalue()


def _keys(rows: Iterable[dict[str, str]]) -> list[tuple[str, str]]:
    return [(row["interface"], row.get("key") or row["sku"]) for row in rows]


def _rows(book: bytes) -> Iterator[dict[str, str]]:
    """The first sheet of a workbook, whose first row has the names."""
    with zipfile.ZipFile(io.BytesIO(book)) as files:
        shared = [_text(one) for one in _parts(files, "xl/sharedStrings.xml", "si")]
        rows = [
            {
                cell.attrib["r"].rstrip("0123456789"): shared[int(_text(cell))] if cell.get("t") == "s" else _text(cell)
                for cell in row
            }
            for row in _parts(files, "xl/worksheets/sheet1.xml", "row")
        ]
    for row in rows[1:]:  # empty cells are not in it
        yield {name: row.get(column, "") for column, name in rows[0].items()}


def _parts(files: zipfile.ZipFile, name: str, tag: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(files.read(name)).iter(f"{{{SHEET}}}{tag}")) if name in files.namelist() else []


def _text(element: ElementTree.Element) -> str:
    return "".join(element.itertext())


@pytest.fixture(scope="module")
def surfaces(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surfaces]:
    with (
        servers.database(postgres_server, f"t{uuid.uuid4().hex}") as url,
        site_over(url) as site,
        pytest.MonkeyPatch.context() as patch,
    ):
        fill(site.conn)
        for name in [name for name in os.environ if name.startswith("CONNECT_")]:
            patch.delenv(name)
        patch.setenv("CONNECT_DATABASE_URL", url)
        patch.setenv("CONNECT_SECRET_KEY", "a-secret-of-the-tests")
        patch.setenv("CONNECT_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        patch.setenv("CONNECT_TIME_ZONE", site.journal.zone.key)
        rows = site.conn.execute("SELECT id, interface, flow, key FROM records ORDER BY id").fetchall()
        for id_, interface, flow, _ in rows:
            site.conn.execute(
                "INSERT INTO troubles(record_id, cause, interface, flow, code, problem)"
                " VALUES (%s, %s, %s, %s, 'x', %s)",
                (id_, str(id_), interface, flow, Jsonb({})),
            )
        happened = [
            Happening(NOW, Cause(interface, flow, "x", str(id_)), Kind.OPENED, Severity.ERROR, NOW)
            for id_, interface, flow, _ in rows
        ]
        keys = {id_: (interface, key) for id_, interface, _, key in rows}
        yield Surfaces(site, site.browser("admin"), site.api("admin"), happened, keys)


# An example asks every surface, two of them by a command; what fails is small already.
@settings(max_examples=6, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(text=FILTERS, resource=st.sampled_from(RESOURCES))
def test_the_same_string_finds_the_same_everywhere(surfaces: Surfaces, text: str, resource: Resource) -> None:
    found = surfaces.of(resource, text)
    wanted = found["api"]
    assert found["page"] == found["command"] == wanted  # in the same order, too
    assert sorted(found["bulk"]) == sorted(found["alarm"]) == sorted(wanted)
    assert found["sheet"] == found["book"] == found["command's sheet"] == [surfaces.keys[id_] for id_ in wanted]


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda one: one.name)
def test_a_page_of_fifty_is_light(surfaces: Surfaces, resource: Resource) -> None:
    """As it is read, not as it is sent: that is a tenth of it."""
    answer = surfaces.page.get(f"/{resource.name}")
    assert len(ROW.findall(answer.text)) == 50
    assert len(answer.content) < 100_000
