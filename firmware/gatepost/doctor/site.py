"""What checks look at, through ports that a test can stand behind."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from gatepost_config.settings import Settings
from gatepost_hal.gpio import GpioLane
from gatepost_hal.mlx90614 import I2cBus
from gatepost_hal.ports import Clock, Mailbox
from gatepost_services.control import ControlError, ask

_ANSWER_S = 5.0
GATE_UNIT, LINK_UNIT = "gatepost-gate.service", "gatepost-uplink.service"


class Ran(NamedTuple):
    """What a command gave: its exit status, and what it printed."""

    status: int
    out: str


class Lines(Protocol):
    """GPIO lines, to look at. Each is an input while it is looked at, and nothing is driven."""

    def level(self, line: int, pull: Literal["up", "down"]) -> bool:
        """Return whether a line is high while the Pi's own weak resistor pulls it that way."""
        ...

    def close(self) -> None:
        """Give the lines back."""
        ...


class Disk(Protocol):
    """The disk that a folder is on."""

    def free_bytes(self, folder: Path) -> int:
        """Return how much of it is free. Raises OSError."""
        ...

    def write_s(self, folder: Path) -> float:
        """Write a small file there, bring it to the disk, remove it; return how long it took.

        Raises:
            OSError: it cannot be written.
        """
        ...


class OpenLane(NamedTuple):
    """The lane's drivers, for a test that moves it."""

    gpio: GpioLane
    mailbox: Mailbox
    clock: Clock


class Operator(Protocol):
    """Whoever stands at the gate and sees what moves."""

    def may(self, question: str) -> bool:
        """Ask whether something may be done; False also when nobody answers."""
        ...

    def which(self, question: str, answers: Mapping[str, str]) -> str | None:
        """Ask what was seen: return a key of `answers`, None where nobody is asked."""
        ...


class GateState(NamedTuple):
    """Whether the gate process runs, and what it says of itself; nothing where it says nothing."""

    is_running: bool
    status: Mapping[str, Any]


@dataclass(frozen=True)
class Site:
    """One gate, as its doctor sees it.

    Attributes:
        config: the file of its settings.
        loaded: the settings; None where they cannot be used, for `refused`.
        root: what devices, /proc, /sys and /etc are below.
        run: runs a command; None where there is no such command.
        clock: the machine's.
        pause: sleeps for so many seconds.
        open_bus: opens /dev/i2c-N; raises OSError.
        open_lines: takes the lane's GPIO lines to look at; raises OSError.
        open_lane: takes them to move the lane; raises OSError.
        disk: the disk.
        resolve: looks a host's name up; raises OSError.
        operator: who is asked before and after something moves.
        memory: what one check leaves for the next ones.
    """

    config: Path
    loaded: Settings | None
    refused: Sequence[str]
    root: Path
    run: Callable[[Sequence[str]], Ran | None]
    clock: Clock
    pause: Callable[[float], None]
    open_bus: Callable[[int], I2cBus]
    open_lines: Callable[[], Lines]
    open_lane: Callable[[], AbstractContextManager[OpenLane]]
    disk: Disk
    resolve: Callable[[str, int], object]
    operator: Operator
    memory: dict[str, object] = field(default_factory=dict, compare=False)

    @property
    def settings(self) -> Settings:
        """The settings. Only for a check that needs `config.file`."""
        if self.loaded is None:
            raise ValueError("there are no settings")
        return self.loaded

    def at(self, path: str) -> Path:
        """Return where a path of the kernel's or the system's is."""
        return self.root / path.lstrip("/")

    def text(self, path: str) -> str:
        """Return what stands in such a file, nothing where it cannot be read."""
        try:
            return self.at(path).read_text(encoding="utf-8", errors="replace").strip("\n\0 ")
        except OSError:
            return ""

    def unit(self, name: str) -> Mapping[str, str]:
        """Return what systemd says of a unit, nothing where there is no systemd to ask."""
        ran = self.run(["systemctl", "show", name])
        if ran is None or ran.status:
            return {}
        pairs = (line.partition("=") for line in ran.out.splitlines())
        return {key: value for key, _, value in pairs}

    @cached_property
    def gate(self) -> GateState:
        """The gate process. While it runs, lines and bus are its own."""
        try:
            return GateState(
                is_running=True,
                status=ask(self.settings.paths.control, {"verb": "status"}, _ANSWER_S),
            )
        except ControlError as error:
            is_nobody = isinstance(error.__cause__, FileNotFoundError | ConnectionRefusedError)
        # Somebody who does not answer us may hold the lines all the same.
        is_active = self.unit(GATE_UNIT).get("ActiveState") in ("active", "activating")
        return GateState(is_running=not is_nobody or is_active, status={})
