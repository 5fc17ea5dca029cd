"""Which private addresses the processes of `connect up` may call: in a demo this machine, else what was named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.cli.session import Session
from services.cli.up import run
from services.cli.up.folder import DataFolder
from services.cli.up.progress import Progress
from shared.networks import Networks
from shared.settings import load

URLS = {"CONNECT_DATABASE_URL": "postgresql://u@x.example/d", "CONNECT_AMQP_URL": "pgmq://u@x.example/d"}


@pytest.mark.parametrize("demo", [True, False])
def test_services_and_commands_of_a_demo_may_call_this_machine(
    demo: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "runnable", list)
    settings = load({**URLS, "CONNECT_ALLOWED_NETWORKS": "10.1.0.0/16", "CONNECT_DATA_DIR": str(tmp_path)})
    running = run._Running(settings, DataFolder(tmp_path), Progress(), demo, 8080, "pgmq")
    database, broker = URLS.values()
    running.state = {"journal": "http://127.0.0.1:8080", "database_url": database, "amqp_url": broker}
    running._start_services()
    assert running._launches is not None
    told = Networks.parse(running._launches.environment["CONNECT_ALLOWED_NETWORKS"])
    assert told.permits("x", "10.1.0.1")
    assert told.permits("x", "127.0.0.1") is demo

    up = {"database_url": URLS["CONNECT_DATABASE_URL"], "allowed_networks": running._allowed}
    (tmp_path / "up.json").write_text(json.dumps(up))
    session = Session({"CONNECT_DATA_DIR": str(tmp_path)}, "en", tmp_path)
    assert session.settings.networks() == told
