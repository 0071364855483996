"""What the stories of the units stand on: the units installed, a server of the link, an empty lane.

A plugin of pytest, so that the stories of several files go through one installation.
"""

import grp
import pwd
import stat
from pathlib import Path
from threading import Event

import pytest

from gatepost.demo.broker import LocalBroker
from gatepost_services.hub.subscriber import Subscriber

from . import lane, units
from .lane import PINS
from .units import GATE

RELAYS = (PINS.entry_relay, PINS.exit_relay)
DEVICES = ("/dev/gpiochip0", "/dev/i2c-3", "/dev/ttyUSB0", "/dev/input/event0")
STATE = Path("/var/lib/gatepost")
ETC = Path("/etc/gatepost")
JOURNAL = STATE / "gate" / "journal.db"
PATIENCE_S = 120.0


class Server:
    """A broker, what has arrived at it, and whose the devices were when it was made."""

    def __init__(self, folder):
        self.broker = LocalBroker(folder)
        self.types = []
        # Before the units are installed.
        self.owned_before = {path: owner(path) for path in DEVICES}
        self._hub = Subscriber(
            host="127.0.0.1",
            port=self.broker.address.port,
            client_id="hub",
            on_event=lambda event, _: self.types.append(event.type.removeprefix("gatepost.")),
        )

    def start(self):
        self.broker.start()
        self._hub.start()

    def close(self):
        self._hub.stop()
        self.broker.stop()

    def wait_for(self, type_, since=0):
        lane.wait_until(lambda: type_ in self.types[since:], f"{type_} arrives", PATIENCE_S)


def owner(path):
    """Return who may do what with a file: ("root", "gpio", 0o660)."""
    about = Path(path).stat()
    names = pwd.getpwuid(about.st_uid).pw_name, grp.getgrgid(about.st_gid).gr_name
    return (*names, stat.S_IMODE(about.st_mode))


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The installed units, running, and the server of the link."""
    lane.rest()
    lane.show(lane.ROOM_C)
    server = Server(tmp_path_factory.mktemp("server"))
    *installing, starting = units.told_commands()
    assert starting.startswith("systemctl"), "systemd/README.md starts them last"
    units.type_in(installing)
    units.configure(server.broker.address.port)
    server.start()
    try:
        units.type_in([starting, units.told_for_cards()])
        yield server
    finally:
        server.close()


@pytest.fixture
def gate(server):  # noqa: ARG001 - it has the units installed
    """Have the gate run, with an empty lane; return its process."""
    lane.rest()
    lane.show(lane.ROOM_C)
    units.run("systemctl", "start", GATE)
    pid = units.wait_active(GATE)
    lane.wait_until(nothing_is_released, "the last release is over")
    return pid


def let_out():
    """Press the exit button until the relay lets one out; at its start the gate may not see it."""

    def answers():
        lane.close(PINS.exit_button)
        Event().wait(0.2)
        lane.open_(PINS.exit_button)
        Event().wait(0.3)
        return lane.level(PINS.exit_relay)

    lane.wait_until(answers, "the exit relay, after the button", PATIENCE_S)


def walk_out():
    lane.close(PINS.passage)
    lane.wait_until(lambda: not lane.level(PINS.exit_relay), "the relay falls when somebody walks")
    lane.open_(PINS.passage)


def nothing_is_released():
    return not any(map(lane.level, RELAYS))


def all_done(*attempts):
    return dict.fromkeys([each for some in attempts for each in some], "done")
