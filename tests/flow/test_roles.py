"""What each role of the database may do, and that everything else is refused by the server itself."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
import pytest

from services.cli.__main__ import main
from services.cli.local import cluster
from services.cli.local.postgres import Postgres, find_programs
from services.cli.rights import roles_of_services
from shared.broker.apply import apply, check
from shared.broker.delivery import Fate, Message
from shared.broker.open import open_publisher
from shared.db import roles
from shared.db.connect import connect
from shared.db.migrate import migrate, pending
from shared.people.audit import audit, read_audit
from shared.records.exchanges import keep_weeks
from tests.support import servers
from tests.support.brokers import consuming, gather

pytestmark = pytest.mark.servers
ROOT = Path(__file__).parents[2]

REFUSED_TO_SERVICES = (
    "CREATE TABLE public.planted (i int)",
    "CREATE TEMPORARY TABLE planted (i int)",
    "CREATE SCHEMA planted",
    "CREATE FUNCTION public.planted() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "ALTER TABLE records ADD planted int",
    "ALTER TABLE audit DISABLE TRIGGER ALL",
    "DROP TABLE audit",
    "TRUNCATE audit",
    "CREATE INDEX planted ON records (key)",
    "DROP INDEX audit_at",
    "CREATE TRIGGER planted AFTER DELETE ON records FOR EACH ROW EXECUTE FUNCTION note_changed_record()",
    "CREATE ROLE planted",
    "ALTER SYSTEM SET log_statement = 'all'",
    "COPY audit TO PROGRAM 'cat'",
    "SET ROLE pg_database_owner",
    # Written once.
    "UPDATE audit SET actor = 'somebody else'",
    "DELETE FROM audit",
    "SELECT FROM audit FOR UPDATE",
    "INSERT INTO audit(actor, verb) VALUES ('a', 'b') RETURNING (SELECT setval('audit_id_seq', 1))",
    *(f"UPDATE transitions SET {column} = {column}" for column in ("at", "to_state", "from_state", "code", "actor")),
    "DELETE FROM transitions",
    # Past the table there is no way either.
    "DO $$ BEGIN EXECUTE format('DELETE FROM %I', (SELECT min(inhrelid::regclass::text) FROM pg_inherits"
    " WHERE inhparent = 'transitions'::regclass)); END $$",
    "DO $$ BEGIN EXECUTE format('DROP TABLE %I', (SELECT min(inhrelid::regclass::text) FROM pg_inherits"
    " WHERE inhparent = 'exchanges'::regclass)); END $$",
    "DELETE FROM schema_migrations",
    "SELECT pgmq.create('planted')",
    "SELECT pgmq.drop_queue('order_imported')",
    "SELECT pgmq.purge_queue('order_imported')",
    "DELETE FROM pgmq.topic_bindings",
)

REFUSED_TO_REPORTS = (
    "INSERT INTO audit(actor, verb) VALUES ('a', 'b')",
    "SET default_transaction_read_only = off; DELETE FROM records",
    "CREATE TABLE public.planted (i int)",
    # Sealed, hashed, and what people may log in with.
    *(f"SELECT * FROM {table}" for table in ("credentials", "remote_tokens", "sides", "users", "sessions", "tokens")),
    # What buyers said.
    *(f"SELECT * FROM {table}" for table in ("payloads", "exchanges", "search_texts", "mails", "recipients")),
    "SELECT raw FROM rejections",
    "SELECT reason FROM records",
    "SELECT document FROM shipments",
    "SELECT detail FROM attempts",
    "SELECT make_transition_months(5)",
    "SELECT drop_exchange_weeks(1)",
)


@pytest.fixture
def owner(database_url: str) -> Iterator[Any]:
    with connect(database_url, "tests") as conn:
        yield conn


def refused(conn: psycopg.Connection[Any], statement: str) -> bool:
    """Whether the server says that this role may not."""
    try:
        conn.execute(statement.encode())
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction):
        return True
    return False


def test_each_role_does_its_work_and_nothing_else(
    database_url: str, role_urls: dict[roles.Kind, str], owner: Any
) -> None:
    pgmq = {
        name: "pgmq" + url.removeprefix("postgresql") for name, url in (("owner", database_url), *role_urls.items())
    }
    assert apply(pgmq["owner"]) == []
    with connect(role_urls["services"], "tests") as services:
        for statement in REFUSED_TO_SERVICES:
            assert refused(services, statement), statement
        services.execute("UPDATE transitions SET reason = NULL")  # a person in it can be erased
        audit(services, "Mara", "tokens.create", {"name": "x"})
        assert [line["actor"] for line in read_audit(services)] == ["Mara"]
        # What has to be made and dropped while services run, is made and dropped.
        owner.execute(
            "DO $$ BEGIN EXECUTE format('DROP TABLE %I', (SELECT max(inhrelid::regclass::text) FROM pg_inherits"
            " WHERE inhparent = 'transitions'::regclass)); END $$"
        )
        assert services.execute("SELECT make_transition_months(3)").fetchone() == (1,)
        owner.execute(
            "CREATE TABLE exchanges_2020_01_06 PARTITION OF exchanges FOR VALUES FROM ('2020-01-06') TO ('2020-01-13')"
        )
        assert keep_weeks(services) == (0, 1)
        # Nobody gets at what is still in use by asking for it.
        before = services.execute("SELECT count(*) FROM pg_inherits").fetchone()
        assert services.execute("SELECT drop_exchange_weeks(-10000)").fetchone() == (0,)
        assert services.execute("SELECT count(*) FROM pg_inherits").fetchone() == before
        services.execute("SELECT make_exchange_weeks(100000), make_transition_months(100000)")
        made = services.execute("SELECT count(*) FROM pg_class WHERE relispartition AND relkind = 'r'").fetchone()
        assert made is not None
        assert made[0] < 200
        services.execute("SET application_name = 'connect-importer-work/1.0'")
        assert roles_of_services(owner) == [(services.info.user, False)]
        owner.execute("SET application_name = 'connect-journal/1.0'")
        assert (owner.info.user, True) in roles_of_services(owner)
        for table in roles.TENDED:
            services.execute(f"ANALYZE {table}".encode())
        assert services.execute("SELECT count(*) FROM pg_stat_activity WHERE query <> '<insufficient privilege>'")
    with psycopg.connect(role_urls["reading"], autocommit=True) as reading:
        for statement in REFUSED_TO_REPORTS:
            assert refused(reading, statement), statement
        for table in roles.REPORTED:
            reading.execute(f"SELECT count(*) FROM {table}".encode())
        assert reading.execute("SELECT pg_database_size(current_database()) > 0").fetchone() == (True,)


def test_a_queue_in_the_database_works_for_services(database_url: str, role_urls: dict[roles.Kind, str]) -> None:
    mine = "pgmq" + database_url.removeprefix("postgresql")
    theirs = "pgmq" + role_urls["services"].removeprefix("postgresql")
    assert apply(mine) == []
    assert check(theirs) == []
    assert apply(theirs) == []
    publisher = open_publisher(theirs, name="tests")
    key = "order-imported.v1.otto-de"
    assert publisher.publish([Message(b"1", key), Message(b"2", "nobody.v1.x")]) == [Fate.CONFIRMED] * 2
    publisher.close()
    with consuming(theirs, "order-imported") as consumer:
        consumer.ack(gather(consumer, 1))
    with connect(database_url, "tests") as conn:
        conn.execute("SELECT pgmq.drop_queue('order_changed')")
    assert apply(theirs) == check(theirs) != []  # who may not declare says what is missing


def test_a_table_that_a_migration_brings_is_granted_with_it(
    database_url: str, role_urls: dict[roles.Kind, str], owner: Any
) -> None:
    owner.execute("CREATE TABLE brought (i bigserial)")
    owner.execute("GRANT ALL ON audit TO PUBLIC")  # somebody was too kind, by hand, or not kind enough
    owner.execute(f"REVOKE CONNECT ON DATABASE {owner.info.dbname} FROM PUBLIC")
    owner.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    migrate(database_url)
    with connect(role_urls["services"], "tests") as services:
        services.execute("INSERT INTO brought DEFAULT VALUES")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            services.execute("DELETE FROM audit")
    with (
        psycopg.connect(role_urls["reading"], autocommit=True) as reading,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        reading.execute("SELECT i FROM brought")


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    server = Postgres(tmp_path_factory.mktemp("roles") / "pg")
    server.start()
    yield server
    server.stop()


def as_administrator(server: Postgres, database: str = "postgres") -> psycopg.Connection[Any]:
    return psycopg.connect(cluster.url(server.folder, "connect_admin", server.port, database), autocommit=True)


def forget_everything(server: Postgres) -> None:
    """As in a server that Connect has never seen."""
    with as_administrator(server) as admin:
        admin.execute("DROP DATABASE connect WITH (FORCE)")
        for name in ("connect_services", "connect_reading", "connect"):
            admin.execute(f"DROP OWNED BY {name}".encode())
            admin.execute(f"DROP ROLE {name}".encode())


def test_a_data_folder_of_an_earlier_release_gets_its_roles_at_the_next_start(own_server: Postgres) -> None:
    migrate(own_server.url)
    with as_administrator(own_server, "connect") as admin:
        for kind in roles.KINDS:  # as it was before there were any
            admin.execute(f"DROP OWNED BY connect_{kind}".encode())
            admin.execute(f"DROP ROLE connect_{kind}".encode())
            (own_server.folder / f"{kind}-password").unlink()
    own_server.stop()
    own_server.start()
    assert migrate(own_server.url) == []
    with connect(own_server.services_url, "tests") as services:
        assert services.execute("SELECT count(*) FROM records").fetchone() == (0,)
        assert refused(services, "DELETE FROM audit")


def test_composes_script_and_job_make_a_new_database_ready(
    own_server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_everything(own_server)
    for name in ("owner", *roles.KINDS):
        (tmp_path / name).write_text(f"word-of-{name}")
    try:
        subprocess.run(
            [ROOT / "deploy/postgres/10-connect.sh"], check=True, timeout=60,
            env={
                "PATH": f"{find_programs()}:/usr/bin:/bin", "POSTGRES_USER": "connect_admin", "PGHOST": "127.0.0.1",
                "PGPORT": str(own_server.port), "PGPASSWORD": (own_server.folder / "admin-password").read_text(),
                "CONNECT_OWNER_PASSWORD_FILE": str(tmp_path / "owner"),
            },
        )  # fmt: skip
        at = f"@127.0.0.1:{own_server.port}/connect"
        monkeypatch.setenv("CONNECT_DATABASE_URL", f"postgresql://connect:word-of-owner{at}")
        assert main(["db", "roles", *(f"{kind}=@{tmp_path / kind}" for kind in roles.KINDS)]) == 0
        assert main(["migrate"]) == 0
        with connect(f"postgresql://connect_services:word-of-services{at}", "tests") as services:
            audit(services, "Mara", "tokens.create", {})
            assert refused(services, "DELETE FROM audit")
            assert services.execute("SELECT pg_has_role('pg_monitor', 'USAGE')").fetchone() == (True,)
        with psycopg.connect(f"postgresql://connect_reading:word-of-reading{at}", autocommit=True) as reading:
            assert reading.execute("SELECT actor FROM audit").fetchone() == ("Mara",)
            assert reading.execute("SELECT pg_has_role('pg_monitor', 'USAGE')").fetchone() == (True,)
        with psycopg.connect(f"postgresql://connect:word-of-owner{at}", autocommit=True) as owner:
            assert owner.execute("SELECT rolsuper FROM pg_roles WHERE rolname = 'connect'").fetchone() == (False,)
    finally:
        forget_everything(own_server)
        own_server.stop()
        own_server.start()


def test_the_command_makes_the_roles_of_an_installation_with_one_role(
    database_url: str, owner: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONNECT_DATABASE_URL", database_url)
    files = {kind: tmp_path / kind for kind in roles.KINDS}
    for kind, file in files.items():
        file.write_text(f"the {kind}' word\n")
    asked = [f"{kind}=@{file}" for kind, file in files.items()]
    assert main(["db", "roles", *asked]) == 1
    assert "may not make roles" in capsys.readouterr().err
    assert main(["db", "roles", "--json"]) == 0
    assert [role["there"] for role in json.loads(capsys.readouterr().out)["roles"]] == [False, False]
    with servers.may_make_roles(owner.info.dbname, owner.info.user):
        assert main(["db", "roles", *asked, "--dry-run"]) == 0
        assert capsys.readouterr().out.count("would be made") == 2
        for made in (2, 0):  # a second time it only changes passwords
            assert main(["db", "roles", *asked, "--json"]) == 0
            assert len(json.loads(capsys.readouterr().out)["made"]) == made
        url = urlsplit(database_url)
        login = f"{roles.role(owner.info.dbname, 'services')}:{quote(files['services'].read_text().strip())}"
        as_services = url._replace(netloc=f"{login}@{url.hostname}:{url.port}").geturl()
        with connect(as_services, "tests") as services:
            audit(services, "Mara", "tokens.create", {})
            assert refused(services, "DELETE FROM audit")
        monkeypatch.setenv("CONNECT_DATABASE_URL", as_services)
        assert main(["migrate"]) == 0  # nothing is missing, so nothing has to be allowed
        owner.execute("DELETE FROM schema_migrations WHERE number = 20")
        assert pending(as_services) == ["0020_roles"]
        assert main(["migrate"]) == 1
        assert "as the database's owner" in capsys.readouterr().err
