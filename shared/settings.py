"""Every setting, read from the environment once at start. The only file that reads `os.environ`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, SecretStr, UrlConstraints, ValidationError
from pydantic_core import MultiHostUrl, Url
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.networks import Networks
from shared.seal import KEY_LETTERS, ring

PREFIX = "CONNECT_"
DEVELOPMENT = "dev-only-"
"""How every secret begins that docker-compose.yml has for development, where everybody can read it."""
Service = Literal["importer", "exporter", "stock", "alerts", "journal"]
NEAR = frozenset({"127.0.0.1", "[::1]", "::1", "localhost"})
PORTS: dict[str, int] = {"importer": 9401, "exporter": 9402, "stock": 9403, "alerts": 9404, "journal": 9405}


class SettingsError(Exception):
    """One or more settings are wrong or missing. The message names all of them."""


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except Exception:
        raise ValueError("is not the name of a time zone, e.g. Europe/Berlin") from None
    return value


def _ring(value: SecretStr) -> SecretStr:
    keys = ring(value.get_secret_value())
    if not keys or min(map(len, keys)) < KEY_LETTERS:
        raise ValueError(f"each key, one a line, must have at least {KEY_LETTERS} characters")
    return value


def _issuer(value: str) -> str:
    if not value:
        return value
    # Kept as it is written: the provider's tokens repeat it letter by letter.
    try:
        parts = urlsplit(value)
        near = parts.hostname in ("127.0.0.1", "::1", "localhost")
    except ValueError:
        raise ValueError("is not an address") from None
    safe = parts.scheme == "https" or (parts.scheme == "http" and near)
    if not parts.hostname or parts.query or parts.fragment or not safe:
        raise ValueError("is not an address like https://login.example.org")
    return value


def _roles(value: str) -> str:
    read_roles(value)
    return value


def _networks(value: str) -> str:
    Networks.parse(value)
    return value


def _proxies(value: str) -> str:
    if Networks.parse(value).hosts:
        raise ValueError("names networks or addresses of proxies, such as 10.1.2.3, and no host by its name")
    return value


def read_roles(value: str) -> dict[str, str]:
    """`shop-admins=admin, shop-staff=operator` as a table. Raises ValueError that names what is wrong."""
    found: dict[str, str] = {}
    for part in filter(None, (one.strip() for one in value.split(","))):
        said, equals, role = (word.strip() for word in part.rpartition("="))
        if not equals or not said or role not in ("viewer", "operator", "admin"):
            raise ValueError(f"“{part}” is not like shop-staff=operator, with viewer, operator or admin behind the =")
        found[said] = role
    return found


def _url(*schemes: str) -> UrlConstraints:
    return UrlConstraints(allowed_schemes=list(schemes))


def _data_dir() -> Path:
    home = os.environ.get("XDG_DATA_HOME")
    return (Path(home) if home else home_folder() / ".local" / "share") / "connect"


def home_folder() -> Path:
    """Of whoever runs this; / for a user without an entry, as systemd makes them and containers may be told to use."""
    try:
        return Path.home()
    except RuntimeError:
        return Path("/")


class Settings(BaseSettings):
    """`CONNECT_…` by name. A secret may be given as a value or, with `_FILE` behind its name, as a file."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    database_url: Annotated[MultiHostUrl, _url("postgresql", "postgres")] | None = Field(
        None, description="PostgreSQL; unset: the embedded one of `connect up`"
    )
    amqp_url: Annotated[MultiHostUrl, _url("amqp", "amqps", "pgmq")] | None = Field(
        None, description="RabbitMQ (amqp://…) or the broker inside PostgreSQL (pgmq://…); unset: embedded"
    )
    smtp_url: Annotated[Url, _url("smtp", "smtps")] | None = Field(None, description="mail server for alarms")
    prometheus_url: Annotated[Url, _url("http", "https")] | None = Field(None, description="Prometheus")
    alertmanager_token: SecretStr | None = Field(
        None, description="what Alertmanager says to post to the alert service; unset: a publisher's token of Connect"
    )
    watchdog_minutes: int | None = Field(
        None,
        ge=0,
        le=1440,
        description="minutes that Prometheus' Watchdog may be missing; unset: 15 once seen; 0: ever",
    )
    heartbeat_url: Annotated[Url, _url("http", "https")] | None = Field(
        None, description="called (GET) about once a minute while the alert service works, e.g. of healthchecks.io"
    )
    database_away_seconds: float = Field(
        60.0, ge=1, le=3600, description="after so long without the database the alert service mails that it is away"
    )
    probe_minutes: float = Field(
        5.0, ge=0, le=1440, description="how often a probe order is sent through each live interface; 0: never"
    )
    keep_orders_days: int = Field(
        730, ge=0, le=36500, description="days until buyers' data of finished orders is overwritten; 0: never"
    )
    keep_rejections_days: int = Field(
        90, ge=0, le=36500, description="days until the bytes of a resolved rejection are overwritten; 0: never"
    )
    keep_audit_days: int = Field(
        1096, ge=0, le=36500, description="days until a line of the audit is deleted, at least 30; 0: never"
    )
    base_url: Annotated[Url, _url("http", "https")] = Field(
        Url("http://127.0.0.1:8080"), description="where people reach the Journal, for links in mails"
    )
    time_zone: Annotated[str, AfterValidator(_zone)] = Field(
        "Europe/Berlin", description="of days and dates in filters"
    )
    secret_key: Annotated[SecretStr, AfterValidator(_ring)] | None = Field(
        None, description="seals credentials in the database; one key a line, the newest first, 16 characters or more"
    )
    allowed_networks: Annotated[str, AfterValidator(_networks)] = Field(
        "",
        description="networks that interfaces may call although they are private, and with http://; also private hosts;"
        " e.g. 10.1.0.0/16, erp.local; unset: none",
    )
    trusted_proxies: Annotated[str, AfterValidator(_proxies)] = Field(
        "", description="networks of proxies whose X-Forwarded-For is believed, e.g. 10.1.2.3/32; unset: none"
    )
    requests_per_minute: int = Field(
        6000, ge=0, le=1_000_000, description="of one user, token or unknown address, posted events apart; 0: no limit"
    )
    oidc_issuer: Annotated[str, AfterValidator(_issuer)] = Field(
        "", description="identity provider (OpenID Connect) by which people may log in, as it writes its own address"
    )
    oidc_client_id: str = Field("", description="how the identity provider knows Connect")
    oidc_client_secret: SecretStr | None = Field(None, description="its password there; unset: PKCE alone")
    oidc_role_claim: str = Field("groups", description="claim of the ID token that says what somebody may do")
    oidc_roles: Annotated[str, AfterValidator(_roles)] = Field(
        "", description="value of that claim = role, e.g. shop-admins=admin, shop-staff=operator"
    )
    oidc_other_role: Literal["viewer", "operator", "admin", ""] = Field(
        "", description="role of everybody else whom the identity provider knows; unset: they may not enter"
    )
    log_format: Literal["json", "console", "auto"] = Field("auto", description="auto: console on a terminal")
    data_dir: Path = Field(default_factory=_data_dir, description="folder of `connect up`")
    lease_seconds: float = Field(30.0, ge=1, le=300, description="how long a worker holds a record before renewing")
    call_seconds: float = Field(20.0, ge=1, le=60, description="deadline of one call of a remote system")
    patience: float = Field(
        1.0, gt=0, le=1, description="share of the planned waits after errors that is really waited; below 1 for trials"
    )
    fault: str = Field("", description="failpoints, for tests only; see shared/failpoint.py")
    port: int = Field(8080, ge=0, le=65535, description="of the Journal's pages and API")
    metrics_port: int | None = Field(None, ge=0, le=65535, description="of /metrics; unset: the service's own")
    host: str = Field("127.0.0.1", description="address that the Journal listens on")
    metrics_host: str = Field("127.0.0.1", description="address that /metrics listens on")

    def database(self) -> str:
        """The database's URL, or SettingsError."""
        if self.database_url is None:
            raise SettingsError(
                "CONNECT_DATABASE_URL is not set: set it to postgresql://…, or start everything with `connect up`"
            )
        return str(self.database_url)

    def broker(self) -> str:
        """The broker's URL, or SettingsError."""
        if self.amqp_url is None:
            raise SettingsError(
                "CONNECT_AMQP_URL is not set: set it to amqp://…, or start everything with `connect up`"
            )
        return str(self.amqp_url)

    def secret(self) -> str:
        """The secret key, or SettingsError."""
        if self.secret_key is None:
            raise SettingsError(
                "CONNECT_SECRET_KEY is not set: set it (or CONNECT_SECRET_KEY_FILE) to a random text of 32 characters"
            )
        return self.secret_key.get_secret_value()

    def identity(self) -> dict[str, Any] | None:
        """How people log in by an identity provider, None where none is set; SettingsError where a part is missing."""
        if not self.oidc_issuer:
            if self.oidc_client_id:
                raise SettingsError("CONNECT_OIDC_CLIENT_ID is set, CONNECT_OIDC_ISSUER is not: set both or none")
            return None
        if not self.oidc_client_id:
            raise SettingsError("CONNECT_OIDC_ISSUER is set, CONNECT_OIDC_CLIENT_ID is not: set both or none")
        if not self.oidc_roles and not self.oidc_other_role:
            raise SettingsError(
                "CONNECT_OIDC_ISSUER is set, but nobody could enter: set CONNECT_OIDC_ROLES or CONNECT_OIDC_OTHER_ROLE"
            )
        secret = self.oidc_client_secret
        return {
            "issuer": self.oidc_issuer,
            "client_id": self.oidc_client_id,
            "secret": None if secret is None else secret.get_secret_value(),
            "claim": self.oidc_role_claim,
            "roles": read_roles(self.oidc_roles),
            "fallback": self.oidc_other_role or None,
        }

    def development_secrets(self) -> list[str]:
        """The names of settings that have, or hold, a secret that is written down in docker-compose.yml."""
        found = []
        for name in type(self).model_fields:
            value = getattr(self, name)
            if DEVELOPMENT in (value.get_secret_value() if isinstance(value, SecretStr) else str(value)):
                found.append(PREFIX + name.upper())
        return found

    def only_at_home(self) -> None:
        """SettingsError where people reach Connect over a network and a secret is one that everybody knows."""
        known = self.development_secrets()
        if known and self.base_url.host not in NEAR:
            raise SettingsError(
                f"{', '.join(known)}: a value that begins with {DEVELOPMENT} is for development, and everybody can read"
                f" it. Set one of your own: CONNECT_BASE_URL ({self.base_url}) is no address of this machine alone."
            )

    def networks(self) -> Networks:
        """Which private addresses interfaces may call."""
        return Networks.parse(self.allowed_networks)

    def port_of(self, service: str) -> int:
        """The port for /metrics, /livez and /readyz of a service."""
        return PORTS[service] if self.metrics_port is None else self.metrics_port


