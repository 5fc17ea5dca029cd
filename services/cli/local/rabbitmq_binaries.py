"""Finds the programs of RabbitMQ: those of the system, else Debian's packages, unpacked into a folder, without root.

Enters: a cache folder. Leaves: where `rabbitmq-server` and `erl` are. Called by `rabbitmq.py`.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from services.cli.local import debian_packages
from services.cli.local.debian_packages import PackagesMissing, Wanted

HOME_OF_ERLANG = "/usr/lib/erlang"
RABBITMQ = Wanted("RabbitMQ and Erlang", ("rabbitmq-server",), r"erlang-.*")


class RabbitMQIsMissing(RuntimeError):
    """Says in one plain sentence why RabbitMQ cannot be had here and what to do."""


@dataclass(frozen=True, slots=True)
class Programs:
    """`scripts` holds rabbitmq-server and rabbitmqctl; `path` is the PATH with which they find erl."""

    scripts: Path
    path: str

    def erlang(self, name: str) -> str | None:
        """The full path of an Erlang program (erl, epmd, erl_call), or None."""
        found = shutil.which(name, path=self.path)
        if found is None and (erl := shutil.which("erl", path=self.path)):
            found = shutil.which(name, path=str(Path(erl).resolve().parent))
        return found


def find(cache: Path, *, say: Callable[[str], None] = lambda _: None) -> Programs:
    """Find RabbitMQ on this system, else in `cache`, else unpack it there. Raises RabbitMQIsMissing."""
    cache = cache.resolve()
    programs = _installed() or _unpacked(cache)
    if programs is None:
        try:
            debian_packages.unpack(RABBITMQ, cache / "rabbitmq", _move_erlang, say)
        except PackagesMissing as error:
            raise RabbitMQIsMissing(
                f"RabbitMQ is not installed and could not be fetched, because {error}: install rabbitmq-server, or set"
                " CONNECT_AMQP_URL to a RabbitMQ of your own, or use the broker inside PostgreSQL."
            ) from error
        programs = _unpacked(cache)
    if programs is None:
        raise RabbitMQIsMissing(
            f"The package rabbitmq-server, unpacked in {cache}, holds no server that is known here: install"
            " rabbitmq-server, or set CONNECT_AMQP_URL."
        )
    return programs


def _installed() -> Programs | None:
    path = debian_packages.PATH
    server = shutil.which("rabbitmq-server", path=path)
    if server is None or shutil.which("erl", path=path) is None:
        return None
    real = Path(server).resolve()
    if real.name == "rabbitmq-server":
        return Programs(real.parent, path)
    # Debian's wrapper insists on its own user and folders; the scripts that it calls do not.
    scripts = sorted(real.parents[1].glob("lib/rabbitmq_server-*/sbin"))
    return Programs(scripts[-1], path) if scripts else None


def _unpacked(cache: Path) -> Programs | None:
    scripts = sorted(cache.glob("rabbitmq/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin"))
    erlang = cache / "rabbitmq" / HOME_OF_ERLANG.lstrip("/") / "bin"
    return Programs(scripts[-1], f"{erlang}:{debian_packages.PATH}") if scripts else None


def _move_erlang(root: Path, final: Path) -> None:
    """Erlang's start scripts name the folder they were built for; write in the one where they will be."""
    erlang = root / HOME_OF_ERLANG.lstrip("/")
    new = str(final / HOME_OF_ERLANG.lstrip("/"))
    for script in [erlang / "bin" / "erl", erlang / "bin" / "start", *erlang.glob("erts-*/bin/erl")]:
        if script.is_file():
            script.write_text(script.read_text().replace(HOME_OF_ERLANG, new))
