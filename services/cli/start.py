"""The entry of the command `connect`: loads the rest so that Ctrl-C meanwhile ends it without a stack trace.

Called by the installed script and by `make run`.
"""

import signal
import sys


def main() -> int:
    """Load, then run one command; returns its exit code."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # loading takes a second on a slow machine
    from services.cli.__main__ import main as command

    signal.signal(signal.SIGINT, signal.default_int_handler)
    return command()


if __name__ == "__main__":
    sys.exit(main())
