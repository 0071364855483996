"""`gatepost run`: the gate process."""

import argparse
from contextlib import ExitStack

from gatepost import __version__
from gatepost.cli.main import fail
from gatepost.cli.process import Stopper, add_config_argument, log_to_stderr
from gatepost.core.faults import Fault
from gatepost.wiring.hardware import real_hardware
from gatepost.wiring.lane import gate, system_boot_id
from gatepost.wiring.last_good import settings_in_force
from gatepost.wiring.thermometer import check_part
from gatepost_hal.gpio import GpioError
from gatepost_services.sd_notify import notify


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_config_argument(parser)


def run(args: argparse.Namespace) -> int:
    """Control the turnstile until SIGTERM."""
    log_to_stderr()
    settings, problem = settings_in_force(args.config, check=check_part)
    stop = Stopper()
    with ExitStack() as closing:
        try:
            equipment = closing.enter_context(real_hardware(settings))
        except GpioError as error:
            fail(str(error))
        if problem is not None:
            equipment.faults[Fault.SETTINGS] = problem
        controller = closing.enter_context(
            gate(
                settings,
                equipment.hardware,
                boot_id=system_boot_id(),
                notify=notify,
                known_faults=equipment.faults,
            )
        )
        controller.run(stop, about={"version": __version__, "simulated": False})
    return 1 if stop.crashed else 0
