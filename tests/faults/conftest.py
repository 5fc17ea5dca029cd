"""What tests of faults stand on: a system of their own, or the ground of the matrix with servers that may be killed."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.faults.ground import Ground
from tests.faults.tally import COUNTED, Tally, case_of, ledger, left_out
from tests.support.sandbox import sandbox
from tests.support.system import System, running

PASSED = pytest.StashKey[bool]()


@pytest.fixture
def system(tmp_path: Path, database_url: str, broker_url: str) -> Iterator[System]:
    """Nothing runs yet but the stand-ins."""
    with sandbox(tmp_path / "sandbox") as stand, running(System(tmp_path, database_url, broker_url, stand)) as system:
        yield system


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keeps how the test itself went, for its line in the ledger."""
    report = yield
    if report.when == "call":
        item.stash[PASSED] = report.passed
    return report


@pytest.fixture(autouse=True)
def tally(request: pytest.FixtureRequest) -> Iterator[Tally]:
    """What the test did; written into the ledger of the run, where there is one."""
    tally = Tally(case_of(request.node))
    if why := left_out(tally.case):
        pytest.skip(why)
    for name in set(COUNTED) & set(request.fixturenames):
        tally.counted.append(request.getfixturevalue(name))
    yield tally
    results = ledger()
    if results is not None and (tally.faults or tally.counted) and PASSED in request.node.stash:
        results.append(tally.line(request.node.nodeid, request.node.stash[PASSED]))


@pytest.fixture(scope="session")
def ground() -> Iterator[Ground]:
    """Servers of this process alone: they are killed and frozen."""
    with tempfile.TemporaryDirectory(prefix="connect-faults-") as folder:
        Path(folder).chmod(0o711)  # root's PostgreSQL may have to run as somebody else
        ground = Ground(Path(folder))
        try:
            yield ground
        finally:
            ground.close()
