"""Brings what the tests need before they start: RabbitMQ, a browser, axe-core, Prometheus.

`python -m tests.support.bring`. The first time it downloads some 200 MB of Debian's packages and says so; later it
finds them in the user's cache. What is given by `CONNECT_TEST_AMQP_URL` or `CONNECT_TEST_CHROMIUM`, or lies on the
PATH, is not brought.
"""

from __future__ import annotations

import os
import sys

from services.cli.local import rabbitmq_binaries
from services.cli.local.rabbitmq_binaries import RabbitMQIsMissing
from tests.support.axe import NoAxe, axe_script
from tests.support.browser import NoBrowser, chromium, playwright_libraries
from tests.support.monitors import NoMonitors, monitor
from tests.support.servers import programs


def say(text: str) -> None:
    """On stderr, at once."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main() -> int:
    """0 when all is there, 1 with a plain sentence otherwise."""
    try:
        if not os.environ.get("CONNECT_TEST_AMQP_URL"):
            rabbitmq_binaries.find(programs(), say=say)
        chromium(say)
        axe_script(say)
        monitor("prometheus", say)
        with playwright_libraries():
            return 0
    except (RabbitMQIsMissing, NoBrowser, NoAxe, NoMonitors) as error:
        say(str(error))
        return 1


if __name__ == "__main__":
    sys.exit(main())
