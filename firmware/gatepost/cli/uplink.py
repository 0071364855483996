"""`gatepost uplink`: the link process."""

import argparse
from contextlib import ExitStack

from gatepost.cli.main import fail
from gatepost.cli.process import Stopper, add_config_argument, log_to_stderr
from gatepost.wiring.last_good import settings_in_force
from gatepost.wiring.link import link
from gatepost_services.sd_notify import notify


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_config_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Bring events to the central server until SIGTERM."""
    log_to_stderr()
    # Where the file cannot be used, the gate tells it as a fault: it must get to the server.
    settings = settings_in_force(args.config).settings
    with ExitStack() as closing:
        try:
            drain = closing.enter_context(link(settings))
        except OSError as error:
            fail(str(error))
        stop = Stopper(drain.wake)
        notify("READY=1")
        drain.run(stop)
    return 0
