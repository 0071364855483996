"""Serial QR scanners: one in simulated time, and one on a terminal of this machine's kernel."""

import os
import pty
from pathlib import Path

from gatepost_hal.ports import Direction
from gatepost_hal.readers.line import HALF_READ_S, LineFramer
from gatepost_hal.simulated.plugged import PluggedDevice
from gatepost_hal.simulated.world import SimulatedMailbox, World

# N_TTY_BUF_SIZE in drivers/tty/n_tty.c.
_BUFFERED = 4096


class SimulatedScanner(PluggedDevice):
    """A scanner on a serial line.

    Args:
        world: the time in which it happens.
        mailbox: takes the events.
        direction: the way that the reader stands for.
        plugged: whether it is there at the start.
    """

    def __init__(
        self,
        *,
        world: World,
        mailbox: SimulatedMailbox,
        direction: Direction = Direction.ENTRY,
        plugged: bool = True,
    ) -> None:
        super().__init__(
            "scanner",
            lambda: LineFramer(direction, half_read_s=HALF_READ_S),
            buffered=_BUFFERED,
            world=world,
            mailbox=mailbox,
            direction=direction,
            plugged=plugged,
        )

    def send(self, data: bytes) -> None:
        """Send bytes, in one go."""
        self._send([bytes([byte]) for byte in data])

    def scan(self, credential: str) -> None:
        """Send one pass."""
        self.send(credential.encode() + b"\r")


class PtyScanner:
    """A scanner on a pseudo-terminal: the kernel's own line discipline, and a plug to pull.

    Args:
        device: a path that names the terminal while it is plugged in, as udev's links do.
    """

    def __init__(self, device: Path) -> None:
        self._device = device
        self._ends: tuple[int, ...] = ()

    def plug(self) -> None:
        """Make the terminal, cooked as the kernel makes all of them."""
        self._ends = pty.openpty()
        self._device.symlink_to(os.ttyname(self._ends[1]))

    def unplug(self) -> None:
        """Take it away; whoever reads it is told EIO."""
        self._device.unlink(missing_ok=True)
        for fd in self._ends:
            os.close(fd)
        self._ends = ()

    def send(self, data: bytes) -> None:
        """Send bytes; wait while the kernel has no room for them."""
        while data:
            data = data[os.write(self._ends[0], data) :]

    @property
    def terminal(self) -> int:
        """The end that the reader opens as well, to look at its settings."""
        return self._ends[1]