def _with_files(environ: Mapping[str, str]) -> dict[str, str]:
    values = dict(environ)
    for name, path in environ.items():
        if name.startswith(PREFIX) and name.endswith("_FILE") and path:
            try:
                values[name.removesuffix("_FILE")] = Path(path).read_text(encoding="utf-8").strip()
            except OSError as error:
                raise SettingsError(f"{name}: cannot read {path}: {error.strerror}") from None
    return values


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings, from the given or the process's environment. An empty value counts as unset.

    Raises SettingsError with one message that names every wrong setting.
    """
    values = _with_files(os.environ if environ is None else environ)
    given = {
        name.removeprefix(PREFIX).lower(): value for name, value in values.items() if name.startswith(PREFIX) and value
    }
    try:
        return Settings.model_validate({k: v for k, v in given.items() if k in Settings.model_fields})
    except ValidationError as error:
        lines = [
            f"  {PREFIX}{'_'.join(str(part) for part in problem['loc'][:1]).upper()}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)
        ]
        raise SettingsError("These settings are wrong:\n" + "\n".join(lines)) from None


def unknown(environ: Mapping[str, str] | None = None) -> list[str]:
    """`CONNECT_…` variables that mean nothing here: probably misspelt. Those for tests are left out."""
    names = (os.environ if environ is None else environ).keys()
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    return sorted(
        name
        for name in names
        if name.startswith(PREFIX)
        and name.removesuffix("_FILE") not in known
        and not name.startswith((f"{PREFIX}TEST_", f"{PREFIX}FAULT"))
    )


def environment() -> dict[str, str]:
    """A copy of the process's environment, for the processes that we start."""
    return dict(os.environ)


SERVICES: tuple[str, ...] = get_args(Service)
