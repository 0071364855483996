"""`gatepost uplink`: the link process."""

import argparse

from gatepost.cli.main import fail
from gatepost.cli.process import Stopper, add_config_argument, log_to_stderr
from gatepost.wiring.link import link
from gatepost_config.load import load
from gatepost_services.sd_notify import notify


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_config_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Bring events to the central server until SIGTERM."""
    settings = load(args.config)
    log_to_stderr()
    try:
        with link(settings) as drain:
            stop = Stopper(drain.wake)
            notify("READY=1")
            drain.run(stop)
    except OSError as error:
        fail(str(error))
    return 0
