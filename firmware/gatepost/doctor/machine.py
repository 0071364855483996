"""This machine, behind the ports of `gatepost.doctor.site`."""

import atexit
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Literal

from gatepost.doctor.site import Lines, OpenLane, Operator, Ran, Site
from gatepost.wiring.hardware import lane_pins
from gatepost_config.load import ConfigError, load
from gatepost_config.settings import Settings
from gatepost_hal.gpio import GpioError, GpioLane, lgpio_factory
from gatepost_hal.mlx90614 import open_linux_bus
from gatepost_hal.system import SystemClock, ThreadMailbox, ThreadTimer

_COMMAND_S = 10.0
_SETTLE_S = 0.005  # 10 kOhm and the wire's capacity need far less
_PROBE_BYTES = 4096
# Programs of the system only: a doctor that runs as root must not run what a PATH names.
_PROGRAMS = "/usr/bin:/bin:/usr/sbin:/sbin"


class MachineDisk:
    """A `Disk`."""

    def free_bytes(self, folder: Path) -> int:
        """Return how much of the disk is free for everybody."""
        disk = os.statvfs(folder)
        return disk.f_bavail * disk.f_frsize

    def write_s(self, folder: Path) -> float:
        """Write a small file there and return how long it took to be on the disk."""
        path = folder / f".gatepost-doctor-{os.getpid()}"
        began_s = time.monotonic()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, b"\0" * _PROBE_BYTES)
            os.fsync(descriptor)
            return time.monotonic() - began_s
        finally:
            os.close(descriptor)
            path.unlink()


class FactoryLines:
    """`Lines` of a pin factory of gpiozero's.

    Args:
        factory: the Pi's, or a mock. It is closed with the lines.
        pause: sleeps until a line has followed its pull.
    """

    def __init__(self, factory: Any, pause: Callable[[float], None] = time.sleep) -> None:
        self._factory = factory
        self._pause = pause
        self._pins: dict[int, Any] = {}

    def level(self, line: int, pull: Literal["up", "down"]) -> bool:
        """Return whether the line is high while it is pulled that way.

        Raises:
            GpioError: it cannot be had.
        """
        try:
            pin = self._pins[line] = self._factory.pin(line)
            pin.function = "input"
            pin.pull = pull
            self._pause(_SETTLE_S)
            return bool(pin.state)
        except Exception as error:  # gpiozero's errors and lgpio's have no root of their own
            raise GpioError(f"GPIO {line} cannot be read ({error}); who else uses it?") from error

    def close(self) -> None:
        """Leave the lines as inputs without a pull, and give them back."""
        with ExitStack() as closing:
            closing.callback(self._factory.close)
            for pin in self._pins.values():
                closing.callback(pin.close)


class Nobody:
    """An `Operator` who may be moved by nobody's word: `--yes` allows, and sees nothing."""

    def __init__(self, *, allows: bool) -> None:
        self._allows = allows

    def may(self, question: str) -> bool:
        """Return what was said beforehand."""
        del question
        return self._allows

    def which(self, question: str, answers: Mapping[str, str]) -> str | None:
        """Ask nobody."""
        del question, answers
        return None


def run_command(words: Sequence[str]) -> Ran | None:
    """Run a program of the system; None where there is none, or it does not end."""
    program = shutil.which(words[0], path=_PROGRAMS)
    if program is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - fixed words, a program of the system
            [program, *words[1:]],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_COMMAND_S,
            check=False,
            stdin=subprocess.DEVNULL,
            env={"PATH": _PROGRAMS, "LC_ALL": "C", "TZ": "UTC"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Ran(done.returncode, done.stdout)


def resolve(host: str, port: int) -> object:
    """Look a name up. Raises OSError."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


@cache
def _private_folder() -> Path:
    """Return a folder for lgpio's FIFO. In the gate's own one of root's would be in its way."""
    folder = Path(tempfile.mkdtemp(prefix="gatepost-doctor-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def machine(config: Path, operator: Operator) -> Site:
    """Return this machine as a site; what is wrong with the settings is for the checks to say."""
    settings, refused = _loaded(config)

    def factory() -> Any:
        if settings is None:
            raise GpioError("there are no settings")
        return lgpio_factory(_private_folder())

    def lines() -> Lines:
        return FactoryLines(factory())

    @contextmanager
    def lane() -> Iterator[OpenLane]:
        if settings is None:
            raise GpioError("there are no settings")
        with ExitStack() as closing:
            clock = SystemClock()
            mailbox, timer = ThreadMailbox(clock), ThreadTimer(clock, name="doctor")
            closing.callback(timer.close)
            gpio = GpioLane(
                lane_pins(settings), factory=factory(), clock=clock, timer=timer, mailbox=mailbox
            )
            closing.callback(gpio.close)
            yield OpenLane(gpio, mailbox, clock)

    return Site(
        config=config,
        loaded=settings,
        refused=refused,
        root=Path("/"),
        run=run_command,
        clock=SystemClock(),
        pause=time.sleep,
        open_bus=open_linux_bus,
        open_lines=lines,
        open_lane=lane,
        disk=MachineDisk(),
        resolve=resolve,
        operator=operator,
    )


def _loaded(config: Path) -> tuple[Settings | None, Sequence[str]]:
    try:
        return load(config), ()
    except ConfigError as error:
        return None, error.problems
