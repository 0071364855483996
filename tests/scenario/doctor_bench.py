"""A gate for the doctor: devices, files, bus, lines and broker of its own, into which faults go.

All is well with it as it is made. The bus, the part and the pins are simulated; disk, journal,
certificates and broker are real.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from gpiozero.pins.mock import MockFactory, MockPin
from tests.services.journal_files import entry, opened
from tests.services.tls_rig import Files, Rig, TlsBroker

from gatepost.doctor.machine import FactoryLines, MachineDisk
from gatepost.doctor.model import Level, Result, examine
from gatepost.doctor.site import Lines, OpenLane, Ran, Site
from gatepost.doctor.table import CHECKS
from gatepost_config.calibration import CalibrationRecord, PointRecord, as_toml
from gatepost_config.load import ConfigError, load
from gatepost_hal.parts import PARTS
from gatepost_hal.ports import Direction
from gatepost_hal.simulated.lane import SimulatedLane
from gatepost_hal.simulated.mlx90614 import SimulatedI2cBus, SimulatedMlx90614
from gatepost_hal.simulated.world import World
from gatepost_services.board import HEAD, REPORTED, Board
from gatepost_services.pki.authority import utc_now
from gatepost_services.uplink.store import ProgressStore

BAD = (Level.WARNING, Level.FAULT)
GATE, LINK = "gatepost-gate.service", "gatepost-uplink.service"
REPORTED_TEXT = b'{"lane":{"state":"idle","standing":[],"faults":[]}}'
_UNIT = {
    "LoadState": "loaded",
    "UnitFileState": "enabled",
    "ActiveState": "active",
    "Result": "success",
    "NRestarts": "0",
    "NoNewPrivileges": "yes",
    "DevicePolicy": "closed",
}


class WiredPin(MockPin):
    """A pin of which `wires` says what is soldered to it."""

    # Line -> "ground", "3v3", or a resistor of 10 kOhm: "down", "up". Without an entry it floats.
    wires: Mapping[int, str] = {}

    def _get_state(self) -> bool:
        wire = self.wires.get(self._number)
        return self._pull == "up" if wire is None else wire in ("3v3", "up")


class PlantedDisk(MachineDisk):
    """A disk that may be full, slow, or broken."""

    def __init__(self) -> None:
        self.free: int | None = None
        self.took_s = 0.004
        self.error: OSError | None = None

    def free_bytes(self, folder: Path) -> int:
        return super().free_bytes(folder) if self.free is None else self.free

    def write_s(self, folder: Path) -> float:
        super().write_s(folder)
        if self.error is not None:
            raise self.error
        return self.took_s


class PlantedOperator:
    """Somebody who allows everything, and sees what `sees` says."""

    def __init__(self) -> None:
        self.allows = True
        self.sees: list[str] = []
        self.asked: list[str] = []

    def may(self, question: str) -> bool:
        self.asked.append(question)
        return self.allows

    def which(self, question: str, answers: Mapping[str, str]) -> str | None:
        self.asked.append(question)
        seen = self.sees.pop(0) if self.sees else question.rpartition("(")[2].strip(")")
        assert seen in answers
        return seen


class NoBroker:
    """Where a broker would be, for what does not need one."""

    host, port = "localhost", 1


class Bench:
    """One gate of the site `rig`, with a broker.

    Change what it has, then `examine`. `settings` is written at that moment, by section and key.
    """

    def __init__(self, folder: Path, rig: Rig, broker: TlsBroker | NoBroker, files: Files) -> None:
        self.folder, self.rig, self.broker = folder, rig, broker
        self.root = folder / "root"
        self.world = World(start_utc_s=utc_now().timestamp())
        # Not through a setter: 3.0 V is what it was calibrated at.
        self.chip = SimulatedMlx90614(self.world, supply_v=3.0)
        self.chip.scene = lambda _at_s: 24.5
        self.address, self.bus_number = 0x5A, 3
        self.wrap_bus: Callable[[Any], Any] = lambda bus: bus
        self.wires: dict[int, str] = {17: "down", 27: "down", 16: "ground"}
        self.lines_error: OSError | None = None
        self.disk, self.operator = PlantedDisk(), PlantedOperator()
        self.commands: dict[str, str] = {"vcgencmd get_throttled": "throttled=0x0\n"}
        # None: no systemd, and nobody holds the lines.
        self.units: dict[str, dict[str, str]] | None = None
        self.resolve_error: OSError | None = None
        self.prepare_lane: Callable[[SimulatedLane], object] = lambda _lane: None
        for name in ("gate", "link", "run/gate", "run/link", "run/board", "calibration", "tls"):
            (folder / name).mkdir(parents=True)
        self.ca, self.certificate, self.key = self._certificates(files)
        self.journal = folder / "gate/journal.db"
        self._make_journal()
        self._make_said()
        self.settings = self._settings()
        self._make_root()
        self.calibrate()
        self.world.advance(600.0)

    # ------------------------------------------------------------------------- what it is made of

    def _certificates(self, files: Files) -> tuple[Path, Path, Path]:
        made = (self.folder / "tls/ca.pem", self.folder / "tls/device.pem")
        for source, copy in zip((files.ca, files.certificate), made, strict=True):
            shutil.copyfile(source, copy)
        key = self.folder / "tls/device.key"
        self.take_key(files.key, key)
        return (*made, key)

    def take_key(self, source: Path, key: Path | None = None) -> None:
        """Put another private key in."""
        key = key or self.key
        shutil.copyfile(source, key)
        key.chmod(0o600)

    def take(self, files: Files) -> None:
        """Put another certificate with its key in; the authority stays."""
        shutil.copyfile(files.certificate, self.certificate)
        self.take_key(files.key)

    def _make_journal(self) -> None:
        journal = opened(self.journal)
        journal.append([entry(number) for number in range(1, 31)])
        journal.close()

    def _make_said(self) -> None:
        """Lay down what the gate pins up, and how far the link has come."""
        board = Board(self.folder / "run/board")
        board.pin(REPORTED, REPORTED_TEXT)
        board.pin(HEAD, b"eyJ.eyJ.c2ln")
        link = self.folder / "link"
        ProgressStore.open(link / "uplink.db", link / "acknowledged", "puback").close()

    def _settings(self) -> dict[str, dict[str, object]]:
        reader = self.root / "dev/scanner"
        return {
            "gate": {"site": "north", "name": "gate-1"},
            "sensor": {"supply_v": 3.0, "i2c_bus": 3},
            "turnstile": {"test_s": 0.5},
            "reader": {"device": reader},
            "link": {"broker_host": self.broker.host, "broker_port": self.broker.port},
            "tls": {"ca": self.ca, "certificate": self.certificate, "key": self.key},
            "paths": {
                "gate_dir": self.folder / "gate",
                "link_dir": self.folder / "link",
                "run_dir": self.folder / "run",
                "roster": self.folder / "gate/roster.db",
                "roster_key": self.folder / "roster.key",
                "calibration_dir": self.folder / "calibration",
            },
        }

    def _make_root(self) -> None:
        gid, uid = os.getgid(), os.getuid()
        for name in ("gpiochip0", "i2c-3", "scanner"):
            self.put(f"dev/{name}", "")
            (self.root / "dev" / name).chmod(0o660)
        self.put(
            "etc/passwd",
            f"gatepost-gate:x:48711:{gid}::/:/x\ngatepost-link:x:{uid}:{gid}::/:/x\n",
        )
        self.put("etc/group", f"gpio:x:{gid}:gatepost-gate\n")
        self.put("etc/timezone", "Asia/Shanghai\n")
        self.put("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0")
        self.put("proc/cmdline", "console=tty1 pinctrl_bcm2835.persist_gpio_outputs=n rw\n")
        self.put(
            "boot/firmware/config.txt",
            "dtoverlay=i2c-gpio,bus=3,i2c_gpio_sda=2,i2c_gpio_scl=3\ndtparam=strict_gpiod\n",
        )
        self.speed("i2c-gpio,delay-us", 4)
        self.put("sys/block/mmcblk0/device/life_time", "0x01 0x02\n")
        self.put("sys/block/mmcblk0/device/pre_eol_info", "0x01\n")

    def put(self, name: str, text: str) -> Path:
        """Write a file of the system's, below its root."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def speed(self, name: str, number: int) -> None:
        """Let the device tree tell a number of the bus."""
        path = self.put(f"sys/class/i2c-adapter/i2c-3/of_node/{name}", "")
        path.write_bytes(number.to_bytes(4, "big"))

    def calibrate(self, **changed: Any) -> Path:
        """Lay the calibration of the part down."""
        cells = [self.chip.eeprom[cell] for cell in range(0x3C, 0x40)]
        today = utc_now().date()
        record = {
            "sensor_id": "".join(f"{cell:04x}" for cell in cells),
            "chip_emissivity": 1.0,
            "chip_config": self.chip.eeprom[0x25],
            "by": "Zhang",
            "reference": "BB-1",
            "on": today.replace(year=today.year - 1, day=1),
            "due": today.replace(year=today.year + 1, day=1),
            "low": PointRecord(33.0, 33.0),
            "high": PointRecord(38.0, 38.0),
        }
        made = CalibrationRecord(**{**record, **changed})
        path = self.folder / "calibration" / f"{made.sensor_id}.toml"
        path.write_text(as_toml(made), encoding="utf-8")
        return path

    def part(self, **changed: Any) -> None:
        """Exchange the part for one that is otherwise."""
        other = PARTS["DCC"]._replace(**changed)
        self.chip = SimulatedMlx90614(self.world, part=other, supply_v=3.0)
        self.chip.scene = lambda _at_s: 24.5
        self.world.advance(600.0)

    def under_systemd(self, unit: str, **changed: str) -> None:
        """Let systemd have both units, one of them otherwise than it should be."""
        self.units = {
            GATE: {**_UNIT, "PrivateNetwork": "yes"},
            LINK: {**_UNIT, "PrivateDevices": "yes"},
        }
        self.units[unit].update(changed)

    # ----------------------------------------------------------------------------- what it is for

    @property
    def config(self) -> Path:
        """The file of the settings, as they are now."""
        path = self.folder / "gatepost.toml"
        lines = []
        for section, content in self.settings.items():
            lines.append(f"[{section}]")
            lines += [f"{key} = {_toml(value)}" for key, value in content.items()]
        path.write_text("\n".join([*lines, ""]), encoding="utf-8")
        return path

    def site(self) -> Site:
        """Return the gate as the doctor sees it."""
        loaded, refused = None, ()
        try:
            loaded = load(self.config)
        except ConfigError as error:
            refused = error.problems
        return Site(
            config=self.folder / "gatepost.toml",
            loaded=loaded,
            refused=refused,
            root=self.root,
            run=self._run,
            clock=self.world,
            pause=self.world.advance,
            open_bus=self._open_bus,
            open_lines=self._open_lines,
            open_lane=self._open_lane,
            disk=self.disk,
            resolve=self._resolve,
            operator=self.operator,
        )

    def examine(self, *chosen: str, move: bool = False) -> list[Result]:
        """Return what all checks, or some, came to."""
        return list(examine(self.site(), CHECKS, chosen, may_move=move))

    def _run(self, words: Sequence[str]) -> Ran | None:
        if list(words[:2]) == ["systemctl", "show"]:
            if self.units is None:
                return None
            told = self.units.get(words[2])
            if told is None:
                return Ran(0, "LoadState=not-found\nActiveState=inactive\nUnitFileState=\n")
            return Ran(0, "".join(f"{key}={value}\n" for key, value in told.items()))
        out = self.commands.get(" ".join(words[:2]))
        return None if out is None else Ran(0, out)

    def _open_bus(self, number: int) -> Any:
        assert number == self.bus_number
        bus = SimulatedI2cBus(self.chip, world=self.world, address=self.address)
        return self.wrap_bus(bus.open())

    def _open_lines(self) -> Lines:
        if self.lines_error is not None:
            raise self.lines_error
        pin_class = type("Pin", (WiredPin,), {"wires": self.wires})
        return FactoryLines(MockFactory(pin_class=pin_class), pause=self.world.advance)

    @contextmanager
    def _open_lane(self) -> Iterator[OpenLane]:
        # In a time of its own: what the lane before left to do there is over.
        lane = SimulatedLane(World())
        self.prepare_lane(lane)
        try:
            yield OpenLane(lane.gpio, lane.mailbox, lane.world)
        finally:
            lane.close()

    def _resolve(self, host: str, port: int) -> object:
        del host, port
        if self.resolve_error is not None:
            raise self.resolve_error
        return None


def push_later(after_s: float, way: Direction) -> Callable[[SimulatedLane], None]:
    """Return what lets somebody turn the arm of a lane that long after it was opened."""

    def prepare(lane: SimulatedLane) -> None:
        at_s = lane.world.now_s() + after_s
        lane.world.call_at(at_s, partial(lane.push, way))

    return prepare


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else f'"{value}"'


def wrong(results: Sequence[Result]) -> set[str]:
    """Return the names of what was found wrong."""
    return {result.name for result in results if result.level in BAD}
