"""`gatepost` as it is, but that its loop hangs for ever where it waits, after SIGUSR1."""

import signal
import sys
import threading

from gatepost.cli.main import main
from gatepost.wiring import hardware
from gatepost_hal.ports import HardwareEvent
from gatepost_hal.system import ThreadMailbox

_hangs = threading.Event()


class HangingMailbox(ThreadMailbox):
    """A mailbox at which the loop may wait for ever."""

    def wait(self, until_s: float) -> list[HardwareEvent]:
        if _hangs.is_set():
            threading.Event().wait()
        return super().wait(until_s)


# Not in the handler itself: the loop that it interrupts may hold a lock of the drivers.
signal.signal(signal.SIGUSR1, lambda *_: _hangs.set())
hardware.ThreadMailbox = HangingMailbox
sys.exit(main())
