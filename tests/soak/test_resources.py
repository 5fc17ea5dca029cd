"""R1: without a folder to write into, services go on, and nothing is lost."""

from __future__ import annotations

import pytest

from tests.support.system import System, order_event

pytestmark = [pytest.mark.servers, pytest.mark.faults, pytest.mark.timeout(240)]


def test_a_folder_that_cannot_be_written_into_holds_up_nothing(system: System) -> None:
    """Neither the folder for temporary files nor that of the data is there to write into."""
    nowhere = "/proc"  # root may write nearly everywhere, but not there
    system.environment = {"TMPDIR": nowhere, "CONNECT_DATA_DIR": nowhere, "HOME": nowhere}
    for name in ("importer", "exporter", "stock"):
        system.start(name, name)
    system.publish([order_event(f"T{n}") for n in range(5)])
    assert system.until_settled(5, 90) == {"done": 5}
    for name in ("importer", "exporter", "stock"):
        assert system.end(name) == 0, system.log_text(name)[-2000:]
        assert "Traceback" not in system.log_text(name)
