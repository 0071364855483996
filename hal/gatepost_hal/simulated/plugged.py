"""A reader's device on a cable, in simulated time: what lies between it and `Intake` on a machine.

The intake and the decoders are those of the real readers. What is played is the kernel: its buffer,
which overflows while the reader's thread is late, and the plug.
"""

import math
from collections.abc import Callable, Sequence

from gatepost_hal.ports import Direction
from gatepost_hal.readers.device import REOPEN_S, Decoder, Intake
from gatepost_hal.simulated.world import SimulatedMailbox, World


class PluggedDevice:
    """A device that sends records; plugged in, and open, unless told.

    Args:
        name: for messages.
        decoder: makes the real decoder, each time that the device is opened.
        buffered: how many records the kernel keeps while nobody reads.
        world: the time in which it happens.
        mailbox: takes the events.
        direction: the way that the reader stands for.
        plugged: whether it is there at the start.
    """

    def __init__(
        self,
        name: str,
        decoder: Callable[[], Decoder],
        *,
        buffered: int,
        world: World,
        mailbox: SimulatedMailbox,
        direction: Direction,
        plugged: bool,
    ) -> None:
        self._decoder = decoder
        self._buffered = buffered
        self._world = world
        self._mailbox = mailbox
        self._intake = Intake(name, direction)
        self._records: list[bytes] = []
        self._stalled_until_s = -math.inf
        self._is_plugged = plugged
        self._is_open = False
        self._free_at_s = world.now_s()
        self._cancels: list[Callable[[], None]] = []
        self._try_to_open()

    def unplug(self) -> None:
        """Pull the plug: what nobody has read by now is gone with it."""
        self._is_plugged = False
        for cancel in self._cancels:
            cancel()
        self._cancels.clear()
        self._free_at_s = self._world.now_s()
        if self._is_open:
            self._is_open = False
            self._records.clear()
            self._fail("No such device")

    def plug(self) -> None:
        """Plug it in; it is opened when the reader looks for it the next time."""
        self._is_plugged = True

    def stall(self, for_s: float) -> None:
        """Keep the reader's thread from the processor for so long."""
        self._stalled_until_s = self._world.now_s() + for_s

    def _send(self, records: list[bytes]) -> None:
        """Hand records to the kernel, in one go."""
        if not self._is_open:
            return
        for record in records:
            self._records.append(record)
            if len(self._records) > self._buffered:
                self._records = self._overflow(self._records)
        self._wake()

    def _play(self, actions: Sequence[Callable[[], None]], every_s: float, pause_s: float) -> None:
        """Let the device do these things, after what it is doing; a pulled plug ends them."""
        at_s = max(self._world.now_s(), self._free_at_s)
        for action in actions:
            self._cancels.append(self._world.call_at(at_s, action))
            at_s += every_s
        self._free_at_s = at_s + pause_s

    def _overflow(self, records: list[bytes]) -> list[bytes]:
        """Return what the kernel keeps of one record too many: all but the newest."""
        return records[:-1]

    def _try_to_open(self) -> None:
        if self._is_plugged:
            self._is_open = True
            self._intake.opened(self._decoder(), self._world.now_s())
            self._watch()
        else:
            self._fail("No such file or directory")

    def _fail(self, reason: str) -> None:
        now_s = self._world.now_s()
        for event in self._intake.failed(reason, now_s):
            self._mailbox.post(event)
        self._world.call_at(now_s + REOPEN_S, self._try_to_open)

    def _wake(self) -> None:
        """Let the thread read, when it may."""
        now_s = self._world.now_s()
        ready_at_s = max(self._stalled_until_s, self._intake.ready_at_s)
        if ready_at_s > now_s:
            self._world.call_at(ready_at_s, self._wake)
            return
        if self._records:
            data = b"".join(self._records)
            self._records.clear()
            for event in self._intake.took(data, now_s):
                self._mailbox.post(event)
        else:
            for event in self._intake.due(now_s):
                self._mailbox.post(event)
        self._watch()

    def _watch(self) -> None:
        if not math.isinf(due_at_s := self._intake.due_at_s):
            self._world.call_at(due_at_s, self._wake)
